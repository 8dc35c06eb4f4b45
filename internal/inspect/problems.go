// Package inspect gathers what check and doctor tell: it reads the configuration
// and the keys as they lie there, and changes nothing.
package inspect

import (
	"fmt"

	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/keys"
)

// Problems puts those of a configuration and of keys into one list, in the one
// form in which they are told.
func Problems(cfg config.Problems, broken []keys.Problem) []problem.Problem {
	out := []problem.Problem{}
	for _, p := range cfg {
		out = append(out, ofConfig(p))
	}
	for _, p := range broken {
		out = append(out, ofKey(p))
	}
	return out
}

func ofConfig(p config.Problem) problem.Problem {
	out := problem.Problem{Severity: problem.Fault, Place: p.File, Message: p.Message, Hint: p.Hint}
	if p.Severity == config.Warning {
		out.Severity = problem.Warning
	}
	if p.Line > 0 {
		out.Place = fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return out
}

func ofKey(p keys.Problem) problem.Problem {
	out := problem.Problem{Severity: problem.Fault, Place: p.Path, Message: p.Message, Hint: p.Hint}
	if p.Severity == keys.Warning {
		out.Severity = problem.Warning
	}
	return out
}

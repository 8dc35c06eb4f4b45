package spf

import (
	"context"
	"errors"
	"fmt"
)

// explain fetches and expands the explanation of a fail (§6.2). Whatever goes
// wrong, there is none; nothing here counts against the limits, because the
// result stands already (§4.6.4).
func (e *evaluation) explain(ctx context.Context, out outcome) string {
	if out.exp == nil {
		return ""
	}
	text, err := e.explanation(ctx, out)
	s := Step{Domain: out.domain, Term: clip(out.exp.text), Note: clip(text)}
	if err != nil {
		s.Note = "no explanation: " + clip(err.Error())
	}
	e.step(s)
	return text
}

func (e *evaluation) explanation(ctx context.Context, out outcome) (string, error) {
	target, err := e.targetName(ctx, out.exp.spec, out.domain)
	if err != nil {
		return "", err
	}
	ans, err := e.resolver.LookupTXT(ctx, target)
	if err != nil {
		return "", err
	}
	if len(ans.Records) != 1 {
		return "", fmt.Errorf("%d TXT records at %s", len(ans.Records), printable(target))
	}
	m, err := parseMacroString(ans.Records[0], expLetters, true)
	if err != nil {
		return "", err
	}
	text, ok := e.expandText(ctx, m, out.domain)
	if !ok {
		return "", errors.New("it is not printable US-ASCII")
	}
	return text, nil
}

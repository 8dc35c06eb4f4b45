package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/plain"
	"github.com/sealmilter/sealmilter/internal/socket"
	"github.com/sealmilter/sealmilter/keys"
)

func newCheck() *cobra.Command {
	var path string
	var asJSON, quiet bool
	cmd := &cobra.Command{
		Use:   "check [FILE]",
		Short: "check a configuration and its keys",
		Long: `Reads a configuration, loads every key and lets each sign a sample message that a
second DKIM implementation must verify. Prints the effective configuration, or
every problem with its place and what to do. Changes nothing.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				path = args[0]
			}
			r := checkAll(path)
			if asJSON {
				if err := printJSON(cmd, r); err != nil {
					return err
				}
			} else {
				r.print(cmd, quiet)
			}
			if r.Errors > 0 {
				return errShown
			}
			return nil
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "print problems only")
	return cmd
}

// checked is what check found.
type checked struct {
	File     string         `json:"file"`
	Errors   int            `json:"errors"`
	Warnings int            `json:"warnings"`
	Problems []checkProblem `json:"problems"`
	Keys     []keyInfo      `json:"keys"`

	cfg *config.Config
}

type checkProblem struct {
	Severity string `json:"severity"`
	Place    string `json:"place"` // FILE:LINE, or the path of a key
	Message  string `json:"message"`
	Hint     string `json:"hint,omitempty"`
}

func checkAll(path string) *checked {
	r := &checked{File: path, Problems: []checkProblem{}, Keys: []keyInfo{}}
	cfg, problems := config.Load(path)
	for _, p := range problems {
		place := p.File
		if p.Line > 0 {
			place = fmt.Sprintf("%s:%d", p.File, p.Line)
		}
		r.add(p.Severity == config.Error, place, p.Message, p.Hint)
	}
	if cfg == nil {
		return r
	}
	r.cfg = cfg
	if _, err := socket.NewPeers(cfg.Socket.Peers); err != nil {
		hint := ""
		if e := (*socket.Error)(nil); errors.As(err, &e) {
			hint = e.Hint
		}
		r.add(true, path, err.Error(), hint)
	}
	store, broken := loadKeys(cfg, nil)
	for _, p := range broken {
		hint := p.Hint
		if hint == "sealmilter keys new "+p.Domain && path != defaultConfig {
			hint += " --config " + path
		}
		r.add(p.Severity == keys.Error, p.Path, p.Message, hint)
	}
	list := allKeys(store)
	r.Keys = describeKeys(list)
	for i, k := range list {
		r.Keys[i].Signs, r.Keys[i].Proof = signs(store, k), "ok"
		if err := prove(k); err != nil {
			r.Keys[i].Proof = err.Error()
			r.add(true, k.Path(), err.Error(), "make another: sealmilter keys new "+k.Domain)
		}
	}
	return r
}

func (r *checked) add(isError bool, place, message, hint string) {
	p := checkProblem{"warning", place, message, hint}
	if isError {
		p.Severity = "error"
		r.Errors++
	} else {
		r.Warnings++
	}
	r.Problems = append(r.Problems, p)
}

// printFound prints what is wrong, each part in its line.
func printFound(w io.Writer, p checkProblem) {
	fmt.Fprintf(w, "%s: %s: %s\n", plain.Text(p.Severity), plain.Text(p.Place), plain.Text(p.Message))
	if p.Hint != "" {
		fmt.Fprintf(w, "hint: %s\n", plain.Text(p.Hint))
	}
}

func (r *checked) print(cmd *cobra.Command, quiet bool) {
	out, stderr := cmd.OutOrStdout(), cmd.ErrOrStderr()
	for _, p := range r.Problems {
		printFound(stderr, p)
	}
	if r.cfg == nil || quiet {
		return
	}
	fmt.Fprintln(out, "# effective configuration")
	r.cfg.WriteYAML(out)
	for _, name := range r.cfg.Unbuilt() {
		fmt.Fprintf(out, "# accepted, not built yet: %s\n", name)
	}
	for _, k := range r.Keys {
		state := "signs"
		if !k.Signs {
			state = "older, does not sign"
		}
		fmt.Fprintf(out, "# key %s._domainkey.%s: %s, %d bits, %s, proof: %s\n", plain.Text(k.Selector), plain.Text(k.Domain), k.Algorithm, k.Bits, state, plain.Text(k.Proof))
	}
	if r.Errors == 0 {
		word := "warnings"
		if r.Warnings == 1 {
			word = "warning"
		}
		fmt.Fprintf(out, "# %s is good: %d %s\n", r.File, r.Warnings, word)
	}
}

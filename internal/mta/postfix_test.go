package mta

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRefusal has a program say what postconf says, and the real one where there is
// one.
func TestRefusal(t *testing.T) {
	dir := t.TempDir()
	main := filepath.Join(dir, "main.cf")
	say := func(text string) error {
		_, err := Run(t.Context(), postconfTime, "sh", "-c", "echo \"$0\" >&2; exit 1", text)
		return fmt.Errorf("wrapped: %w", err)
	}
	real := func(text string) error {
		postconf, ok := FindPostconf()
		if !ok {
			if os.Getenv("SEALMILTER_CI") != "" {
				t.Fatal("no postconf")
			}
			return say("postconf: fatal: " + strings.ReplaceAll(text, "DIR", dir))
		}
		_, err := Output(t.Context(), postconf, "-c", dir, "-h", "config_directory")
		return err
	}
	missing := real("open DIR/main.cf: No such file or directory")
	if err := os.WriteFile(main, []byte("compatibility_level = 3.6\nmyhostname mail.example.com\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	badLine := real("DIR/main.cf, line 2: missing '=' after attribute name: \"myhostname mail.example.com\"")
	for name, c := range map[string]struct {
		err        error
		said, hint string
		ok         bool
	}{
		"no main.cf":     {missing, "open " + main + ": No such file or directory", "Internet Site", true},
		"a bad line":     {badLine, main + ", line 2: missing '='", "correct that line", true},
		"behind a chain": {say("x\npostconf: fatal: boom"), "boom", "correct that line", true},
		"says nothing":   {say("x"), "", "", false},
		"no program":     {errors.New("executable file not found"), "", "", false},
		"no time":        {context.DeadlineExceeded, "", "", false},
		"all is well":    {nil, "", "", false},
	} {
		said, hint, ok := Refusal(c.err)
		if ok != c.ok || !strings.Contains(said, c.said) || !strings.Contains(hint, c.hint) {
			t.Errorf("%s: %q %q %v (%v)", name, said, hint, ok, c.err)
		}
	}
}

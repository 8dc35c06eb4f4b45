package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestManualPages(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1795300312")
	dir := t.TempDir()
	var stderr bytes.Buffer
	if code := run(t.Context(), []string{"man", "--example", "../../milter.yaml.example", dir}, &stderr, &stderr); code != exitFine {
		t.Fatalf("exit %d: %s", code, &stderr)
	}
	for name, want := range map[string]string{
		"sealmilter.8":          "sealmilter\\-keys(8)",
		"sealmilter-serve.8":    "sealmilter-serve \\- run",
		"sealmilter-keys-new.8": ".TH SEALMILTER\\-KEYS\\-NEW 8 2026-11-21",
		"milter.yaml.5":         "authserv_id:",
	} {
		page, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
		} else if !strings.Contains(string(page), want) {
			t.Errorf("%s lacks %q:\n%s", name, want, page)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "sealmilter-man.8")); err == nil {
		t.Error("a hidden command has a page")
	}
}

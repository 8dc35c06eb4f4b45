package telemetry

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func newTestLogger(t *testing.T, format string, level slog.Leveler) (*slog.Logger, *strings.Builder) {
	t.Helper()
	var out strings.Builder
	log, err := NewLogger(&out, format, level)
	if err != nil {
		t.Fatal(err)
	}
	return log, &out
}

type nilError struct{ text string }

func (e *nilError) Error() string { return e.text }

func TestLogLine(t *testing.T) {
	var none *nilError
	tests := map[string]struct {
		value any
		text  string // in a text line
	}{
		"word":          {"pass", "k=pass"},
		"line break":    {"a\r\nqueue_id=forged", `k="a\r\nqueue_id=forged"`},
		"escape":        {"\x1b[31m", `k="\x1b[31m"`},
		"no utf-8":      {"\xff", `k="\xff"`},
		"error":         {errors.New("spf: a\nb"), `k="spf: a\nb"`},
		"nil error":     {none, `k="<no text>"`},
		"address":       {netip.MustParseAddr("2001:db8::1"), "k=2001:db8::1"},
		"list":          {[]string{"a", "b"}, `k="[a b]"`},
		"bytes":         {[]byte("raw\n"), `k="raw\n"`},
		"number":        {42, "k=42"},
		"duration":      {1500 * time.Millisecond, "k=1.5s"},
		"nothing":       {nil, "k=<nil>"},
		"long":          {strings.Repeat("x", 100<<10), "xxx... (102400 bytes)"},
		"long, no utf8": {strings.Repeat("\x80", 100<<10), `\x80... (102400 bytes)`},
		"long error":    {errors.New(strings.Repeat("é", 50<<10)), `éé... (102400 bytes)`},
	}
	for title, tc := range tests {
		t.Run(title, func(t *testing.T) {
			log, out := newTestLogger(t, "text", slog.LevelInfo)
			log.Info("message", "k", tc.value)
			line := out.String()
			if strings.Count(line, "\n") != 1 || !strings.Contains(line, tc.text) || len(line) > 5*maxLogValue {
				t.Errorf("%d bytes: %.300q, want %q", len(line), line, tc.text)
			}
			log, out = newTestLogger(t, "json", slog.LevelInfo)
			log.Info("message", "k", tc.value)
			var object map[string]any
			if err := json.Unmarshal([]byte(out.String()), &object); err != nil || object["msg"] != "message" {
				t.Errorf("%v: %.300q", err, out)
			}
			if strings.Count(out.String(), "\n") != 1 {
				t.Errorf("more than one line: %.300q", out)
			}
		})
	}
}

func TestLogLevels(t *testing.T) {
	var level slog.LevelVar
	log, out := newTestLogger(t, "text", &level)
	log.Debug("hidden")
	level.Set(slog.LevelDebug)
	log.Debug("shown")
	if s := out.String(); strings.Contains(s, "hidden") || !strings.Contains(s, "shown") {
		t.Errorf("%q", s)
	}
	for word, want := range map[string]slog.Level{"debug": -4, "info": 0, "warn": 4, "error": 8} {
		if got, err := ParseLevel(word); err != nil || got != want {
			t.Errorf("%s: %v, %v", word, got, err)
		}
	}
	for _, word := range []string{"", "INFO", "trace", "info+1"} {
		if _, err := ParseLevel(word); err == nil {
			t.Errorf("%q was taken", word)
		}
	}
	if _, err := NewLogger(out, "xml", &level); err == nil {
		t.Error("format xml was taken")
	}
}

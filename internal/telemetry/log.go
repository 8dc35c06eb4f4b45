// Package telemetry sets up the log and the metrics. It knows nothing of mail:
// who logs or counts says what.
//
// It deliberately has no default logger, no global registry and no listener
// of its own; cmd owns those.
package telemetry

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"unicode/utf8"
)

// maxLogValue bounds one value of a log line, in bytes: header fields of 100
// KB must not fill a disk. It leaves room for the stack of a panic.
const maxLogValue = 8 << 10

// ParseLevel reads debug, info, warn or error.
func ParseLevel(s string) (slog.Level, error) {
	switch s {
	case "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, fmt.Errorf("log level %.100q: want debug, info, warn or error", s)
}

// NewLogger writes one line an event to w: format "text" is key=value, "json"
// is an object. A value never breaks the line, whatever bytes it has, and is
// cut at 8 KiB. Level may be a *slog.LevelVar, to be changed at a reload.
func NewLogger(w io.Writer, format string, level slog.Leveler) (*slog.Logger, error) {
	opts := &slog.HandlerOptions{Level: level, ReplaceAttr: boundAttr}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	}
	return nil, fmt.Errorf("log format %.100q: want text or json", format)
}

// boundAttr cuts long values. What is no string is written as fmt writes it,
// errors in particular: they may quote a message.
func boundAttr(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(bound(a.Value.String()))
	case slog.KindAny:
		switch v := a.Value.Any().(type) {
		case error:
			a.Value = slog.StringValue(bound(safely(v.Error)))
		case fmt.Stringer:
			a.Value = slog.StringValue(bound(safely(v.String)))
		case []byte:
			a.Value = slog.StringValue(bound(string(v)))
		case *slog.Source: // slog's own
		default:
			a.Value = slog.StringValue(bound(fmt.Sprint(v)))
		}
	}
	return a
}

// safely keeps a nil pointer in an interface from ending the process.
func safely(text func() string) (s string) {
	defer func() {
		if p := recover(); p != nil {
			s = "<no text>"
		}
	}()
	return text()
}

// bound cuts s at a character's end.
func bound(s string) string {
	if len(s) <= maxLogValue {
		return s
	}
	n := maxLogValue
	for n > maxLogValue-utf8.UTFMax && !utf8.RuneStart(s[n]) {
		n--
	}
	return strings.Clone(s[:n]) + fmt.Sprintf("... (%d bytes)", len(s))
}

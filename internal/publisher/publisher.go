// Package publisher puts a TXT record into the DNS and takes it away: by dynamic
// update with TSIG (RFC 2136, RFC 8945), or by a program of the admin's (hook) for
// providers that speak neither.
//
// What it does can be done again with the same end. It deliberately knows no keys,
// does not retry, and does not wait until the world sees a record
// (internal/authoritative does).
package publisher

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/problem"
)

// Change is one TXT record to be put or taken away.
type Change struct {
	Name   string // owner, A-labels, no trailing dot
	Value  string // in one piece, printable ASCII; "" with Remove
	TTL    uint32 // seconds
	Remove bool   // take the TXT records at Name away
}

// Publisher makes the TXT records at a name those of the Change: one, or none.
// What it returns has a hint (problem.Hint); errors.Is ErrLater where trying again
// may help.
type Publisher interface {
	Publish(ctx context.Context, c Change) error
}

// ErrLater: it was not done, and may be done when it is tried again.
var ErrLater = errors.New("try again later")

const (
	// maxValue bounds a record: an RSA key of 4,096 bits makes one of 730 bytes.
	maxValue = 4000
	// chunkSize is the longest character-string of a TXT record.
	chunkSize = 255
	// maxTTL is the largest that all servers read as positive.
	maxTTL = 1<<31 - 1
)

// check refuses what would be another record on its way through a zone file, a
// packet or an environment.
func (c Change) check() error {
	if err := resolve.CheckName(c.Name); err != nil {
		return fmt.Errorf("record %.300q: %w", c.Name, err)
	}
	if i := strings.IndexFunc(c.Name, func(r rune) bool { return !hostRune(r) }); i >= 0 || strings.HasSuffix(c.Name, ".") {
		return problem.Fail("use A-labels (xn--...), without a dot at the end", "record %q: not a name of letters, digits, - and _", c.Name)
	}
	switch {
	case c.Remove && c.Value != "":
		return fmt.Errorf("record %s: a value to take away: all its TXT records go", c.Name)
	case c.Remove:
		return nil
	case c.Value == "" || len(c.Value) > maxValue:
		return fmt.Errorf("record %s: %d bytes, want 1 to %d", c.Name, len(c.Value), maxValue)
	case c.TTL > maxTTL:
		return fmt.Errorf("record %s: ttl %d, want at most %d", c.Name, c.TTL, maxTTL)
	}
	if strings.ContainsFunc(c.Value, func(r rune) bool { return r < ' ' || r > '~' }) {
		return fmt.Errorf("record %s: a value that is not printable ASCII", c.Name)
	}
	return nil
}

func hostRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.'
}

// chunks cuts a value into character-strings.
func chunks(value string) (all []string) {
	for len(value) > chunkSize {
		all, value = append(all, value[:chunkSize]), value[chunkSize:]
	}
	return append(all, value)
}

// line is the record in the form of zone files.
func (c Change) line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s. %d IN TXT", c.Name, c.TTL)
	for _, s := range chunks(c.Value) {
		b.WriteString(` "` + escape(s) + `"`)
	}
	return b.String()
}

// escape is for character-strings in the form of zone files (RFC 1035 §5.1).
func escape(s string) string { return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) }

// quote makes a path that can be pasted into a shell.
func quote(path string) string {
	if path != "" && !strings.ContainsFunc(path, func(r rune) bool { return !hostRune(r) && r != '/' }) {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

package spf

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

// Why a check gives none, permerror or temperror; Result.Err wraps one of
// these, or the resolver's own error for temperror.
var (
	ErrNoAddress      = errors.New("no client address")
	ErrNoDomain       = errors.New("no domain to check")                  // §4.3: none
	ErrNoRecord       = errors.New("no SPF record")                       // §4.5: none
	ErrSeveralRecords = errors.New("more than one SPF record")            // §4.5: permerror
	ErrSyntax         = errors.New("syntax error")                        // §4.6: permerror
	ErrLookups        = errors.New("too many DNS look-ups")               // §4.6.4: permerror
	ErrVoidLookups    = errors.New("too many look-ups that find nothing") // §4.6.4: permerror
	ErrMXNames        = errors.New("too many MX hosts")                   // §4.6.4: permerror
	ErrTarget         = errors.New("target that cannot be a domain name") // §5.2, §6.1: permerror
	ErrTooMuch        = errors.New("records ask for too much work")       // §11.1: permerror
)

// Error says where a check ended without a verdict.
type Error struct {
	Domain string // whose record; "" when there was no domain
	Term   string // as the record spells it, clipped; "" for the record as a whole
	Err    error  // wraps one of the sentinels, or a resolver's error
}

func (e *Error) Error() string {
	var s strings.Builder
	s.WriteString("spf: ")
	// The resolver's error names the question already.
	if q := (*resolve.Error)(nil); e.Domain != "" && (e.Term != "" || !errors.As(e.Err, &q)) {
		s.WriteString(printable(e.Domain) + ": ")
	}
	if e.Term != "" {
		fmt.Fprintf(&s, "%q: ", e.Term)
	}
	return s.String() + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// maxShown bounds a term or a record in an error, a trace or Result.Mechanism.
const maxShown = 255

// clip bounds text of the sender's that we show.
func clip(s string) string {
	if len(s) > maxShown {
		return s[:maxShown-3] + "..."
	}
	return s
}

// printable makes a name that macros have built fit for a log line.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '?'
		}
		return r
	}, clip(s))
}

// syntaxError names what is wrong and where the grammar says so.
func syntaxError(section, format string, args ...any) error {
	return fmt.Errorf("%w: %s, RFC 7208 §%s", ErrSyntax, fmt.Sprintf(format, args...), section)
}

package siege

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/auth/spf"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/test/growth"
)

// reader is something that reads hostile text, with the worst text that we know
// for it. At x=4 the text is as long as the limits let it be, or longer.
type reader struct {
	name string
	work growth.Work
}

// readers are all of them; what stands beside a wire or a file of its own has a
// test like this in its package.
func readers(t testing.TB) []reader {
	return slices.Concat(fieldReaders(), authorReaders(), resultReaders(), signatureReaders(t), recordReaders(t), messageReaders(t))
}

// TestGrowth: nothing that reads hostile text takes more than linear time.
func TestGrowth(t *testing.T) {
	// What a session's goroutine may do for one message between two frames
	// (docs/decisions/0015); `make hostile` measures a message as a whole.
	const few = 25 * time.Millisecond
	for _, r := range readers(t) {
		t.Run(r.name, func(t *testing.T) {
			took := growth.Check(t, r.work)
			t.Logf("at the limit: %v", took)
			// A pattern of the administrator's costs what it costs.
			if *full && !raceEnabled && took > few && !strings.HasPrefix(r.name, "policy.") {
				t.Errorf("took %v at its limit, want at most %v", took, few)
			}
		})
	}
}

func BenchmarkGrowth(b *testing.B) {
	for _, r := range readers(b) {
		for _, x := range []int{1, 2, 4} {
			b.Run(fmt.Sprintf("%s/%dx", r.name, x), func(b *testing.B) {
				f := r.work(x)
				for b.Loop() {
					f()
				}
			})
		}
	}
}

// The limits of a message; a quarter of them, or a little less, so that four
// times it is within, is where growth begins.
var (
	limits    = config.Default().Limits
	fieldUnit = int(limits.FieldSize)/4 - 100
	unit      = int(limits.HeaderSize) / 4
	countUnit = limits.HeaderFields / 4
)

// fill repeats s up to n bytes.
func fill(s string, n int) string { return strings.Repeat(s, n/len(s)) }

// reading is the work of a function for a field's value made of a head and a
// repeated piece.
func reading(head, piece, tail string, read func(string)) growth.Work {
	return func(x int) func() {
		s := head + fill(piece, fieldUnit*x) + tail
		return func() { read(s) }
	}
}

// many repeats a field as often as the limits let it, up to a whole header section.
func many(read func(header.Fields), f func(i int) header.Field) growth.Work {
	return func(x int) func() {
		h := header.Fields{{Name: "From", Value: " a@b.example"}}
		for size := 0; len(h) < countUnit*x; {
			next := f(len(h))
			if size += next.Len(); size > (unit-100)*x {
				break
			}
			h = append(h, next)
		}
		return func() { read(h) }
	}
}

var ownIDs = []string{"mx.ours.example", "mx2.ours.example"}

// fieldReaders read one field of any name.
func fieldReaders() []reader {
	claims := func(s string) { auth.ClaimsID(s, ownIDs) }
	hides := func(s string) { auth.HidesResults(header.Field{Name: "X", Value: s}, ownIDs) }
	hidden := func(s string) {
		header.Field{Name: "X", Value: s}.HiddenCalled(func(name string) bool { return name == "Y" })
	}
	return []reader{
		{"header.Unfold of folds", reading("", "\r\n x", "", func(s string) { _ = header.Unfold(s) })},
		{"header.Unfold of blanks", reading("", " ", "x", func(s string) { _ = header.Unfold(s) })},
		{"header.Visible", reading("", "\x01é", "", func(s string) { _ = header.Visible(s) })},
		{"header.Hidden of fields", reading("", "\rX:", "", hidden)},
		{"header.Hidden of folds", reading("\rY:", "\r\n x", "", hidden)},
		{"header.Hidden of line ends", reading("x\rY:", "\r\n", "x", hidden)},
		{"auth.IsAuthResults", reading("Authentication-", "\x01", "Results", func(s string) { _ = auth.IsAuthResults(s) })},
		{"auth.ClaimsID of comments", reading("", "(", "", claims)},
		{"auth.ClaimsID of pairs in comments", reading("(", `\)`, "", claims)},
		{"auth.ClaimsID of closed comments", reading("", "(()) ", "", claims)},
		{"auth.ClaimsID of quotes", reading("", `"a"`, "", claims)},
		{"auth.ClaimsID of quotes in quotes", reading(`"`, `\"`, "", claims)},
		{"auth.ClaimsID of NUL", reading("x", "\x00", "", claims)},
		{"auth.ClaimsID of U-labels", reading("", "ü.", "", claims)},
		{"auth.ClaimsID of one U-label", reading("", "ü", "", claims)},
		{"auth.ClaimsID of digits", reading("x ", "0", "1", claims)},
		{"auth.HidesResults of fields", reading("", "\rX:", "", hides)},
		{"auth.HidesResults of others' results", reading("", "\rAuthentication-Results:x;", "", hides)},
		{"auth.HidesResults of NUL", reading("", "\rAuthentication-Results:x\x00;", "", hides)},
		{"auth.HidesResults of long names", reading("", "\rAuthentication-\x01Results\x01x:", "", hides)},
		{"auth.HidesResults of one result", reading("\rAuthentication-Results:", "\r\n (", "", hides)},
		{"auth.HidesResults of plain text", reading("", "text\r\n ", "", hides)},
	}
}

// resultReaders read a whole header section, or write what it says.
func resultReaders() []reader {
	indirect := func(h header.Fields) {
		auth.Indirect(h, &auth.Envelope{MailFrom: "a@b.example"}, nil, []dkim.Result{{Status: dkim.Pass, Domain: "c.example"}})
	}
	long := strings.Repeat("x", fieldUnit)
	format := func(s string) {
		var rs []dkim.Result
		for range 20 {
			rs = append(rs, dkim.Result{Status: dkim.Fail, Domain: s, AUID: s, Selector: s, Algorithm: s, Signature: s, Err: fmt.Errorf("x %s", s[:min(len(s), 4000)])})
		}
		auth.FormatResults("mx.ours.example", auth.Results{DKIM: rs, DKIMRan: true, SPF: &spf.Result{Status: spf.Fail, Mechanism: s, Domain: s}}, nil)
	}
	return []reader{
		{"auth.Indirect of ARC sets", many(indirect, func(i int) header.Field {
			return header.Field{Name: []string{"ARC-Seal", "ARC-Message-Signature", "ARC-Authentication-Results"}[i%3], Value: " " + strings.Repeat("\r\n ;", 200) + "i=1"}
		})},
		{"auth.Indirect of ARC tags", many(indirect, func(int) header.Field {
			return header.Field{Name: "ARC-Seal", Value: strings.Repeat("\r\n ", 2000) + "x"}
		})},
		{"auth.Indirect of lists", many(indirect, func(i int) header.Field { return header.Field{Name: "List-Id", Value: " <" + longName(i) + ">"} })},
		{"auth.Indirect of posts", many(indirect, func(i int) header.Field {
			return header.Field{Name: "List-Post", Value: " <mailto:" + strings.Repeat("<mailto:", 100) + "@" + longName(i)}
		})},
		{"auth.Indirect of deliveries", many(indirect, func(int) header.Field {
			return header.Field{Name: "Delivered-To", Value: strings.Repeat("<", 500) + long[:100]}
		})},
		{"auth.Indirect of other fields", many(indirect, func(int) header.Field { return header.Field{Name: "X", Value: "x"} })},
		{"auth.FormatResults", reading("", "dmarc=", "", format)},
		{"auth.FormatResults of blanks", reading("dmarc", " ", "=", format)},
		{"auth.FormatResults of quotes", reading("", `"\`, "", format)},
		{"auth.FormatResults of bytes", reading("", "\xff", "", format)},
	}
}

// longName is a name of U-labels as long as one is looked at, another for each i.
func longName(i int) string {
	label := []rune{}
	for j := range 125 {
		label = append(label, rune(0xe0+(i+j*j)%0x100))
	}
	return fmt.Sprintf("%s%d.%s.%s.%s", string(label[:120]), i, string(label), string(label), string(label[:110]))
}

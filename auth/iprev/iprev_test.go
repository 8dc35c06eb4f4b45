package iprev

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

const zone = `
192.0.2.1           PTR  Mail.Good.example.
mail.good.example   A    192.0.2.1
2001:db8::1         PTR  six.good.example
six.good.example    AAAA 2001:db8::1
six.good.example    A    !servfail              # the other family is not asked
192.0.2.2           PTR  other.example
other.example       A    192.0.2.99
192.0.2.3           PTR  gone.example
192.0.2.4           PTR  v6only.example
v6only.example      AAAA 2001:db8::4
192.0.2.5           PTR  !timeout
192.0.2.6           PTR  slow.example
slow.example        A    !servfail
192.0.2.7           PTR  slow.example           # an open question before the match
192.0.2.7           PTR  seven.example
seven.example       A    192.0.2.7
192.0.2.8           PTR  slow.example           # ... and before a mismatch
192.0.2.8           PTR  other.example
192.0.2.9           PTR  "bad name!"
192.0.2.10          PTR  alias.example
alias.example       CNAME ten.example
ten.example         A    192.0.2.10
192.0.2.11          PTR  twice.example
192.0.2.11          PTR  TWICE.example
`

func TestCheck(t *testing.T) {
	tests := []struct {
		name, ip string
		want     Status
		host     string
		names    []string
		err      error
		text     string
	}{
		{name: "pass, lower case", ip: "192.0.2.1", want: Pass, host: "mail.good.example", names: []string{"mail.good.example"}},
		{name: "mapped address is IPv4", ip: "::ffff:192.0.2.1", want: Pass, host: "mail.good.example", names: []string{"mail.good.example"}},
		{name: "IPv6 asks for AAAA only", ip: "2001:db8::1", want: Pass, host: "six.good.example", names: []string{"six.good.example"}},
		{name: "IPv6 zone is dropped", ip: "2001:db8::1%eth0", want: Pass, host: "six.good.example", names: []string{"six.good.example"}},
		{name: "CNAME is followed", ip: "192.0.2.10", want: Pass, host: "alias.example", names: []string{"alias.example"}},
		{name: "other address", ip: "192.0.2.2", want: Fail, names: []string{"other.example"}, err: ErrNoMatch,
			text: "iprev: no PTR name leads back to the address: other.example"},
		{name: "name does not exist", ip: "192.0.2.3", want: Fail, names: []string{"gone.example"}, err: ErrNoMatch},
		{name: "name of the other family", ip: "192.0.2.4", want: Fail, names: []string{"v6only.example"}, err: ErrNoMatch},
		{name: "no PTR", ip: "203.0.113.1", want: PermError, err: ErrNoName, text: "iprev: the address has no PTR record"},
		{name: "PTR times out", ip: "192.0.2.5", want: TempError, err: resolve.ErrTemporary},
		{name: "forward SERVFAIL", ip: "192.0.2.6", want: TempError, names: []string{"slow.example"}, err: resolve.ErrTemporary},
		{name: "a match beats an open question", ip: "192.0.2.7", want: Pass, host: "seven.example", names: []string{"slow.example", "seven.example"}},
		{name: "an open question beats a mismatch", ip: "192.0.2.8", want: TempError, names: []string{"slow.example", "other.example"}, err: resolve.ErrTemporary},
		{name: "no host name", ip: "192.0.2.9", want: Fail, err: ErrBadNames},
		{name: "one name twice is one name", ip: "192.0.2.11", want: Fail, names: []string{"twice.example"}, err: ErrNoMatch},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := Checker{Resolver: resolve.MustZone(zone)}
			ip := netip.MustParseAddr(tt.ip)
			got := c.Check(t.Context(), ip)
			want := Result{Status: tt.want, IP: ip.Unmap().WithZone(""), Name: tt.host, Names: tt.names, Err: got.Err}
			if d := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
				cmp.Comparer(func(a, b error) bool { return errors.Is(a, b) })); d != "" {
				t.Error(d)
			}
			if !errors.Is(got.Err, tt.err) || (got.Err == nil) != (tt.want == Pass) {
				t.Errorf("error %v, want %v", got.Err, tt.err)
			}
			if tt.text != "" && got.Err.Error() != tt.text {
				t.Errorf("error text %q, want %q", got.Err, tt.text)
			}
		})
	}
}

// TestLimit: RFC 7208 §4.6.4, which RFC 8601 §3 cites, has ten.
func TestLimit(t *testing.T) {
	var s strings.Builder
	for i := range 40 {
		fmt.Fprintf(&s, "192.0.2.1 PTR n%d.example\n192.0.2.3 PTR n%d.example\n", i, i)
	}
	for i := range 10 {
		fmt.Fprintf(&s, "192.0.2.4 PTR n%d.example\n", i)
	}
	s.WriteString("n9.example A 192.0.2.1\nn10.example A 192.0.2.3\n")
	for _, tt := range []struct {
		name, ip   string
		max, asked int
		want       Status
		text       string // in the error
	}{
		{"the tenth leads back", "192.0.2.1", 0, 1 + 10, Pass, ""},
		{"the eleventh leads back", "192.0.2.3", 0, 1 + 10, Fail, "the first 10 were asked"},
		{"ten, and none leads back", "192.0.2.4", 0, 1 + 10, Fail, "and 7 more"},
		{"a limit of nine", "192.0.2.1", 9, 1 + 9, Fail, "the first 9 were asked"},
		{"a limit of eleven", "192.0.2.3", 11, 1 + 11, Pass, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			z := resolve.MustZone(s.String())
			c := Checker{Resolver: z, MaxNames: tt.max}
			r := c.Check(t.Context(), netip.MustParseAddr(tt.ip))
			if r.Status != tt.want || len(z.Asked()) != tt.asked || !strings.Contains(fmt.Sprint(r.Err), tt.text) {
				t.Errorf("%s (%v) after %d questions, want %s after %d", r.Status, r.Err, len(z.Asked()), tt.want, tt.asked)
			}
		})
	}
}

func TestNoAddress(t *testing.T) {
	z := resolve.MustZone(zone)
	r := (&Checker{Resolver: z}).Check(t.Context(), netip.Addr{})
	if r.Status != PermError || !errors.Is(r.Err, ErrNoAddress) || len(z.Asked()) != 0 {
		t.Errorf("%+v, asked %v", r, z.Asked())
	}
}

func TestEndOfContextIsTemporary(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := (&Checker{Resolver: resolve.MustZone(zone)}).Check(ctx, netip.MustParseAddr("192.0.2.1"))
	if r.Status != TempError {
		t.Errorf("%+v", r)
	}
}

// FuzzNames: whatever the owner of an address writes into its PTR records,
// names that come out are host names, and only a name that leads back passes.
func FuzzNames(f *testing.F) {
	f.Add("good.example", "good.example")
	f.Add("bad name\x00", "..")
	f.Add(strings.Repeat("a.", 200), "münchen.example")
	f.Fuzz(func(t *testing.T, a, b string) {
		z := resolve.MustZone("good.example A 192.0.2.1")
		for _, n := range []string{a, b} {
			if err := z.Add("192.0.2.1", "PTR", n); err != nil {
				t.Skip()
			}
		}
		r := (&Checker{Resolver: z}).Check(t.Context(), netip.MustParseAddr("192.0.2.1"))
		for _, n := range r.Names {
			if c, err := resolve.CanonicalName(n); err != nil || c != n {
				t.Errorf("name %q", n)
			}
		}
		if pass := slices.Contains(r.Names, "good.example"); pass != (r.Status == Pass) {
			t.Errorf("%+v", r)
		}
	})
}

package authoritative

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/dnsclient"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a table of what the resolver and each server say.
type world struct {
	*resolve.Zone                   // the resolver's view, NS apart
	ns            map[string]string // zone -> its servers
	at            map[string]string // "192.0.2.1 name" -> TEXT, "-", "-> target", "lame", "fail", "panic"
	nsFails       map[string]bool   // zones whose NS the resolver cannot tell
	mu            sync.Mutex
	asked         []string
}

func (w *world) LookupNS(_ context.Context, name string) (resolve.Answer[string], error) {
	if w.nsFails[name] {
		return resolve.Answer[string]{}, &resolve.Error{Type: "NS", Name: name, Err: resolve.ErrTemporary}
	}
	if hosts := strings.Fields(w.ns[name]); len(hosts) > 0 {
		return resolve.Answer[string]{Records: hosts}, nil
	}
	return resolve.Answer[string]{}, resolve.ErrNoData
}

func (w *world) ask(_ context.Context, to netip.AddrPort, name string, recurse bool) (dnsclient.Said, error) {
	w.mu.Lock()
	w.asked = append(w.asked, fmt.Sprintf("%s %s %v", to, name, recurse))
	w.mu.Unlock()
	text, ok := w.at[to.Addr().String()+" "+name]
	target, alias := strings.CutPrefix(text, "-> ")
	switch {
	case !ok, text == "fail":
		return dnsclient.Said{}, fmt.Errorf("%w: no answer in time", resolve.ErrTemporary)
	case text == "panic":
		panic("made by the test")
	case text == "lame":
		return dnsclient.Said{Records: []string{"good"}}, nil
	case text == "-":
		return dnsclient.Said{Authoritative: true}, nil
	case alias:
		return dnsclient.Said{Alias: target, Authoritative: true}, nil
	}
	return dnsclient.Said{Records: []string{text}, Authoritative: true}, nil
}

const zone = `
ns1.example.net A 203.0.113.1
ns1.example.net AAAA 2001:db9::1
ns2.example.net A 203.0.113.2
ns.hoster.example A 203.0.113.9
inside.example.net A 127.0.0.1
inside.example.net A 10.0.0.1
inside.example.net A 100.64.0.1
inside.example.net AAAA ::1
inside.example.net AAAA ::ffff:127.0.0.1
`

func good(records []string) bool { return slices.Equal(records, []string{"good"}) }

const (
	key  = "s1._domainkey.example.com"
	goal = "s1.customer.hoster.example"
)

func TestVerdict(t *testing.T) {
	two := map[string]string{"example.com": "ns2.example.net ns1.example.net", "hoster.example": "ns.hoster.example", "com": "gtld.example"}
	for title, tc := range map[string]struct {
		ns    map[string]string
		fails string // zone whose NS fails
		zone  string // more of the resolver's view
		at    string // lines "ADDRESS NAME TEXT"
		via   string
		want  Verdict
		text  string // somewhere in the result's errors
	}{
		"all show it":            {at: "203.0.113.1 K good\n2001:db9::1 K good\n203.0.113.2 K good", want: Shown},
		"one does not":           {at: "203.0.113.1 K good\n2001:db9::1 K good\n203.0.113.2 K -", want: Missing},
		"one address does not":   {at: "203.0.113.1 K good\n2001:db9::1 K -\n203.0.113.2 K good", want: Missing},
		"one has another":        {at: "203.0.113.1 K good\n203.0.113.2 K old", want: Missing},
		"one address is silent":  {at: "203.0.113.1 K good\n203.0.113.2 K good", want: Shown},
		"one server is silent":   {at: "203.0.113.1 K good\n2001:db9::1 K good", want: Unknown, text: "no answer in time"},
		"one silent, one not":    {at: "203.0.113.1 K -", want: Missing},
		"one lame":               {at: "203.0.113.1 K good\n203.0.113.2 K lame", want: Unknown, text: "no server of this zone"},
		"none answers":           {zone: key + " TXT good", want: Shown},
		"none answers, old":      {zone: key + " TXT old", want: Missing},
		"none answers, none":     {want: Missing}, // the resolver says NXDOMAIN
		"nobody answers":         {zone: key + " TXT !servfail", want: Unknown, text: "temporary"},
		"one has it, one a zone": {at: "203.0.113.1 K good\n203.0.113.2 K good", fails: "_domainkey.example.com", want: Shown},
		"resolver knows no zone": {ns: map[string]string{"org": "x"}, zone: key + " TXT good", want: Shown, text: "no name servers"},

		"alias":                     {at: "203.0.113.1 K -> T\n203.0.113.2 K -> T\n203.0.113.9 T good", want: Shown},
		"alias at one server only":  {at: "203.0.113.1 K -> T\n203.0.113.2 K -\n203.0.113.9 T good", want: Missing},
		"alias, not at its target":  {at: "203.0.113.1 K -> T\n203.0.113.2 K -> T\n203.0.113.9 T -", want: Missing},
		"alias, target silent":      {at: "203.0.113.1 K -> T\n203.0.113.2 K -> T", zone: key + " TXT good", want: Shown},
		"alias and record":          {at: "203.0.113.1 K -> T\n203.0.113.2 K good\n203.0.113.9 T old", want: Missing},
		"alias of itself":           {at: "203.0.113.1 K -> K\n203.0.113.2 K -> K", zone: key + " TXT !servfail", want: Unknown},
		"alias to no zone":          {at: "203.0.113.1 K -> a.invalid\n203.0.113.2 K good", want: Unknown, text: "no name servers of a.invalid"},
		"alias to what is no name":  {at: "203.0.113.1 K -> a..b\n203.0.113.2 K good", want: Unknown, text: "no name servers"},
		"a panic is a server's own": {at: "203.0.113.1 K panic\n203.0.113.2 K good", want: Unknown, text: "panic: made by the test"},
		"inside addresses do not count": {ns: map[string]string{"example.com": "ns2.example.net inside.example.net none.example.net"},
			at: "127.0.0.1 K -\n10.0.0.1 K -\n203.0.113.2 K good", want: Shown, text: "not an address of the world"},
		"inside addresses only": {ns: map[string]string{"example.com": "inside.example.net"},
			at: "127.0.0.1 K -\n10.0.0.1 K -", zone: key + " TXT good", want: Shown},
		"address unknown": {ns: map[string]string{"example.com": "ns2.example.net dark.example.net"}, zone: "dark.example.net A !servfail\ndark.example.net AAAA !servfail",
			at: "203.0.113.2 K good", want: Unknown, text: "temporary"},

		"via":                  {via: "127.0.0.1:5353", at: "127.0.0.1 K good\n203.0.113.1 K -", want: Shown},
		"via a resolver":       {via: "127.0.0.1:5353", at: "127.0.0.1 K lame", want: Shown},
		"via an alias":         {via: "127.0.0.1:5353", at: "127.0.0.1 K -> T\n127.0.0.1 T good", want: Shown},
		"via says no":          {via: "127.0.0.1:5353", at: "127.0.0.1 K -", zone: key + " TXT good", want: Missing},
		"via is silent":        {via: "127.0.0.1:5353", zone: key + " TXT good", want: Unknown, text: "no answer in time"},
		"one of via is silent": {via: "127.0.0.1:5353 [::1]:53", at: "::1 K good", want: Unknown},
		"address known to be none in one family": {ns: map[string]string{"example.com": "ns2.example.net dark.example.net"}, zone: "dark.example.net AAAA !servfail",
			at: "203.0.113.2 K good", want: Unknown, text: "AAAA dark.example.net"},
		"no zone, and why": {ns: map[string]string{"org": "x"}, fails: "example.com", zone: key + " TXT !servfail", want: Unknown, text: "NS example.com"},
	} {
		t.Run(title, func(t *testing.T) {
			z, err := resolve.ParseZone(zone + tc.zone)
			if err != nil {
				t.Fatal(err)
			}
			w := &world{Zone: z, ns: two, at: map[string]string{}, nsFails: map[string]bool{tc.fails: true}}
			if tc.ns != nil {
				w.ns = tc.ns
			}
			for line := range strings.Lines(strings.NewReplacer("K", key, "T", goal).Replace(tc.at)) {
				addr, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
				name, text, _ := strings.Cut(rest, " ")
				w.at[addr+" "+name] = text
			}
			c := &Checker{Resolver: w, Ask: w.ask}
			for _, v := range strings.Fields(tc.via) {
				c.Via = append(c.Via, netip.MustParseAddrPort(v))
			}
			r := c.TXT(t.Context(), "S1._domainkey.Example.com.")
			if got := r.Verdict(good); got != tc.want {
				t.Errorf("%s, want %s: %+v", got, tc.want, r)
			}
			if all := whatFailed(r); tc.text != "" && !strings.Contains(all, tc.text) {
				t.Errorf("errors %q, want %q", all, tc.text)
			}
			for _, q := range w.asked {
				if to, _, _ := strings.Cut(q, " "); tc.via == "" && !strings.HasSuffix(to, ":53") || strings.HasSuffix(q, "true") != (tc.via != "") {
					t.Errorf("asked %s", q)
				}
			}
		})
	}
}

func whatFailed(r Result) string {
	errs := []error{r.Err}
	for _, a := range r.Answers {
		errs = append(errs, a.Err)
	}
	if r.Resolver != nil {
		errs = append(errs, r.Resolver.Err)
	}
	return fmt.Sprint(errors.Join(errs...))
}

// Servers on this host and in its network are asked when the configuration says
// so, and then only.
func TestInsideAddresses(t *testing.T) {
	w := &world{Zone: resolve.MustZone(zone), ns: map[string]string{"example.com": "inside.example.net"}, at: map[string]string{}}
	c := &Checker{Resolver: w, Ask: w.ask, Port: 5353}
	c.TXT(t.Context(), key)
	if len(w.asked) > 0 {
		t.Errorf("asked %s", w.asked)
	}
	c.Allow = netip.Addr.IsLoopback
	w.at["127.0.0.1 "+key] = "good"
	if r := c.TXT(t.Context(), key); r.Verdict(good) != Shown || !slices.Contains(w.asked, "127.0.0.1:5353 "+key+" false") {
		t.Errorf("asked %s, %+v", w.asked, r)
	}
}

// However many servers, addresses and aliases an owner makes up, a look-up has its
// bounds, and says that it stopped.
func TestBounds(t *testing.T) {
	var b strings.Builder
	var hosts []string
	for i := range 40 {
		hosts = append(hosts, fmt.Sprintf("ns%02d.example.net", i))
		for j := range 20 {
			fmt.Fprintf(&b, "ns%02d.example.net A 203.0.%d.%d\nns%02d.example.net AAAA 2001:db9::%x:%x\n", i, i, j, i, i, j)
		}
	}
	w := &world{Zone: resolve.MustZone(b.String()), ns: map[string]string{"example.com": strings.Join(hosts, " ")}}
	endless := 0
	c := &Checker{Resolver: w}
	var mu sync.Mutex
	c.Ask = func(context.Context, netip.AddrPort, string, bool) (dnsclient.Said, error) {
		mu.Lock()
		defer mu.Unlock()
		endless++
		return dnsclient.Said{Records: []string{"good"}, Authoritative: true}, nil
	}
	if r := c.TXT(t.Context(), key); endless != maxHosts*2*maxAddresses || r.Verdict(good) != Shown {
		t.Errorf("%d questions to one zone, %v", endless, r.Err)
	}
	endless = 0
	w.ns = map[string]string{"example.com": "ns01.example.net ns01.example.net"}
	if c.TXT(t.Context(), key); endless != 2*maxAddresses {
		t.Errorf("%d questions to a server that is named twice", endless)
	}
	w.ns = map[string]string{"example.com": strings.Join(hosts, " ")}
	endless = 0
	c.Ask = func(context.Context, netip.AddrPort, string, bool) (dnsclient.Said, error) {
		mu.Lock()
		defer mu.Unlock()
		endless++
		return dnsclient.Said{Alias: fmt.Sprintf("a%d.example.com", endless), Authoritative: true}, nil
	}
	if r := c.TXT(t.Context(), key); endless > maxQuestions || r.Verdict(good) == Shown || !errors.Is(r.Err, errQuestions) {
		t.Errorf("%d questions about aliases without end, %v", endless, r.Err)
	}
	endless = 0
	w.ns = map[string]string{"example.com": "ns01.example.net"}
	c.Via = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:53")}
	if r := c.TXT(t.Context(), key); endless != maxAliases+1 || r.Verdict(good) != Unknown || !strings.Contains(fmt.Sprint(r.Err), "more than 8 aliases") {
		t.Errorf("%d questions along a chain, %v", endless, r.Err)
	}
	c.Via = slices.Repeat(c.Via, 100)
	endless = 0
	c.Ask = func(context.Context, netip.AddrPort, string, bool) (dnsclient.Said, error) {
		mu.Lock()
		defer mu.Unlock()
		endless++
		return dnsclient.Said{Authoritative: true}, nil
	}
	if c.TXT(t.Context(), key); endless != maxVia {
		t.Errorf("%d questions to 100 servers", endless)
	}
	if r := c.TXT(t.Context(), strings.Repeat("a", 64)+".example"); r.Err == nil || r.Verdict(good) != Unknown {
		t.Errorf("a name that is none: %+v", r)
	}
}

func TestAnswerString(t *testing.T) {
	for want, a := range map[string]Answer{
		"ns1.example.net (203.0.113.1)": {Server: "ns1.example.net", Addr: netip.MustParseAddrPort("203.0.113.1:53")},
		"ns1.example.net":               {Server: "ns1.example.net"},
		"127.0.0.1:5353":                {Server: "127.0.0.1:5353", Addr: netip.MustParseAddrPort("127.0.0.1:5353")},
	} {
		if got := a.String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

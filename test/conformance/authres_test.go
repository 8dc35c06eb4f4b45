package conformance

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/dmarc"
	"github.com/sealmilter/sealmilter/auth/iprev"
	"github.com/sealmilter/sealmilter/auth/spf"
)

// parsedField is what python3-authres reads in a field.
type parsedField struct {
	ID      string         `json:"id"`
	Results []parsedResult `json:"results"`
	Err     string         `json:"err"`
}

type parsedResult struct {
	Method     string            `json:"method"`
	Result     string            `json:"result"`
	Reason     string            `json:"reason"`
	Properties map[string]string `json:"properties"`
}

func startAuthres(t *testing.T) func(value string) parsedField {
	t.Helper()
	p := needProgram(t, "python3-authres", "/usr/bin/python3", "-c", "import authres", "results.py")
	return func(value string) parsedField {
		var f parsedField
		if err := p.ask(map[string]string{"op": "parse"}, "Authentication-Results:"+value+"\r\n", &f); err != nil {
			t.Fatal(err)
		}
		return f
	}
}

const resultsID = "mx.example.org"

// TestAuthresExamples: what we write for the results of RFC 8601 Appendix B
// reads as the RFC's own field, as far as they are methods of ours.
func TestAuthresExamples(t *testing.T) {
	parse := startAuthres(t)
	pass := func(domain string) *spf.Result {
		return &spf.Result{Status: spf.Pass, Identity: spf.MailFrom, Domain: domain}
	}
	for name, tc := range map[string]struct {
		rfc string
		r   auth.Results
		id  string
	}{
		"B.2": {" example.org 1; none", auth.Results{}, "example.org"},
		"B.3": {" example.com;\r\n          spf=pass smtp.mailfrom=example.net", auth.Results{SPF: pass("example.net")}, "example.com"},
		"B.4": {" example.com; iprev=pass\r\n          policy.iprev=192.0.2.200;\r\n          spf=pass smtp.mailfrom=example.net",
			auth.Results{SPF: pass("example.net"), IPRev: &iprev.Result{Status: iprev.Pass, IP: netip.MustParseAddr("192.0.2.200")}}, "example.com"},
		"B.5": {" example.com;\r\n          dkim=pass (good signature) header.d=example.com",
			auth.Results{DKIMRan: true, DKIM: []dkim.Result{{Status: dkim.Pass, Domain: "example.com"}}}, "example.com"},
		"B.5, the other MTA": {" example.com;\r\n          spf=fail smtp.mailfrom=example.com",
			auth.Results{SPF: &spf.Result{Status: spf.Fail, Identity: spf.MailFrom, Domain: "example.com"}}, "example.com"},
		"B.6": {" example.com;\r\n      dkim=pass\r\n        header.i=@mail-router.example.net;\r\n      dkim=fail reason=\"bad signature\"\r\n        header.i=@newyork.example.com",
			auth.Results{DKIMRan: true, DKIM: []dkim.Result{{Status: dkim.Pass, AUID: "@mail-router.example.net"},
				{Status: dkim.Fail, AUID: "@newyork.example.com", Err: errors.New("bad signature")}}}, "example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			want, got := parse(tc.rfc), parse(auth.FormatResults(tc.id, tc.r, nil))
			if want.Err != "" || want.ID != tc.id {
				t.Fatalf("the RFC's field: %+v", want)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestAuthresReadsOurs: whatever stands in a message and in the DNS, a foreign
// parser reads in our field what we meant to say.
func TestAuthresReadsOurs(t *testing.T) {
	parse := startAuthres(t)
	for n := range messages(t) {
		m := maker{newRand(messageSeed, uint64(n)<<8|3)}
		r, want := m.results()
		value := auth.FormatResults(resultsID, r, nil)
		got := parse(value)
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("result %d: %s\n%q", n, d, value)
		}
	}
}

// hostile makes a text that a sender controls, and how it reads in a property or
// reason of at most limit characters.
func (m maker) hostile(limit int) (text, reads string) {
	text = pick(m, "example.com", "a.b.c.example", "xn--bcher-kva.example", "s1", "20261122", "rsa-sha256", "mail.example.com; dmarc=pass", "a b", `"`, `\`, `a\"b`, "(x", "x)",
		"a=b", "a/b", "k\u00f6ln", "\u4f60", "\xff", "x\r\nX-Evil: 1", "x\r\n y", "tab\there", "\x00", "a,b;c", "<a@b>", "@", "@x", "a@b@c", "[192.0.2.1]", "2001:db8::1",
		"a@example.com", "@example.com", "no reason=\"x\"", strings.Repeat("long.", 80), strings.Repeat(`\"`, 200), ".", "-", "=", "==", " ", "  two  spaces  ")
	switch m.IntN(4) {
	case 0:
		text += m.words(3)
	case 1: // the tspecials of RFC 2045 §5.1 one by one, and what is none
		special := `()<>@,;:\"/[]?= .-!#$%&'*+^_{|}~`
		text = "a" + string(special[m.IntN(len(special))]) + "b"
	}
	var b strings.Builder
	for _, c := range text { // RFC 8601 §2.2: US-ASCII; a bad byte counts as one character
		if b.Len() == limit {
			break
		}
		switch {
		case c == '\t' || c == '\r' || c == '\n':
			c = ' '
		case c < ' ' || c > '~':
			c = '?'
		}
		b.WriteRune(c)
	}
	// What reads like a result to a filter that parses no quotes is made no result.
	return text, strings.ReplaceAll(b.String(), "dmarc=", "dmarc?")
}

// results makes up what the checks found, and what a parser should read.
func (m maker) results() (auth.Results, parsedField) {
	want := parsedField{ID: resultsID}
	var r auth.Results
	add := func(method, result string, props ...string) {
		p := parsedResult{Method: method, Result: result, Properties: map[string]string{}}
		for i := 0; i < len(props); i += 2 {
			value, last := props[i+1], true
			for j := i + 3; j < len(props); j += 2 {
				last = last && props[j] == ""
			}
			// python3-authres loses a quoted-string that another property follows
			// (docs/decisions/0011), and leaves the escapes of one that it reads.
			if value == "" || !last && quoted(value) {
				continue
			}
			p.Properties[props[i]] = escaped(value)
		}
		want.Results = append(want.Results, p)
	}
	reason := func() error {
		text, reads := m.hostile(120)
		want.Results[len(want.Results)-1].Reason = escaped(reads)
		return errors.New(text)
	}
	if m.sometimes(2) {
		ip := pick(m, netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"))
		r.IPRev = &iprev.Result{Status: pick(m, iprev.Pass, iprev.Fail, iprev.TempError, iprev.PermError), IP: ip}
		add("iprev", string(r.IPRev.Status), "policy.iprev", ip.String())
		if r.IPRev.Status != iprev.Pass {
			r.IPRev.Err = reason()
		}
	}
	if m.sometimes(2) {
		domain, reads := m.hostile(255)
		r.SPF = &spf.Result{Status: pick(m, spf.None, spf.Neutral, spf.Pass, spf.Fail, spf.SoftFail, spf.TempError, spf.PermError), Identity: pick(m, spf.MailFrom, spf.Helo), Domain: domain}
		add("spf", string(r.SPF.Status), map[spf.Identity]string{spf.MailFrom: "smtp.mailfrom", spf.Helo: "smtp.helo"}[r.SPF.Identity], reads)
		if r.SPF.Status != spf.Pass {
			r.SPF.Err = reason()
		}
	}
	if r.DKIMRan = m.sometimes(2); r.DKIMRan {
		for i := range m.IntN(4) {
			d := dkim.Result{Status: pick(m, dkim.Pass, dkim.Fail, dkim.Policy, dkim.Neutral, dkim.TempError, dkim.PermError)}
			var domain, selector, algorithm string
			d.Domain, domain = m.hostile(255)
			d.Selector, selector = m.hostile(255)
			d.Algorithm, algorithm = m.hostile(255)
			d.Signature = fmt.Sprintf("%d/+%x==", i, m.Uint64()) // they differ within eight characters
			// RFC 8601 §2.7.1: the local-part only when the signature vouches for it.
			agent := pick(m, "", "@example.com", "@news.example.com")
			if d.AUID = agent; agent != "" && m.sometimes(2) {
				d.AUID = "joe" + agent
				if d.Status == dkim.Pass {
					agent = d.AUID
				}
			}
			add("dkim", string(d.Status), "header.d", domain, "header.i", agent, "header.s", selector, "header.a", algorithm, "header.b", d.Signature[:8])
			if d.Status != dkim.Pass {
				d.Err = reason()
			}
			r.DKIM = append(r.DKIM, d)
		}
		if len(r.DKIM) == 0 {
			add("dkim", "none")
		}
	}
	if m.sometimes(2) {
		domain, reads := m.hostile(255)
		r.DMARC = &dmarc.Result{Status: pick(m, dmarc.None, dmarc.Pass, dmarc.Fail, dmarc.TempError, dmarc.PermError), AuthorDomain: domain,
			Policy: pick(m, dmarc.PolicyNone, dmarc.PolicyQuarantine, dmarc.PolicyReject)}
		add("dmarc", string(r.DMARC.Status), "header.from", reads, "policy.dmarc", string(r.DMARC.Policy))
		if r.DMARC.Status != dmarc.Pass {
			r.DMARC.Err = reason()
		}
	}
	if want.Results == nil {
		want.Results = []parsedResult{}
	}
	return r, want
}

// quoted reports whether a value has to be a quoted-string: it is no token
// (RFC 2045 §5.1) and no [ local-part ] "@" domain-name (RFC 8601 §2.2).
func quoted(s string) bool {
	return !addrSpec.MatchString(s) && strings.ContainsAny(s, ` ()<>@,;:\"/[]?=`)
}

var addrSpec = regexp.MustCompile("^(?:[\\w!#$%&'*+/=?^`{|}~-]+(?:\\.[\\w!#$%&'*+/=?^`{|}~-]+)*)?@" +
	`[0-9A-Za-z](?:[0-9A-Za-z-]*[0-9A-Za-z])?(?:\.[0-9A-Za-z](?:[0-9A-Za-z-]*[0-9A-Za-z])?)+$`)

func escaped(s string) string { return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) }

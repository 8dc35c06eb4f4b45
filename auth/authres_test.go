package auth

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/dmarc"
	"github.com/sealmilter/sealmilter/auth/iprev"
	"github.com/sealmilter/sealmilter/auth/spf"
)

func TestFormatResults(t *testing.T) {
	env := &Envelope{ClientIP: netip.MustParseAddr("192.0.2.1"), MailFrom: "a@example.com"}
	for name, tc := range map[string]struct {
		r    Results
		env  *Envelope
		want string // lines joined by "|"
	}{
		"nothing checked":       {Results{}, env, " mx.example.org; none"},
		"nothing, no envelope":  {Results{}, nil, " mx.example.org; none"},
		"DMARC of no one alone": {Results{DMARC: &dmarc.Result{Status: dmarc.None}}, env, " mx.example.org;|dmarc=none"},
		"all pass": {Results{
			IPRev: &iprev.Result{Status: iprev.Pass, IP: netip.MustParseAddr("192.0.2.1"), Name: "mail.example.com"},
			SPF:   &spf.Result{Status: spf.Pass, Identity: spf.MailFrom, Domain: "example.com", Mechanism: "mx"},
			DKIM: []dkim.Result{{Status: dkim.Pass, Domain: "example.com", AUID: "@example.com", Selector: "s1",
				Algorithm: "rsa-sha256", Signature: "dzdVyOfAKCdLXdJOc9G2"}},
			DKIMRan: true,
			DMARC:   &dmarc.Result{Status: dmarc.Pass, AuthorDomain: "example.com", Policy: dmarc.PolicyReject},
		}, env, " mx.example.org;|iprev=pass policy.iprev=192.0.2.1;|spf=pass smtp.mailfrom=example.com;|" +
			"dkim=pass header.d=example.com header.i=@example.com header.s=s1|header.a=rsa-sha256 header.b=dzdVyOfA;|" +
			"dmarc=pass header.from=example.com policy.dmarc=reject"},
		"all fail": {Results{
			IPRev:   &iprev.Result{Status: iprev.PermError, IP: netip.MustParseAddr("2001:db8::1"), Err: errors.New("iprev: no PTR record")},
			SPF:     &spf.Result{Status: spf.Fail, Identity: spf.MailFrom, Domain: "example.com", Mechanism: "-all"},
			DKIM:    []dkim.Result{{Status: dkim.Fail, Domain: "example.com", AUID: "kim@example.com", Selector: "s1", Algorithm: "rsa-sha256", Signature: "AB/+cd==", Err: errors.New("dkim: body hash does not match")}},
			DKIMRan: true,
			DMARC:   &dmarc.Result{Status: dmarc.Fail, AuthorDomain: "example.com", Policy: dmarc.PolicyQuarantine, Err: errors.New("no identifier authenticated")},
		}, env, ` mx.example.org;|iprev=permerror reason="no PTR record" policy.iprev="2001:db8::1";|` +
			`spf=fail reason="-all" smtp.mailfrom=example.com;|` +
			`dkim=fail reason="body hash does not match" header.d=example.com|header.i=@example.com header.s=s1 header.a=rsa-sha256|header.b="AB/+cd==";|` +
			`dmarc=fail reason="no identifier authenticated"|header.from=example.com policy.dmarc=quarantine`},
		"no signature":         {Results{DKIMRan: true}, env, " mx.example.org;|dkim=none"},
		"signatures not named": {Results{DKIMRan: true, DKIM: []dkim.Result{{Status: dkim.Policy, Err: errors.New("12 more signatures, limit 8")}}}, env, ` mx.example.org;|dkim=policy reason="12 more signatures, limit 8"`},
		"null reverse-path": {Results{SPF: &spf.Result{Status: spf.SoftFail, Identity: spf.Helo, Domain: "mta.example.com", Mechanism: "~all"}},
			&Envelope{}, ` mx.example.org;|spf=softfail reason="~all" smtp.helo=mta.example.com`},
		"null reverse-path, identity unknown": {Results{SPF: &spf.Result{Status: spf.TempError, Domain: "mta.example.com"}}, &Envelope{}, " mx.example.org;|spf=temperror smtp.helo=mta.example.com"},
		"SPF without a domain":                {Results{SPF: &spf.Result{Status: spf.None, Identity: spf.Helo, Err: errors.New("spf: HELO is no domain name")}}, &Envelope{}, ` mx.example.org;|spf=none reason="HELO is no domain name"`},
		"iprev without an address":            {Results{IPRev: &iprev.Result{Status: iprev.TempError}}, env, " mx.example.org;|iprev=temperror policy.iprev=192.0.2.1"},
		"iprev with nothing":                  {Results{IPRev: &iprev.Result{Status: iprev.TempError}}, nil, " mx.example.org;|iprev=temperror"},
		"IPv6 zone":                           {Results{IPRev: &iprev.Result{Status: iprev.Pass, IP: netip.MustParseAddr("fe80::1%eth0")}}, env, ` mx.example.org;|iprev=pass policy.iprev="fe80::1"`},
		"no author domain": {Results{Author: Author{Fields: 2, Err: errors.New("2 From fields")}, DMARC: &dmarc.Result{Status: dmarc.None, Err: errors.New("no author domain")}}, env,
			` mx.example.org;|dmarc=none reason="2 From fields"`},
		"nobody knows why there is no author": {Results{DMARC: &dmarc.Result{Status: dmarc.None, Err: errors.New("no author domain")}}, env,
			` mx.example.org;|dmarc=none reason="no author domain"`},
		"an author with a flaw": {Results{Author: Author{Fields: 1, Err: errors.New("of the field")}, DMARC: &dmarc.Result{Status: dmarc.Fail, AuthorDomain: "example.com", Err: errors.New("of the record")}}, env,
			` mx.example.org;|dmarc=fail reason="of the record" header.from=example.com`},
		"local part of an agent that passed": {Results{DKIMRan: true, DKIM: []dkim.Result{{Status: dkim.Pass, Domain: "example.com", AUID: "Kim.Lee+x@News.example.com"}}}, env,
			" mx.example.org;|dkim=pass header.d=example.com header.i=Kim.Lee+x@news.example.com"},
		"local part that needs quotes": {Results{DKIMRan: true, DKIM: []dkim.Result{{Status: dkim.Pass, AUID: "a b@x.example"}}}, env, " mx.example.org;|dkim=pass header.i=@x.example"},
		"local part in UTF-8":          {Results{DKIMRan: true, DKIM: []dkim.Result{{Status: dkim.Pass, AUID: "김@bücher.example"}}}, env, " mx.example.org;|dkim=pass header.i=@xn--bcher-kva.example"},
		"agent that is no address":     {Results{DKIMRan: true, DKIM: []dkim.Result{{Status: dkim.Neutral, AUID: "x"}, {Status: dkim.Neutral, AUID: "@;"}}}, env, " mx.example.org;|dkim=neutral;|dkim=neutral"},
		"agent with underscore":        {Results{DKIMRan: true, DKIM: []dkim.Result{{Status: dkim.Pass, AUID: "@a_b.example"}}}, env, ` mx.example.org;|dkim=pass header.i="@a_b.example"`},
		"injection": {Results{DKIMRan: true, DKIM: []dkim.Result{{Status: dkim.PermError, Domain: "x.example; dmarc=pass", Selector: "s\r\nX-Evil: 1",
			Algorithm: `"\`, Signature: "a(b)", Err: errors.New("key says \"p=\\\r\n\x00김\"")}}}, env,
			` mx.example.org;|dkim=permerror reason="key says \"p=\\  ??\""|header.d="x.example; dmarc?pass" header.s="s  X-Evil: 1"|header.a="\"\\" header.b="a(b)"`},
		"text that reads like results": {Results{DKIMRan: true, DKIM: []dkim.Result{{Status: dkim.Pass, Domain: "x.example", AUID: "DMARC=pass@x.example",
			Selector: "spf =pass", Signature: "dkim-atps=pass"}}, SPF: &spf.Result{Status: spf.Neutral, Identity: spf.Helo, Mechanism: "?exists:arc=pass v=spf1"}}, env,
			` mx.example.org;|spf=neutral reason="?exists:arc?pass v=spf1";|dkim=pass header.d=x.example header.i=DMARC?pass@x.example|header.s="spf ?pass" header.b=dkim-atp`},
		"a status that is none": {Results{SPF: &spf.Result{Status: "Pass; x", Identity: spf.Helo}}, env, " mx.example.org;|spf=temperror"},
	} {
		t.Run(name, func(t *testing.T) {
			got := strings.ReplaceAll(FormatResults("MX.example.org.", tc.r, tc.env), "\r\n\t", "|")
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Errorf("%s\n%s", got, d)
			}
		})
	}
}

func TestFormatResultsID(t *testing.T) {
	for id, want := range map[string]string{
		"example-auth": " example-auth; none",
		"mx/1":         ` "mx/1"; none`,
		"a@b.example":  ` "a@b.example"; none`,
		"bücher.test":  " xn--bcher-kva.test; none",
		"":             ` ""; none`,
		"a\r\nb; c":    ` "a  b; c"; none`,
	} {
		if got := FormatResults(id, Results{}, nil); got != want {
			t.Errorf("%q: %q, want %q", id, got, want)
		}
	}
}

// TestSignaturePrefixes: RFC 6008 §4.
func TestSignaturePrefixes(t *testing.T) {
	long := strings.Repeat("x", 1000)
	for name, tc := range map[string]struct{ sigs, want string }{
		"one":              {"abcdefghijkl", "abcdefgh"},
		"short":            {"abc", "abc"},
		"different":        {"abcdefghijkl bcdefghijklm", "abcdefgh bcdefghi"},
		"same eight":       {"abcdefgh12 abcdefgh13 zzzzzzzzzz", "abcdefgh12 abcdefgh13 zzzzzzzz"},
		"one is a prefix":  {"abcdefgh abcdefghij", "abcdefgh abcdefghi"},
		"three of a kind":  {"abcdefgh1 abcdefgh2 abcdefghi1", "abcdefgh1 abcdefgh2 abcdefghi"},
		"the same twice":   {"abcdefghij abcdefghij", "abcdefgh abcdefgh"},
		"endless alikes":   {long + "a " + long + "b", long[:8] + " " + long[:8]},
		"alike for 480":    {long[:480] + "a " + long[:480] + "b", long[:8] + " " + long[:8]},
		"alike for 479":    {long[:479] + "a " + long[:479] + "b", long[:479] + "a " + long[:479] + "b"},
		"case is relevant": {"abcdefghij ABCDEFGHIJ", "abcdefgh ABCDEFGH"},
	} {
		t.Run(name, func(t *testing.T) {
			var rs []dkim.Result
			for _, s := range strings.Fields(tc.sigs) {
				rs = append(rs, dkim.Result{Signature: s})
			}
			if got := strings.Join(signaturePrefixes(rs), " "); got != tc.want {
				t.Errorf("%q", got)
			}
		})
	}
}

// TestFormatResultsBounds: whatever comes in, the field stays below what the
// MTAs take.
func TestFormatResultsBounds(t *testing.T) {
	bad := strings.Repeat(`"`, 5000)
	r := Results{DKIMRan: true}
	for i := range 1000 {
		r.DKIM = append(r.DKIM, dkim.Result{Status: dkim.Fail, Domain: bad, AUID: bad + "@x.example", Selector: bad, Algorithm: bad,
			Signature: bad + fmt.Sprint(i), Err: errors.New(bad)})
	}
	v := FormatResults("mx.example.org", r, nil)
	if n := strings.Count(v, "dkim="); n != 20 {
		t.Errorf("%d results", n)
	}
	checkLines(t, v)
	if len(v) > 60_000 {
		t.Errorf("%d bytes", len(v))
	}
}

func checkLines(t *testing.T, v string) {
	t.Helper()
	for i, line := range strings.Split(v, "\r\n") {
		if len("Authentication-Results:"+line) > 998 || i > 0 && !strings.HasPrefix(line, "\t") {
			t.Errorf("line %q", line)
		}
		for _, c := range strings.TrimPrefix(line, "\t") {
			if c < ' ' || c > '~' {
				t.Fatalf("character %q in %q", c, line)
			}
		}
	}
}

// TestUnlikeResult: no text repeats what filters take for a result, by any
// method of RFC 8601 §2.7 and its registry.
func TestUnlikeResult(t *testing.T) {
	for m := range strings.FieldsSeq("arc auth dkim dkim-adsp dkim-atps dmarc dnswl domainkeys iprev rrvs sender-id smime spf vbr") {
		for in, want := range map[string]string{
			m + "=pass": m + "?pass", strings.ToUpper(m) + " =pass": strings.ToUpper(m) + " ?pass", "x" + m + "==": "x" + m + "?=", m + "x=pass": m + "x=pass",
		} {
			if got := printable(in, 100); got != want {
				t.Errorf("%q: %q, want %q", in, got, want)
			}
		}
	}
	for in, want := range map[string]string{"=": "=", " =a=": " =a=", "spf=dkim=arc=": "spf?dkim?arc?", "": ""} {
		if got := unlikeResult(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestFormatResultsFolds: a line is folded where it would have more than 78
// columns with the ";" behind it (RFC 5322 §2.1.1), a tab taken for eight.
func TestFormatResultsFolds(t *testing.T) {
	name := func(n int) string { return strings.Repeat("x", n-len(".example")) + ".example" }
	for _, tc := range []struct {
		r     Results
		lines int // of results
	}{
		{Results{SPF: &spf.Result{Status: spf.Pass, Identity: spf.MailFrom, Domain: name(46)}}, 1},
		{Results{SPF: &spf.Result{Status: spf.Pass, Identity: spf.MailFrom, Domain: name(47)}}, 2},
		{Results{DKIMRan: true, DKIM: []dkim.Result{{Status: dkim.Pass, Domain: name(20), Selector: name(20)}}}, 1},
		{Results{DKIMRan: true, DKIM: []dkim.Result{{Status: dkim.Pass, Domain: name(20), Selector: name(21)}}}, 2},
	} {
		lines := strings.Split(FormatResults("mx.example.org", tc.r, nil), "\r\n\t")[1:]
		if len(lines) != tc.lines {
			t.Errorf("%q: want %d lines", lines, tc.lines)
		}
		for _, l := range lines {
			if w := 8 + len(l) + len(";"); w > 78 {
				t.Errorf("%d columns: %q", w, l)
			}
		}
	}
}

// TestFormatResultsLengths: how much of a text is shown.
func TestFormatResultsLengths(t *testing.T) {
	long := strings.Repeat("x", 1000)
	for name, tc := range map[string]struct {
		r    Results
		want string // how the field ends
		more string // what it does not have
	}{
		"a value":                      {Results{SPF: &spf.Result{Status: spf.Pass, Identity: spf.MailFrom, Domain: long}}, "smtp.mailfrom=" + long[:255], ""},
		"a reason":                     {Results{SPF: &spf.Result{Status: spf.None, Err: errors.New(long)}}, `reason="` + long[:120] + `"`, ""},
		"a signature":                  {Results{DKIMRan: true, DKIM: []dkim.Result{{Signature: long + "a"}, {Signature: long[:490] + "b"}}}, "header.b=" + long[:8], long[:481]},
		"signatures that agree in 479": {Results{DKIMRan: true, DKIM: []dkim.Result{{Signature: long[:479] + "a"}, {Signature: long[:479] + "b"}}}, "header.b=" + long[:479] + "b", ""},
		"an agent's local part": {Results{DKIMRan: true, DKIM: []dkim.Result{{Status: dkim.Pass, AUID: long[:255-len("@x.example")] + "@x.example"}}},
			"header.i=" + long[:255-len("@x.example")] + "@x.example", ""},
		"an agent's local part that is too long": {Results{DKIMRan: true, DKIM: []dkim.Result{{Status: dkim.Pass, AUID: long[:256-len("@x.example")] + "@x.example"}}}, "header.i=@x.example", ""},
	} {
		got := FormatResults("mx.example.org", tc.r, nil)
		if !strings.HasSuffix(got, tc.want) || tc.more != "" && strings.Contains(got, tc.more) {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := FormatResults(long, Results{}, nil); got != " "+long[:255]+"; none" {
		t.Errorf("authserv-id: %q", got)
	}
}

// parsed is a field read back by a strict parser of RFC 8601 §2.2 without
// comments and versions.
type parsed struct {
	id      string
	none    bool
	results []parsedResult
}

type parsedResult struct {
	method, result, reason string
	props                  []string // "ptype.property=value"
}

func parseResults(v string) (p parsed, err error) {
	v = strings.ReplaceAll(v, "\r\n\t", " ")
	next := func() string { // a token, a quoted-string unescaped behind a quote, or a special
		v = strings.TrimLeft(v, " ")
		if v == "" {
			return ""
		}
		if v[0] == '"' {
			out := `"`
			for i := 1; i < len(v); i++ {
				switch v[i] {
				case '"':
					v = v[i+1:]
					return out
				case '\\':
					i++
				}
				out += v[i : i+1]
			}
			err = errors.New("quoted string is not closed")
			v = ""
			return out
		}
		n := strings.IndexAny(v, ` ;="`)
		if n < 0 {
			n = len(v)
		}
		out := v[:max(n, 1)]
		v = v[len(out):]
		return out
	}
	value := func(s string) string {
		if strings.HasPrefix(s, `"`) {
			return s[1:]
		}
		if strings.ContainsAny(strings.Replace(s, "@", "", 1), `()<>,;:\/[]?=@`) || s == "" || strings.HasSuffix(s, "@") {
			err = fmt.Errorf("no token: %q", s)
		}
		return s
	}
	p.id = value(next())
	for err == nil {
		switch sep := next(); sep {
		case "":
			return p, nil
		case ";":
			m := next()
			if m == "none" && v == "" {
				p.none = true
				return p, nil
			}
			if eq := next(); eq != "=" {
				return p, fmt.Errorf("%q after method %q", eq, m)
			}
			p.results = append(p.results, parsedResult{method: value(m), result: value(next())})
		default:
			if len(p.results) == 0 || next() != "=" {
				return p, fmt.Errorf("property %q without a value or a result", sep)
			}
			r := &p.results[len(p.results)-1]
			if val := value(next()); sep == "reason" {
				r.reason = val
			} else {
				r.props = append(r.props, sep+"="+val)
			}
		}
	}
	return p, err
}

func FuzzFormatResults(f *testing.F) {
	f.Add("mx.example.org", "example.com", "a@example.com", "s1", "rsa-sha256", "dzdVyOfAKC", "dzdVyOfAKD", "body hash\r\n", "reject")
	f.Add("", "\x00;\"", "@\\", "\r\n", "=?utf-8?q?x?=", "(", "", "\"", "none")
	f.Add("ü", "x y", "@@", ".", "/", "=", "==", strings.Repeat("\\", 200), "x")
	f.Fuzz(func(t *testing.T, id, domain, auid, selector, alg, sig1, sig2, reason, policy string) {
		why := errors.New(reason)
		r := Results{
			IPRev: &iprev.Result{Status: iprev.Fail, IP: netip.MustParseAddr("2001:db8::1"), Err: why},
			SPF:   &spf.Result{Status: spf.Fail, Identity: spf.MailFrom, Domain: domain, Mechanism: reason},
			DKIM: []dkim.Result{
				{Status: dkim.Pass, Domain: domain, AUID: auid, Selector: selector, Algorithm: alg, Signature: sig1},
				{Status: dkim.Fail, Domain: domain, AUID: auid, Selector: selector, Algorithm: alg, Signature: sig2, Err: why},
			},
			DKIMRan: true,
			DMARC:   &dmarc.Result{Status: dmarc.Fail, AuthorDomain: domain, Policy: dmarc.Policy(policy), Err: why},
		}
		v := FormatResults(id, r, nil)
		checkLines(t, v)
		p, err := parseResults(v)
		if err != nil {
			t.Fatalf("%v in %q", err, v)
		}
		var methods []string
		for _, res := range p.results {
			methods = append(methods, res.method+"="+res.result)
		}
		if d := cmp.Diff([]string{"iprev=fail", "spf=fail", "dkim=pass", "dkim=fail", "dmarc=fail"}, methods); d != "" {
			t.Fatal(d)
		}
		want := func(i int, name, value string, limit int) {
			if value = printable(value, limit); value == "" {
				return
			}
			for _, prop := range p.results[i].props {
				if prop == name+"="+value {
					return
				}
			}
			t.Errorf("no %s=%q in %q", name, value, p.results[i].props)
		}
		want(0, "policy.iprev", "2001:db8::1", 99)
		want(1, "smtp.mailfrom", domain, maxValue)
		want(4, "header.from", domain, maxValue)
		want(4, "policy.dmarc", policy, maxValue)
		b := signaturePrefixes(r.DKIM)
		for i := range 2 {
			want(2+i, "header.d", domain, maxValue)
			want(2+i, "header.s", selector, maxValue)
			want(2+i, "header.a", alg, maxValue)
			want(2+i, "header.b", b[i], maxSignature)
		}
		if got := p.results[4].reason; got != printable(strings.TrimPrefix(reason, "dmarc: "), maxReason) {
			t.Errorf("reason %q of %q", got, reason)
		}
	})
}

// FuzzUnlikeResult compares with the expression that says what is meant.
func FuzzUnlikeResult(f *testing.F) {
	want := regexp.MustCompile(`(?i)((?:arc|auth|dkim|dkim-adsp|dkim-atps|dmarc|dnswl|domainkeys|iprev|rrvs|sender-id|smime|spf|vbr) *)=`)
	f.Add("DMARC  =pass spf= =x, mydkim-adsp=y = vbr")
	f.Fuzz(func(t *testing.T, s string) {
		s = clean(s)
		if got := unlikeResult(s); got != want.ReplaceAllString(s, "${1}?") {
			t.Errorf("%q became %q", s, got)
		}
	})
}

// clean makes printable ASCII of any text.
func clean(s string) string {
	b := []byte(s)
	for i := range b {
		b[i] = ' ' + b[i]%('~'-' '+1)
	}
	return string(b)
}

// TestQuoteValue: an address or a domain stands as it is, and what only looks like one
// is quoted.
func TestQuoteValue(t *testing.T) {
	for s, want := range map[string]string{
		"a@x.example": "a@x.example", "@x.example": "@x.example", "a.b@x.example": "a.b@x.example",
		"a b@x.example": `"a b@x.example"`, ".a@x.example": `".a@x.example"`, "a.@x.example": `"a.@x.example"`, "a..b@x.example": `"a..b@x.example"`,
		"a@x": `"a@x"`, "a": "a", "": `""`,
	} {
		if got := quoteValue(s, 100); got != want {
			t.Errorf("%q: %s, want %s", s, got, want)
		}
	}
}

package auth

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/dmarc"
	"github.com/sealmilter/sealmilter/auth/iprev"
	"github.com/sealmilter/sealmilter/auth/spf"
)

const (
	// lineAim is where a line of the field is folded, where it can be
	// (RFC 5322 §2.1.1: SHOULD be no more than 78 characters).
	lineAim = 78
	// maxValue bounds each value. A domain name has at most 253 bytes.
	maxValue  = 255
	maxReason = 120
	// minSignature and maxSignature bound header.b. RFC 6008 §4 wants at least
	// 8 characters, and as many as tell the signatures apart; ones that agree in
	// 480 are made up, and so many fit into a line of 998 with each escaped.
	minSignature = 8
	maxSignature = 480
	// maxSignatures bounds the dkim= results; the verifier has its own limit,
	// far below. Postfix takes 60,000 bytes of a field, and the worst 20 fit.
	maxSignatures = 20
)

// FormatResults writes the value of an Authentication-Results field
// (RFC 8601 §2.2) about r: one resinfo for each method that ran, in the order
// iprev, spf, dkim, dmarc. It begins with a space, is folded with CRLF and a
// tab, and consists of printable ASCII otherwise. env may be nil.
//
// Every value is a token or a quoted-string, whatever the message and the DNS
// put into it. Unauthenticated local parts are left out (§4, §2.7.2).
func FormatResults(authservID string, r Results, env *Envelope) string {
	if env == nil {
		env = &Envelope{}
	}
	if n, err := canonicalName(authservID); err == nil {
		authservID = n
	}
	w := &resultWriter{}
	w.b.WriteString(" " + quoteToken(printable(authservID, maxValue)))
	if r.IPRev != nil {
		w.iprev(r.IPRev, env.ClientIP)
	}
	if r.SPF != nil {
		w.spf(r.SPF, env)
	}
	if r.DKIMRan {
		w.dkim(r.DKIM)
	}
	if r.DMARC != nil {
		w.dmarc(r.DMARC, r.Author)
	}
	if w.results == 0 {
		w.b.WriteString("; none") // §2.2 no-result
	}
	return w.b.String()
}

func (w *resultWriter) iprev(r *iprev.Result, client netip.Addr) {
	ip := r.IP
	if !ip.IsValid() {
		ip = client
	}
	w.result("iprev", string(r.Status), r.Status == iprev.Pass, r.Err)
	if ip.IsValid() {
		w.property("policy.iprev", ip.Unmap().WithZone("").String())
	}
}

func (w *resultWriter) spf(r *spf.Result, env *Envelope) {
	w.result("spf", string(r.Status), r.Status == spf.Pass, r.Err)
	if r.Err == nil && r.Status != spf.Pass {
		w.reason(r.Mechanism)
	}
	// §2.7.2: the one that gave the result. The null reverse-path is checked by
	// HELO (RFC 7208 §2.4), and so it is reported.
	if r.Identity == spf.Helo || r.Identity == "" && env.MailFrom == "" {
		w.property("smtp.helo", r.Domain)
	} else {
		w.property("smtp.mailfrom", r.Domain)
	}
}

func (w *resultWriter) dkim(rs []dkim.Result) {
	if len(rs) == 0 {
		w.result("dkim", string(dkim.None), true, nil)
		return
	}
	rs = rs[:min(len(rs), maxSignatures)]
	sigs := signaturePrefixes(rs)
	for i, r := range rs {
		w.result("dkim", string(r.Status), r.Status == dkim.Pass, r.Err)
		w.property("header.d", r.Domain)
		w.property("header.i", agent(r))
		w.property("header.s", r.Selector)
		w.property("header.a", r.Algorithm)
		if sigs[i] != "" {
			w.add("header.b=" + quoteValue(sigs[i], maxSignature))
		}
	}
}

func (w *resultWriter) dmarc(r *dmarc.Result, a Author) {
	err := r.Err
	if a.Err != nil && r.AuthorDomain == "" {
		err = a.Err // says more than "no author domain"
	}
	w.result("dmarc", string(r.Status), r.Status == dmarc.Pass, err)
	w.property("header.from", r.AuthorDomain)
	w.property("policy.dmarc", string(r.Policy)) // RFC 9989 §9.1
}

// agent is header.i: i= as signed (RFC 8601 §2.7.1), its local part only when
// the signature vouches for it and it needs no quoting.
func agent(r dkim.Result) string {
	at := strings.LastIndexByte(r.AUID, '@')
	if at < 0 {
		return ""
	}
	domain, err := canonicalName(r.AUID[at+1:])
	if err != nil {
		return ""
	}
	local := r.AUID[:at]
	if r.Status != dkim.Pass || len(local)+1+len(domain) > maxValue || !isDotAtom(local) {
		local = ""
	}
	return local + "@" + domain
}

// signaturePrefixes returns the start of each signature: at least 8 characters
// and enough to tell it from the others (RFC 6008 §4).
func signaturePrefixes(rs []dkim.Result) []string {
	out := make([]string, len(rs))
	var sorted []string
	for i, r := range rs {
		out[i] = r.Signature[:min(len(r.Signature), maxSignature)]
		sorted = append(sorted, out[i])
	}
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)
	for i, s := range out {
		at, _ := slices.BinarySearch(sorted, s)
		need := minSignature
		for _, n := range []int{at - 1, at + 1} { // the closest ones
			if n >= 0 && n < len(sorted) {
				need = max(need, common(s, sorted[n])+1)
			}
		}
		out[i] = s[:min(need, len(s))]
	}
	return out
}

// common is the length of the common prefix.
func common(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// resultWriter puts resinfos together and folds them.
type resultWriter struct {
	b       strings.Builder
	column  int
	results int
	method  string
}

// result begins a resinfo, on a line of its own.
func (w *resultWriter) result(method, result string, fine bool, err error) {
	w.results++
	w.method = method
	s := method + "=" + keyword(result)
	w.b.WriteString(";\r\n\t" + s)
	w.column = 8 + len(s)
	if !fine && err != nil {
		w.reason(err.Error())
	}
}

// reason adds a reasonspec: short, and without the method's name that many
// error texts begin with. Nothing is added for an empty text.
func (w *resultWriter) reason(text string) {
	text = strings.TrimPrefix(text, w.method+": ")
	if text == "" {
		return
	}
	text = strings.ReplaceAll(text, "§", "section ")
	w.add("reason=" + quotedString(printable(text, maxReason)))
}

// property adds a propspec, if it has a value.
func (w *resultWriter) property(name, value string) {
	if value != "" {
		w.add(name + "=" + quoteValue(value, maxValue))
	}
}

func (w *resultWriter) add(s string) {
	if w.column+1+len(s) >= lineAim {
		w.b.WriteString("\r\n\t")
		w.column = 8
	} else {
		w.b.WriteByte(' ')
		w.column++
	}
	w.b.WriteString(s)
	w.column += len(s)
}

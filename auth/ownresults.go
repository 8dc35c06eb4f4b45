package auth

import (
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/auth/dmarc"
)

// writtenDMARC are the results that we write (RFC 9989 §9.1).
var writtenDMARC = []string{
	string(dmarc.Pass), string(dmarc.Fail), string(dmarc.None), string(dmarc.TempError), string(dmarc.PermError),
}

// OwnDMARC reads what an Authentication-Results field with one of our
// authserv-ids says about the author domains: "pass", or the first other dmarc
// result; "" is none about them. A result without header.from is about whoever
// the author is. False: the field cannot be read, so that it may say anything.
//
// A field that does not clearly name one of ids says nothing, although it may
// have to go (ClaimsID): Exchange, for one, writes results without any id.
//
// Reasons and names in the field are the sender's words. They are quoted
// strings, comments are left out, and everything else that is not as RFC 8601
// §2.2 has it makes the field unreadable.
func OwnDMARC(value string, ids, domains []string) (string, bool) {
	p := idParser{s: dropControls(value)}
	if !p.skip() {
		return "", true
	}
	if id, ok := p.id(); !ok || !namesOne(id, ids) {
		return "", true
	}
	if !p.skip() || !p.ended() {
		return "", false
	}
	found := ""
	for p.i < len(p.s) {
		p.i++ // the semicolon
		method, result, about, ok := p.resinfo(domains)
		if !ok {
			return "", false
		}
		switch {
		case method != "dmarc" || !about:
		case !slices.Contains(writtenDMARC, result):
			return "", false
		case found == "" || found == string(dmarc.Pass):
			found = result
		}
	}
	return found, true
}

// resinfo reads up to the next semicolon or the end. about: no header.from, or
// one of domains.
func (p *idParser) resinfo(domains []string) (method, result string, about, ok bool) {
	named := false // header.from is there
	for first := true; ; first = false {
		if !p.skip() {
			return "", "", false, false
		}
		if p.i == len(p.s) || p.s[p.i] == ';' {
			return method, result, about || !named, true
		}
		name := p.run(` ();"=`)
		name, _, _ = strings.Cut(strings.ToLower(name), "/") // its version
		if !p.skip() {
			return "", "", false, false
		}
		if p.i == len(p.s) || p.s[p.i] != '=' {
			// §2.2 no-result
			return "", "", false, first && name == "none" && (p.i == len(p.s) || p.s[p.i] == ';')
		}
		p.i++
		if !p.skip() {
			return "", "", false, false
		}
		value, ok := p.value()
		if name == "" || !ok {
			return "", "", false, false
		}
		switch {
		case first:
			method, result = name, strings.ToLower(value)
		case name == "header.from":
			named = true
			about = about || containsName(domains, value)
		}
	}
}

// value is a token, a quoted-string, or a mailbox of both.
func (p *idParser) value() (string, bool) {
	var b strings.Builder
	for start := p.i; ; {
		b.WriteString(p.run(` ();"`))
		if p.i == len(p.s) || p.s[p.i] != '"' {
			return b.String(), p.i > start
		}
		if !p.quoted(&b) {
			return "", false
		}
	}
}

// run goes up to the next of stop.
func (p *idParser) run(stop string) string {
	rest := p.s[p.i:]
	if n := strings.IndexAny(rest, stop); n >= 0 {
		rest = rest[:n]
	}
	p.i += len(rest)
	return rest
}

// namesOne reports whether an authserv-id is one of ids beyond doubt.
func namesOne(id string, ids []string) bool {
	_, clear := plainID(id)
	return clear && sameID(id, ids)
}

func containsName(list []string, name string) bool {
	for _, n := range list {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

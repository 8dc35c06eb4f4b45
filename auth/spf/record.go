package spf

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// record is a parsed SPF record (RFC 7208 §4.5, §4.6.1).
type record struct {
	directives []directive
	redirect   *modifier
	exp        *modifier
	terms      int // directives and modifiers, unknown ones too
}

// kind is a mechanism's name.
type kind string

const (
	kindAll     kind = "all"
	kindInclude kind = "include"
	kindA       kind = "a"
	kindMX      kind = "mx"
	kindPTR     kind = "ptr"
	kindIP4     kind = "ip4"
	kindIP6     kind = "ip6"
	kindExists  kind = "exists"
)

// directive is [ qualifier ] mechanism.
type directive struct {
	text         string // as the record spells it
	result       Status // what the qualifier makes of a match (§4.6.2)
	kind         kind
	spec         macroString  // nil: <domain> is the target (§4.8)
	network      netip.Prefix // ip4, ip6
	cidr4, cidr6 int          // a, mx
}

// modifier is redirect or exp.
type modifier struct {
	text string
	spec macroString
}

// isSPF reports whether a TXT record has a version section of exactly
// "v=spf1" (§4.5; case-insensitive as every ABNF string, RFC 5234 §2.3).
func isSPF(txt string) bool {
	const version = "v=spf1"
	return len(txt) >= len(version) && strings.EqualFold(txt[:len(version)], version) &&
		(len(txt) == len(version) || txt[len(version)] == ' ')
}

// parseRecord parses a whole record for which isSPF holds. A syntax error
// anywhere counts, before anything is evaluated (§4.6). The error has the
// term and not the domain. left is how many terms it may have.
func parseRecord(txt string, left int) (*record, *Error) {
	r := &record{}
	for term := range strings.SplitSeq(txt[len("v=spf1"):], " ") {
		if term == "" { // terms = *( 1*SP ( directive / modifier ) ), then *SP
			continue
		}
		if r.terms++; r.terms > left {
			return nil, &Error{Term: clip(term), Err: fmt.Errorf("%w: more than %d terms, RFC 7208 §11.1", ErrTooMuch, maxTerms)}
		}
		if err := r.parseTerm(term); err != nil {
			return nil, &Error{Term: clip(term), Err: err}
		}
	}
	return r, nil
}

func (r *record) parseTerm(term string) error {
	if name, value, ok := cutModifier(term); ok {
		return r.parseModifier(term, name, value)
	}
	d, err := parseDirective(term)
	if err != nil {
		return err
	}
	r.directives = append(r.directives, d)
	return nil
}

// cutModifier splits name "=" value, where name is
// ALPHA *( ALPHA / DIGIT / "-" / "_" / "." ) (§4.6.1).
func cutModifier(term string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(term, "=")
	if !ok || name == "" || !isAlpha(name[0]) {
		return "", "", false
	}
	for i := 0; i < len(name); i++ {
		if c := name[i]; !isAlpha(c) && !isDigit(c) && c != '-' && c != '_' && c != '.' {
			return "", "", false
		}
	}
	return strings.ToLower(name), value, true
}

func (r *record) parseModifier(term, name, value string) error {
	var to **modifier
	switch name {
	case "redirect":
		to = &r.redirect
	case "exp":
		to = &r.exp
	default:
		// §6: unknown modifiers are ignored, but they have a grammar.
		_, err := parseMacroString(value, expLetters, false)
		return err
	}
	if *to != nil {
		return syntaxError("6", "%s= stands twice", name)
	}
	spec, err := parseDomainSpec(value)
	if err != nil {
		return err
	}
	*to = &modifier{text: term, spec: spec}
	return nil
}

func parseDirective(term string) (directive, error) {
	d := directive{text: term, result: Pass, cidr4: 32, cidr6: 128}
	rest := term
	switch term[0] {
	case '+':
		rest = term[1:]
	case '-':
		d.result, rest = Fail, term[1:]
	case '~':
		d.result, rest = SoftFail, term[1:]
	case '?':
		d.result, rest = Neutral, term[1:]
	}
	name, arg := rest, ""
	if i := strings.IndexAny(rest, ":/"); i >= 0 {
		name, arg = rest[:i], rest[i:]
	}
	d.kind = kind(strings.ToLower(name))
	var err error
	switch d.kind {
	case kindAll:
		if arg != "" {
			err = syntaxError("5.1", "all takes no argument")
		}
	case kindInclude, kindExists:
		section := map[kind]string{kindInclude: "5.2", kindExists: "5.7"}[d.kind]
		if !strings.HasPrefix(arg, ":") {
			err = syntaxError(section, "%s needs a domain", d.kind)
			break
		}
		d.spec, err = parseDomainSpec(arg[1:])
	case kindPTR:
		err = d.parseTarget(arg, "5.5")
	case kindA, kindMX:
		if arg, err = d.parseDualCIDR(arg); err == nil {
			err = d.parseTarget(arg, map[kind]string{kindA: "5.3", kindMX: "5.4"}[d.kind])
		}
	case kindIP4, kindIP6:
		err = d.parseNetwork(arg)
	default:
		err = unknownMechanism(name)
	}
	return d, err
}

// parseTarget reads [ ":" domain-spec ].
func (d *directive) parseTarget(arg, section string) error {
	if arg == "" {
		return nil
	}
	if arg[0] != ':' {
		return syntaxError(section, "%s does not take %q", d.kind, clip(arg))
	}
	// Publishers write a:192.0.2.1 for ip4:192.0.2.1.
	if ip, err := netip.ParseAddr(arg[1:]); err == nil {
		return syntaxError("7.1", "an address is not a domain; write %s", ipTerm(ip))
	}
	var err error
	d.spec, err = parseDomainSpec(arg[1:])
	return err
}

// parseDualCIDR takes dual-cidr-length = [ ip4-cidr-length ] [ "/" ip6-cidr-length ]
// off the end of arg. No domain-spec ends in a slash and digits, so the end
// of the term is unambiguous although a domain-spec may contain slashes.
func (d *directive) parseDualCIDR(arg string) (rest string, err error) {
	rest, digits, ok := cutCIDR(arg)
	if !ok {
		return arg, nil
	}
	if strings.HasSuffix(rest, "/") {
		if d.cidr6, err = parseLength(digits, 128); err != nil {
			return "", err
		}
		arg = rest[:len(rest)-1]
		if rest, digits, ok = cutCIDR(arg); !ok {
			return arg, nil
		}
	}
	d.cidr4, err = parseLength(digits, 32)
	return rest, err
}

// cutCIDR cuts a final "/" 1*DIGIT.
func cutCIDR(s string) (rest, digits string, ok bool) {
	i := len(s)
	for i > 0 && isDigit(s[i-1]) {
		i--
	}
	if i == len(s) || i == 0 || s[i-1] != '/' {
		return s, "", false
	}
	return s[:i-1], s[i:], true
}

// parseLength reads a prefix length: no leading zeros, at most limit (§5.6).
func parseLength(s string, limit int) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n > limit || (len(s) > 1 && s[0] == '0') || !isDigit(s[0]) {
		return 0, syntaxError("5.6", "prefix length %q is not a number from 0 to %d", clip(s), limit)
	}
	return n, nil
}

// parseNetwork reads ":" ip4-network [ ip4-cidr-length ], and the same for
// ip6 (§5.6).
func (d *directive) parseNetwork(arg string) error {
	if !strings.HasPrefix(arg, ":") {
		return syntaxError("5.6", "%s needs an address", d.kind)
	}
	text, length, sliced := strings.Cut(arg[1:], "/")
	ip, err := netip.ParseAddr(text)
	if err != nil || ip.Zone() != "" {
		return syntaxError("5.6", "%q is not an %s address", clip(text), d.kind.family())
	}
	if ip.Is4() != (d.kind == kindIP4) {
		return syntaxError("5.6", "%q is not an %s address; write %s", clip(text), d.kind.family(), ipTerm(ip))
	}
	bits := ip.BitLen()
	if sliced {
		if bits, err = parseLength(length, bits); err != nil {
			return err
		}
	}
	d.network = netip.PrefixFrom(ip, bits)
	return nil
}

func (k kind) family() string {
	if k == kindIP4 {
		return "IPv4"
	}
	return "IPv6"
}

// ipTerm is the mechanism that the publisher of an address meant.
func ipTerm(ip netip.Addr) string {
	if ip.Is4() {
		return "ip4:" + ip.String()
	}
	return "ip6:" + ip.WithZone("").String()
}

// unknownMechanism knows the slips that real records show.
func unknownMechanism(name string) error {
	hint := ""
	switch strings.ToLower(name) {
	case "ip", "ipv4":
		hint = "; write ip4"
	case "ipv6":
		hint = "; write ip6"
	case "redirect", "exp":
		hint = "; write " + strings.ToLower(name) + "="
	case "":
		return syntaxError("4.6.1", "the mechanism's name is missing")
	}
	return syntaxError("4.6.1", "unknown mechanism%s", hint)
}

package auth

import (
	"strings"

	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/auth/spf"
)

const (
	// maxMarks bounds the fields of one name that Indirect looks at: real mail
	// has a few of each.
	maxMarks = 100
	// maxLists bounds the names of lists that are compared with every identifier
	// that passed; to bring one into the form in which names are compared takes
	// time. A message of two lists has four.
	maxLists = 20
)

// Indirect returns the mark by which a message shows that it was forwarded,
// "" for none: "arc", "resent", "list", "delivered-to" or "srs".
//
// RFC 9989 §7.4 wants a receiver to know more than p=reject before it rejects.
// Each mark can be forged, "list" and "srs" by who has a domain of his own: a
// forger gains that his message is quarantined and not rejected (docs/decisions).
func Indirect(h header.Fields, env *Envelope, spfResult *spf.Result, dkimResults []dkim.Result) string {
	vouched := authenticated(spfResult, dkimResults)
	switch {
	case hasARCSet(h):
		return "arc"
	case h.Count("Resent-From") > 0 || h.Count("Resent-Sender") > 0: // RFC 5322 §3.6.6
		return "resent"
	case fromList(h, vouched):
		return "list"
	case deliveredElsewhere(h, env):
		return "delivered-to"
	case env != nil && rewritten(env.MailFrom) && spfResult != nil && spfResult.Status == spf.Pass:
		// The forwarder's own domain answers for the client that says so.
		return "srs"
	}
	return ""
}

// authenticated lists the domains that answer for the message: of signatures
// that passed, and of a passing MAIL FROM or, for the null reverse-path, HELO
// (RFC 9989 §4.4). Neither depends on what the header says.
func authenticated(s *spf.Result, sigs []dkim.Result) []string {
	var domains []string
	for _, r := range sigs {
		if r.Status == dkim.Pass {
			domains = append(domains, r.Domain)
		}
	}
	if s != nil && s.Status == spf.Pass {
		if d, err := canonicalName(s.Domain); err == nil {
			domains = append(domains, d)
		}
	}
	return domains
}

// hasARCSet reports whether one instance has all three fields of an ARC set
// (RFC 8617 §4.2). Whether it verifies is not asked.
func hasARCSet(h header.Fields) bool {
	// Bit i stands for instance i; there are 50 (§4.2.1).
	sets := ^uint64(0)
	for _, name := range []string{"ARC-Seal", "ARC-Message-Signature", "ARC-Authentication-Results"} {
		var seen uint64
		for _, v := range marks(h, name) {
			seen |= 1 << arcInstance(v)
		}
		sets &= seen
	}
	return sets&^1 != 0
}

// arcInstance is the value of i=, 1 to 50; 0 for none or another. In an
// ARC-Authentication-Results it comes first (RFC 8617 §4.1.1).
func arcInstance(v string) uint {
	for range 20 { // of at most eleven tags
		spec, rest, more := strings.Cut(v, ";")
		name, value, _ := strings.Cut(header.Unfold(spec), "=")
		if strings.TrimSpace(name) == "i" {
			n := uint(0)
			for _, c := range strings.TrimSpace(value) {
				if c < '0' || c > '9' || n > 50 {
					return 0
				}
				n = n*10 + uint(c-'0')
			}
			if n > 50 {
				return 0
			}
			return n
		}
		if !more {
			break
		}
		v = rest
	}
	return 0
}

// fromList reports whether a List-Id (RFC 2919) or List-Post (RFC 2369 §3.4)
// names a domain that answers for the message.
func fromList(h header.Fields, vouched []string) bool {
	if len(vouched) == 0 {
		return false
	}
	var lists []string
	for _, v := range marks(h, "List-Id") {
		// RFC 2919 §3: [phrase] "<" list-id ">"; some leave the brackets out.
		if i := strings.LastIndexByte(v, '<'); i >= 0 {
			v, _, _ = strings.Cut(v[i+1:], ">")
		}
		lists = append(lists, strings.TrimSpace(v))
	}
	for _, v := range marks(h, "List-Post") {
		// RFC 2369 §2: URLs in angle brackets; "NO" without.
		v = strings.ToLower(header.Unfold(v))
		if _, address, ok := strings.Cut(v, "<mailto:"); ok {
			address, _, _ = strings.Cut(address, ">")
			address, _, _ = strings.Cut(address, "?")
			lists = append(lists, address[strings.LastIndexByte(address, '@')+1:])
		}
	}
	for _, l := range lists[:min(len(lists), maxLists)] {
		name, err := canonicalName(l)
		if err != nil {
			continue
		}
		for _, d := range vouched {
			if related(d, name) {
				return true
			}
		}
	}
	return false
}

// related: the same name, or one above the other. A top-level domain is
// related to nobody.
func related(a, b string) bool {
	if !strings.Contains(a, ".") || !strings.Contains(b, ".") {
		return false
	}
	return a == b || strings.HasSuffix(a, "."+b) || strings.HasSuffix(b, "."+a)
}

// deliveredElsewhere looks for the traces that a delivery to another address
// leaves. A field that names a recipient of ours says nothing.
func deliveredElsewhere(h header.Fields, env *Envelope) bool {
	var ours map[string]bool
	for _, name := range []string{"Delivered-To", "X-Forwarded-To", "X-Original-To"} {
		for _, v := range marks(h, name) {
			v = mailbox(v)
			if !strings.Contains(v, "@") {
				continue
			}
			if ours == nil {
				ours = map[string]bool{}
				if env != nil {
					for _, r := range env.Recipients {
						ours[mailbox(r)] = true
					}
				}
			}
			if !ours[v] {
				return true
			}
		}
	}
	return false
}

// mailbox is an address in the form in which two are compared here.
func mailbox(v string) string {
	v = strings.ToLower(header.Unfold(v))
	return strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(v, "<"), ">"))
}

// rewritten recognises a forwarder's rewritten MAIL FROM (SRS): SRS0 or SRS1
// and a separator.
func rewritten(mailFrom string) bool {
	if len(mailFrom) < 5 {
		return false
	}
	tag := strings.ToUpper(mailFrom[:4])
	return (tag == "SRS0" || tag == "SRS1") && strings.IndexByte("=+-", mailFrom[4]) >= 0
}

// marks returns the values of the first fields called name.
func marks(h header.Fields, name string) []string {
	all := h.All(name)
	return all[:min(len(all), maxMarks)]
}

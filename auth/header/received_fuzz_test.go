package header

import (
	"net/netip"
	"strings"
	"testing"
)

// keep drops the bytes that an MTA does not let into a Received field.
func keep(s string, ok func(byte) bool) string {
	var b strings.Builder
	for i := range len(s) {
		if ok(s[i]) {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func printable(c byte) bool { return c >= ' ' && c < 0x7f }

func inHostName(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || strings.IndexByte("-._", c) >= 0
}

// neuter is Postfix's, with printable() before it.
func neuter(s string) string {
	b := []byte(s)
	for i, c := range b {
		if !printable(c) || strings.IndexByte(" <>()\\\";@", c) >= 0 {
			b[i] = '?'
		}
	}
	return string(b)
}

// atom is what Sendmail's cleanstrcpy lets through.
func atom(c byte) bool {
	return c > ' ' && c < 0x7f && strings.IndexByte("\"(),:;<>@[\\]=?", c) < 0
}

// safe is qmail-smtpd's.
func safe(s string) string {
	b := []byte(s)
	for i, c := range b {
		if !inHostName(c) && strings.IndexByte("@%+/=:", c) < 0 || c == '_' {
			b[i] = '?'
		}
	}
	return string(b)
}

// written are the fields that MTAs write about a client at 203.0.113.66 that
// chose all the rest.
func written(helo, ptr, ident, sender, rcpt string) map[string]string {
	if helo == "" {
		helo = "x"
	}
	name := keep(ptr, inHostName)
	if _, err := netip.ParseAddr(name); err == nil || name == "" {
		name = "unknown" // Postfix and Exim want a forward-confirmed name
	}
	raw, id := keep(helo, printable), keep(ident, printable)
	word, _, _ := strings.Cut(raw, " ") // Sendmail with AllowBogusHELO
	said := keep(ident, atom)
	if said != "" {
		said += "@"
	}
	forged := keep(ptr, func(c byte) bool { return inHostName(c) || c == '[' || c == ']' || c == ':' })
	if forged != "" {
		forged += " "
	}
	smtp := "\r\n\tby mx.example.com (Postfix) with ESMTPS id 4Q\r\n\tfor <\"" + neuter(rcpt) + "\"@example.com>; Sun, 22 Nov 2026 00:30:00 +0000 (UTC)"
	exim := "\r\n\tby mx.example.com with esmtps (Exim 4.96)\r\n\t(envelope-from <" + keep(sender, printable) + "@x.example>)\r\n\tid 1t-2\r\n\tfor " + keep(rcpt, printable) + "@example.com; Sun, 22 Nov 2026 00:30:00 +0000"
	return map[string]string{
		"Postfix": " from " + neuter(helo) + " (" + name + " [203.0.113.66])\r\n\t(using TLSv1.3 with cipher X (256/256 bits))\r\n\t(Client CN \"" +
			neuter(ident) + "\", Issuer \"" + neuter(ptr) + "\" (not verified))" + smtp,
		"Sendmail":         " from " + word + " (" + said + forged + "[203.0.113.66] (may be forged))\r\n\tby mx (8.17.1/8.17.1) with ESMTPS id 7A; Sun, 22 Nov 2026 00:30:00 GMT",
		"Exim":             " from [203.0.113.66] (port=25 helo=" + raw + " ident=" + id + ")" + exim,
		"Exim with a name": " from " + name + " ([203.0.113.66] helo=" + raw + " ident=" + id + ")" + exim,
		"Exim with a port": " from " + name + " ([203.0.113.66]:4607 ident=" + id + ")" + exim,
		"qmail":            " from " + name + " (HELO " + safe(helo) + ") (" + safe(ident) + "@203.0.113.66)\r\n  by mx with ESMTPS; 22 Nov 2026 00:30:00 -0000",
		"nobody's, with all that the client says": " from " + raw + " (" + name + " [203.0.113.66])" + smtp,
	}
}

// FuzzReceivedAsWritten: whatever a client calls itself, its address is the one
// that the MTA saw, or not known; and no word of its own is the protocol.
func FuzzReceivedAsWritten(f *testing.F) {
	for _, s := range []string{"by", "from", "(", ")", ";", "\"", "\\", "[127.0.0.1]", "127.0.0.1", "helo", "x (unknown [192.168.5.9])", "x) ([127.0.0.1]",
		"x) by y with HTTP (", "x by y with LMTP; ", "a@127.0.0.1", "ident=[127.0.0.1]", "(helo=x)", "x [127.0.0.1]", "x) by y with HTTP; (\"", "x([::1])"} {
		f.Add(s, s, s, s, s)
		f.Add(s, "helo", "helo", "a", "b")
		f.Add("[127.0.0.1]", s, s, "\"a)", s)
		f.Add("x", s, "ident", s, "\"b;")
	}
	real := netip.MustParseAddr("203.0.113.66")
	f.Fuzz(func(t *testing.T, helo, ptr, ident, sender, rcpt string) {
		for who, value := range written(helo, ptr, ident, sender, rcpt) {
			r := ParseReceived(value)
			if r != unreadable && (!r.FromClient || r.Client != real || r.With != "ESMTPS" && r.With != "") {
				t.Errorf("%s: %q\n%+v", who, value, r)
			}
			// Nobody is to choose that a field of these cannot be read.
			if r == unreadable && who == "Postfix" && !strings.EqualFold(keep(ptr, inHostName), "helo") &&
				!strings.EqualFold(keep(ptr, inHostName), "ehlo") && !strings.EqualFold(keep(ptr, inHostName), "lhlo") {
				t.Errorf("%s: %q cannot be read", who, value)
			}
		}
	})
}

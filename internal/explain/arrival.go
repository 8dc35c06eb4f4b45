package explain

import (
	"net/netip"
	"strings"

	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/internal/transaction"
)

// split cuts a message into its fields and its body, with CRLF line
// ends. An mbox's first line is left out; a line that is no field begins the
// body, as in Postfix.
func split(raw string) (header.Fields, string) {
	raw = strings.ReplaceAll(strings.ReplaceAll(raw, "\r\n", "\n"), "\n", "\r\n")
	if strings.HasPrefix(raw, "From ") {
		_, raw, _ = strings.Cut(raw, "\r\n")
	}
	var h header.Fields
	for raw != "" {
		line, rest, _ := strings.Cut(raw, "\r\n")
		if line == "" {
			return h, rest
		}
		name, value, ok := strings.Cut(line, ":")
		switch {
		case (line[0] == ' ' || line[0] == '\t') && len(h) > 0:
			h[len(h)-1].Value += "\r\n" + line
		case !ok || strings.ContainsAny(strings.TrimRight(name, " \t"), " \t") || strings.TrimSpace(name) == "":
			return h, raw
		default:
			h = append(h, header.Field{Name: name, Value: value})
		}
		raw = rest
	}
	return h, ""
}

// login are the protocols of a client that logged in (RFC 3848 and, for the UTF8
// ones, RFC 6531): such a message was not handed over from outside, and a web
// mailer on the host itself has the address that receivers see.
var login = []string{"ESMTPA", "ESMTPSA", "LMTPA", "LMTPSA", "UTF8SMTPA", "UTF8SMTPSA", "UTF8LMTPA", "UTF8LMTPSA", "HTTP", "HTTPS"}

// arrival finds the Received field of the host that took the message from
// outside, with its place: the topmost that names a client other than the host
// itself.
func arrival(h header.Fields) (at int, r header.Received, ok bool) {
	at, r = transaction.FirstOutside(h, func(netip.Addr) bool { return false })
	return at, r, at >= 0 && r.Client.IsValid()
}

// delivered counts the fields on top that the delivery into a mailbox added.
func delivered(h header.Fields) int {
	for i, f := range h {
		switch {
		case f.Is("Return-Path"), f.Is("Delivered-To"), f.Is("X-Original-To"), f.Is("Envelope-To"):
		case f.Is("Received") && strings.HasPrefix(header.ParseReceived(f.Value).With, "LMTP"):
		default:
			return i
		}
	}
	return len(h)
}

func trimAngles(s string) string {
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(s), "<"), ">")
}

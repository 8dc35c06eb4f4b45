package mta

import (
	"context"
	"os"
	"strings"
)

// sendmailCF is where Sendmail reads its configuration.
const sendmailCF = "/etc/mail/sendmail.cf"

// Relay is the host that this host's MTA gives all mail to, as its configuration names
// it: Postfix's relayhost, Sendmail's SMART_HOST; "" for none. dir is the folder of
// main.cf, "" for Postfix's own.
func Relay(ctx context.Context, dir string) string {
	if postconf, ok := FindPostconf(); ok {
		args := []string{"-h", "relayhost"}
		if dir != "" {
			args = append([]string{"-c", dir}, args...)
		}
		out, err := Output(ctx, postconf, args...)
		if err != nil {
			return ""
		}
		return bareHost(strings.TrimSpace(out))
	}
	text, err := os.ReadFile(sendmailCF)
	if err != nil {
		return ""
	}
	return SmartHost(string(text))
}

// SmartHost is the S macro of sendmail.cf: DSrelay.example.com, DSesmtp:[relay.example.com].
func SmartHost(cf string) string {
	for line := range strings.Lines(cf) {
		if host, ok := strings.CutPrefix(line, "DS"); ok {
			host = strings.TrimSpace(host)
			if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") || i >= 0 && strings.HasSuffix(host, "]") && i < strings.IndexByte(host, '[') {
				host = host[i+1:]
			}
			return bareHost(host)
		}
	}
	return ""
}

// bareHost takes brackets and port from [relay.example.com]:587.
func bareHost(s string) string {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		host, _, _ := strings.Cut(inner, "]")
		return host
	}
	if host, _, ok := strings.Cut(s, ":"); ok && strings.Count(s, ":") == 1 {
		return host
	}
	return s
}

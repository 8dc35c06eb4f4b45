package setup

import (
	"strings"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/internal/postfix"
	"github.com/sealmilter/sealmilter/keys"
)

const ownReceived = "Received: by mail.example.com (Postfix, from userid 0)\r\n\tid 4Q; Fri, 27 Nov 2026 12:00:00 +0000 (UTC)\r\n"

// signed are the DKIM-Signature fields for the test message, RSA first, and the
// message itself.
func signed(t *testing.T, made []*keys.Key) (fields []string, raw string) {
	t.Helper()
	raw = testMessage("example.com", "token", time.Unix(1795780000, 0))
	head, body, _ := strings.Cut(raw, "\r\n\r\n")
	var h header.Fields
	for line := range strings.SplitSeq(head, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		h = append(h, header.Field{Name: name, Value: value})
	}
	var signers []dkim.Signer
	for _, k := range made {
		signers = append(signers, dkim.Signer{Domain: k.Domain, Selector: k.Selector, Key: k, Headers: []string{"From", "Subject"}})
	}
	run, err := dkim.NewSigning(h, signers)
	if err != nil {
		t.Fatal(err)
	}
	run.Write([]byte(body))
	values, err := run.Finish()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range values {
		fields = append(fields, "DKIM-Signature:"+v+"\r\n")
	}
	return fields, raw
}

// TestJudge: what the witness sees behind sealmilter, where Postfix shows it
// everything and where it hides what stands topmost.
func TestJudge(t *testing.T) {
	made, err := keys.Generate(t.TempDir(), "example.com", keys.GenerateOptions{Selector: "s1"})
	if err != nil {
		t.Fatal(err)
	}
	two, raw := signed(t, made)
	one, _ := signed(t, made[:1])
	rsa, ed := two[0], two[1]
	broken := func(s string) string { return strings.Replace(s, "bh=", "bh=AAAA", 1) }
	results := "Authentication-Results: mail.example.com; dmarc=none\r\n"
	const oldOne, newOne = "2.10.1", "3.7.11"
	for _, c := range []struct {
		name, version, raw        string
		keys                      int
		crowded, stranger, passes bool
		notes                     int
	}{
		{"everything", newOne, rsa + ed + raw, 2, false, false, true, 0},
		{"everything, shown by an old one", oldOne, rsa + ed + ownReceived + raw, 2, false, false, true, 0},
		{"the topmost is missing", newOne, ed + raw, 2, false, false, false, 0},
		{"the topmost is hidden", oldOne, ed + ownReceived + raw, 2, false, false, true, 1},
		{"the topmost is hidden, other milters", oldOne, ed + ownReceived + raw, 2, true, false, true, 1},
		{"the topmost is hidden, Received dropped", oldOne, ed + raw, 2, false, false, true, 1},
		{"the second is missing", oldOne, rsa + ownReceived + raw, 2, false, false, false, 0},
		{"the topmost is broken", oldOne, broken(rsa) + ed + ownReceived + raw, 2, false, false, false, 0},
		{"the rest is broken", oldOne, broken(ed) + ownReceived + raw, 2, false, false, false, 0},
		{"the body is changed", oldOne, ed + ownReceived + raw + "more\r\n", 2, false, false, false, 0},
		{"not signed", oldOne, raw, 2, false, false, false, 0},
		{"not signed, something added", oldOne, ownReceived + raw, 2, false, false, false, 0},

		{"one key", oldOne, one[0] + ownReceived + raw, 1, false, false, true, 0},
		{"one key, hidden", oldOne, ownReceived + raw, 1, false, false, true, 1},
		{"one key, hidden or another milter's", oldOne, ownReceived + raw, 1, true, false, false, 0},
		{"one key, nothing added", oldOne, raw, 1, false, false, false, 0},
		{"one key, broken", oldOne, broken(one[0]) + ownReceived + raw, 1, false, false, false, 0},
		{"one key, none", newOne, ownReceived + raw, 1, false, false, false, 0},

		{"a stranger's, with results", newOne, results + raw, 2, false, true, true, 0},
		{"a stranger's, hidden", oldOne, ownReceived + raw, 2, false, true, true, 1},
		{"a stranger's, hidden or another milter's", oldOne, ownReceived + raw, 2, true, true, false, 0},
		{"a stranger's, half signed", oldOne, broken(ed) + raw, 2, false, true, false, 0},
		{"a stranger's, nothing", oldOne, raw, 2, false, true, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &proof{host: postfix.Host{Master: postfix.ParseMaster(""), Values: postfix.Values{"mail_version": c.version}},
				signing: made[:c.keys], id: "mail.example.com", alone: !c.crowded, stranger: c.stranger}
			if err := p.judge(c.raw); (err == nil) != c.passes || len(p.notes) != c.notes {
				t.Errorf("%v, notes %q", err, p.notes)
			}
		})
	}
}

// TestJudgeSaysWhy: the first field is the sender's where Received was dropped.
func TestJudgeSaysWhy(t *testing.T) {
	made, err := keys.Generate(t.TempDir(), "example.com", keys.GenerateOptions{Selector: "s1"})
	if err != nil {
		t.Fatal(err)
	}
	_, raw := signed(t, made)
	p := &proof{signing: made, host: postfix.Host{Master: postfix.ParseMaster(""), Values: postfix.Values{"mail_version": "2.10.1", "header_checks": "regexp:/x"}}}
	if err := p.judge(raw); err == nil || !strings.Contains(err.Error(), "header_checks = regexp:/x may have dropped") {
		t.Errorf("%v", err)
	}
}

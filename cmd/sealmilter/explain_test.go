package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/assemble"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/transaction"
)

const explainMail = "From: Alice <alice@example.com>\nTo: bob@example.net\nSubject: hi\n\nA short text\n"

// signedMail is explainMail as the daemon of the configuration sends it, on
// arrival at bob's.
func signedMail(t *testing.T, cfgPath string) string {
	t.Helper()
	cfg, problems := config.Load(cfgPath)
	if cfg == nil {
		t.Fatal(problems)
	}
	store, _ := assemble.Keys(cfg, nil)
	set := assemble.Setup(cfg, assemble.Parts{Keys: store, Resolver: resolve.MustZone(""), Log: slog.New(slog.DiscardHandler)})
	h := header.Fields{{Name: "From", Value: " Alice <alice@example.com>"}, {Name: "To", Value: " bob@example.net"}, {Name: "Subject", Value: " hi"}}
	body := "A short text\r\n"
	x := transaction.Explain(context.Background(), set, transaction.Question{Hints: transaction.Hints{Listener: auth.Outbound}, Header: h, Body: body})
	if len(x.Signed) != 2 {
		t.Fatalf("signed %v, %s %v", x.Signed, x.Unsigned.Text, x.Err)
	}
	var signed strings.Builder
	for _, f := range x.Header {
		signed.WriteString(f.Raw())
	}
	return "From alice@example.com Sat Nov 21 12:00:00 2026\r\nReturn-Path: <alice@example.com>\r\nDelivered-To: robert@example.net\r\n" +
		"Received: from localhost (localhost [127.0.0.1])\r\n\tby mx.example.net; Sat, 21 Nov 2026 12:00:01 +0000\r\n" +
		"Received: from mail.example.com (mail.example.com [192.0.2.25])\r\n\tby mx.example.net; Sat, 21 Nov 2026 12:00:00 +0000\r\n" + signed.String() + "\r\n" + body
}

func TestExplain(t *testing.T) {
	cfg, zone := doctorHouse(t, goodDNS+`
bank.example         TXT "v=spf1 ip4:198.51.100.1 -all"
_dmarc.bank.example  TXT "v=DMARC1; p=reject"
`)
	signed := signedMail(t, cfg)
	for _, c := range []struct {
		name string
		mail string
		args []string
		code int
		want []string
	}{
		{"arrived and signed", signed, nil, exitFine, []string{
			"client     192.0.2.25, from the topmost Received", "helo       mail.example.com", "mail from  <alice@example.com>", "left out   4 fields",
			"IPREV  pass mail.example.com", "SPF  pass for example.com (mailfrom) by ip4:192.0.2.25", "  example.com: v=spf1 ip4:192.0.2.25 -all", "    ip4:192.0.2.25: match",
			"DKIM  2 signatures", "1. pass  s1._domainkey.example.com, rsa-sha256, 2048 bits\n     second opinion: pass", "2. pass  s1e._domainkey.example.com, ed25519-sha256",
			"DMARC  pass for example.com", "aligned    dkim example.com", "aligned    spf example.com", "dmarc=pass header.from=example.com", "VERDICT  accept"}},
		{"altered", strings.Replace(signed, "short", "long", 1), nil, exitFine, []string{
			"1. fail (body hash did not verify)", "second opinion: fail"}},
		{"as others get what a web mailer of the host sent", "Return-Path: <alice@example.com>\n" + strings.Replace(signed[strings.Index(signed, "DKIM-Signature:"):],
			"From: Alice", "Received: from web (mail.example.com [192.0.2.25])\n\tby mail.example.com (Postfix) with ESMTPSA id A1\nFrom: Alice", 1),
			[]string{"--ip", "192.0.2.25", "--helo", "mail.example.com"}, exitFine, []string{"DKIM  2 signatures"}},
		{"another client", signed, []string{"--ip", "203.0.113.66", "--helo", "x.example", "--mail-from", ""}, exitFine, []string{
			"client     203.0.113.66\n", "mail from  <>", "IPREV  permerror", "(helo)"}},
		{"spoof", "From: a@bank.example\nTo: bob@example.com\n\nx\n", []string{"--ip", "203.0.113.66", "--mail-from", "<a@bank.example>"}, exitFine, []string{
			"SPF  fail for bank.example (mailfrom) by -all", "DKIM  0 signatures", "DMARC  fail for bank.example", "policy     reject",
			"VERDICT  reject by rule dmarc-reject-direct", "reply      550 5.7.1 rejected by the DMARC policy of bank.example"}},
		{"from a mailbox", "Return-Path: <a@bank.example>\nDelivered-To: robert@example.com\nReceived: from mx.example.com\n\tby localhost with LMTP\n\tid x\nFrom: a@bank.example\n\nx\n",
			[]string{"--ip", "203.0.113.66"}, exitFine, []string{"left out   3 fields", "mail from  <a@bank.example>", "VERDICT  reject by rule dmarc-reject-direct"}},
		{"forged results", "Authentication-Results: mail.example.com; spf=pass\n" + explainMail, []string{"--ip", "203.0.113.66"}, exitFine, []string{"remove     Authentication-Results, number 1"}},
		{"ours", explainMail, []string{"--auth", "alice"}, exitFine, []string{
			"MESSAGE  outbound: authenticated", "SIGNED  with 2 keys", "1. s1._domainkey.example.com\n     a receiver would say: pass", "2. s1e._domainkey.example.com\n     a receiver would say: pass", "add        DKIM-Signature:"}},
		{"ours, not listed", strings.Replace(explainMail, "alice@example.com", "alice@elsewhere.example", 1), []string{"--outbound"}, exitFine, []string{
			"MESSAGE  outbound: listener", "SIGNED  no: elsewhere.example: not a domain that we sign for"}},
		{"no author", "Subject: x\n\ny\n", []string{"--ip", "203.0.113.66"}, exitFine, []string{"from       no Author Domain", "VERDICT  reject by rule broken-from"}},
		{"nobody handed it over", explainMail, nil, exitUsage, nil},
		{"bad address", explainMail, []string{"--ip", "192.0.2"}, exitUsage, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "m")
			if err := os.WriteFile(path, []byte(c.mail), 0o600); err != nil {
				t.Fatal(err)
			}
			var out, errOut bytes.Buffer
			if code := run(context.Background(), append([]string{"explain", path, "--config", cfg, "--zone", zone}, c.args...), &out, &errOut); code != c.code {
				t.Errorf("exit code %d, want %d: %s", code, c.code, errOut.String())
			}
			for _, w := range c.want {
				if !strings.Contains(out.String(), w) {
					t.Errorf("no %q in\n%s", w, out.String())
				}
			}
		})
	}
}

// On Sendmail a field is signed in the form that Sendmail will give it.
func TestExplainOnSendmail(t *testing.T) {
	cfg, zone := doctorHouse(t, goodDNS)
	text, err := os.ReadFile(cfg)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "m")
	for file, s := range map[string]string{cfg: string(text) + "mta: sendmail\n", path: "From: alice@example.com\nTo: bob@example.net,carol@example.net\n\nx\n"} {
		if err := os.WriteFile(file, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out, errOut bytes.Buffer
	code := run(context.Background(), []string{"explain", path, "--config", cfg, "--zone", zone, "--auth", "alice"}, &out, &errOut)
	for _, want := range []string{"a receiver would say: pass", "change     To: bob@example.net, carol@example.net"} {
		if code != exitFine || !strings.Contains(out.String(), want) {
			t.Errorf("%d, no %q in\n%s%s", code, want, out.String(), errOut.String())
		}
	}
}

func TestExplainJSON(t *testing.T) {
	cfg, zone := doctorHouse(t, goodDNS)
	path := filepath.Join(t.TempDir(), "m")
	if err := os.WriteFile(path, []byte(signedMail(t, cfg)), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errOut bytes.Buffer
	code := run(context.Background(), []string{"explain", path, "--config", cfg, "--zone", zone, "--json"}, &out, &errOut)
	type result struct{ Result string }
	var got struct {
		SPF, DMARC result
		DKIM       []result
		Second     []result `json:"second_opinion"`
		Verdict    struct{ Action string }
		Results    string `json:"authentication_results"`
		Guessed    bool   `json:"client_guessed"`
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || code != exitFine {
		t.Fatalf("%d %v %s", code, err, errOut.String())
	}
	if got.SPF.Result != "pass" || len(got.DKIM) != 2 || got.DKIM[0].Result != "pass" || got.Second[0].Result != "pass" || got.DMARC.Result != "pass" ||
		got.Verdict.Action != "accept" || !got.Guessed || !strings.HasPrefix(got.Results, "mail.example.com;") {
		t.Errorf("%+v", got)
	}
}

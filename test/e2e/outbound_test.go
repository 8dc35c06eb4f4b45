//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestSubmissionIsSigned: mail of an authenticated user from anywhere is signed with both keys, and two foreign
// verifiers agree.
func TestSubmissionIsSigned(t *testing.T) {
	l := need(t)
	for _, tc := range []struct{ name, author, domain string }{
		{"listed domain", "Kim <kim@good.example>", "good.example"},
		{"subdomain", "Kim <kim@news.good.example>", "good.example"},
		{"another domain of ours", "kim@lax.example", "lax.example"},
		{"upper case", "Kim <KIM@GOOD.EXAMPLE>", "good.example"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			to := remote("submitted")
			submit(t, l).mustSend(t, "<kim@good.example>", to, compose(tc.author, to, "hello", "A line.\r\n.dot\r\n\r\n\r\n"))
			msg := l.sink.wait(t, to)
			wantSigned(t, l, tc.domain, msg)
			if got := names(msg)[:3]; fmt.Sprint(got) != "[dkim-signature dkim-signature received]" {
				t.Errorf("the signatures are not at the top: %v", got)
			}
			if err := opendkimVerify(l, msg); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestForeignVerifiersNotice: the verifiers of this suite can fail.
func TestForeignVerifiersNotice(t *testing.T) {
	l := need(t)
	to := remote("changed")
	submit(t, l).mustSend(t, "<kim@good.example>", to, compose("kim@good.example", to, "hello", "pay 100 to me"))
	msg := []byte(strings.Replace(string(l.sink.wait(t, to)), "pay 100", "pay 900", 1))
	for _, s := range pythonVerify(t, l, msg)[0] {
		if s.OK {
			t.Errorf("python3-dkim takes a changed body: %+v", s)
		}
	}
	if opendkimVerify(l, msg) == nil {
		t.Error("opendkim-testmsg takes a changed body")
	}
}

// TestSubmissionOfAForeignDomain: a domain that is not ours leaves unsigned, and nothing else is done to it.
func TestSubmissionOfAForeignDomain(t *testing.T) {
	l := need(t)
	to := remote("foreign")
	submit(t, l).mustSend(t, "<kim@good.example>", to, compose("kim@elsewhere.example", to, "hello", "text"))
	wantUnsigned(t, l.sink.wait(t, to))
}

// TestOurFieldsDoNotLeave: fields with our authserv-id do not leave in a user's mail (RFC 8601 §5).
func TestOurFieldsDoNotLeave(t *testing.T) {
	l := need(t)
	to := remote("claims")
	msg := compose("kim@good.example", to, "hello", "text", "Authentication-Results: mx.good.example; dkim=pass header.d=bank.example\r\n")
	submit(t, l).mustSend(t, "<kim@good.example>", to, msg)
	got := l.sink.wait(t, to)
	if ar := named(got, "Authentication-Results"); len(ar) != 0 {
		t.Errorf("left with %q", ar)
	}
	wantSigned(t, l, "good.example", got)
}

// TestSendmailCommandIsSigned: local programs, cron's mail from a subdomain among them, are signed.
func TestSendmailCommandIsSigned(t *testing.T) {
	l := need(t)
	for _, tc := range []struct{ name, author string }{
		{"user", "Kim <kim@good.example>"},
		{"cron", "root@host.good.example (Cron Daemon)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			to := remote("program")
			l.sendmail(t, "root@host.good.example", to, []byte("From: "+tc.author+"\nTo: "+to+"\nSubject: Cron <root@host> /bin/true\n\ndone\n"))
			msg := l.sink.wait(t, to)
			wantSigned(t, l, "good.example", msg)
			if err := opendkimVerify(l, msg); err != nil {
				t.Error(err)
			}
		})
	}
}

// sendmail gives a message with LF line ends to sendmail(1).
func (l *lab) sendmail(t *testing.T, mailFrom, to string, msg []byte) {
	t.Helper()
	if _, err := run(msg, "/usr/sbin/sendmail", "-C", l.postfix.etc(), "-f", mailFrom, to); err != nil {
		t.Fatal(err)
	}
}

// TestLoopbackIPv6IsLocal: a program that speaks SMTP to ::1 is ours, without XCLIENT or authentication.
func TestLoopbackIPv6IsLocal(t *testing.T) {
	l := need(t)
	to := remote("six")
	c := dial(t, fmt.Sprintf("[::1]:%d", l.postfix.ports.smtp), from{})
	c.mustSend(t, "<app@good.example>", to, compose("app@good.example", to, "over ::1", "text"))
	wantSigned(t, l, "good.example", l.sink.wait(t, to))
}

// TestStrangerIsNotSigned: a client from outside who claims our domain gets no signature of ours.
func TestStrangerIsNotSigned(t *testing.T) {
	l := need(t)
	to := box("spoofed")
	c := dial(t, local(l.postfix.ports.smtp), stranger)
	c.mustSend(t, "<boss@lax.example>", to, compose("boss@lax.example", to, "urgent", "text"))
	msg := l.mailbox(t, to)
	wantUnsigned(t, msg)
	wantAll(t, ownResults(t, msg), "spf=softfail", "dmarc=fail", "dkim=none") // the advised record ends in ~all
}

// TestBounceIsSigned: Postfix's own bounces pass non_smtpd_milters with a null sender (internal_mail_filter_classes)
// and are signed for the subdomain's parent.
func TestBounceIsSigned(t *testing.T) {
	l := need(t)
	back := box("bounced")
	to := remote("fail")
	submit(t, l).mustSend(t, "<"+back+">", to, compose(back, to, "will bounce", "text"))
	msg := l.mailbox(t, back)
	wantSigned(t, l, "good.example", msg)
	wantAll(t, header(msg), "Return-Path: <>", "MAILER-DAEMON@host.good.example")
}

// TestKoreanMail: raw UTF-8, encoded words, and SMTPUTF8 addresses are signed as they are sent.
func TestKoreanMail(t *testing.T) {
	l := need(t)
	for _, tc := range []struct{ name, mailFrom, author, subject string }{
		{"encoded word", "<kim@good.example> BODY=8BITMIME", "=?utf-8?B?6rmA?= <kim@good.example>", "=?utf-8?B?7JWI64WV7ZWY7IS47JqU?="},
		{"raw UTF-8 subject", "<kim@good.example> BODY=8BITMIME SMTPUTF8", "김철수 <kim@good.example>", "안녕하세요 봉인된 편지입니다"},
		{"folded raw UTF-8", "<kim@good.example> BODY=8BITMIME SMTPUTF8", "김철수 <kim@good.example>", "안녕하세요\r\n 봉인된\r\n\t 편지  입니다 "},
		{"SMTPUTF8 address", "<김@good.example> BODY=8BITMIME SMTPUTF8", "김 <김@good.example>", "주소"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			to := remote("korean")
			submit(t, l).mustSend(t, tc.mailFrom, to, compose(tc.author, to, tc.subject, "본문입니다.\r\n"+strings.Repeat("가나다라마바사 ", 12)))
			msg := l.sink.wait(t, to)
			wantSigned(t, l, "good.example", msg)
			wantAll(t, string(msg), "Subject: "+tc.subject+"\r\n", "본문입니다.")
		})
	}
}

// TestTwentyMegabytes: a large attachment is signed on the way out and verified on the way in.
func TestTwentyMegabytes(t *testing.T) {
	l := need(t)
	line76 := strings.Repeat("QUJDREVGR0hJSktM", 5)[:76] + "\r\n"
	attachment := strings.Repeat(line76, 20<<20/len(line76))
	to := remote("large")
	submit(t, l).mustSend(t, "<kim@good.example>", to, compose("kim@good.example", to, "20 MB", attachment))
	msg := l.sink.wait(t, to)
	wantSigned(t, l, "good.example", msg)
	if err := opendkimVerify(l, msg); err != nil {
		t.Error(err)
	}
	here := box("large")
	c := dial(t, local(l.postfix.ports.smtp), sender)
	c.mustSend(t, "<ann@sender.example>", here, l.outsider.sign(t, compose("ann@sender.example", here, "20 MB", attachment)))
	wantAll(t, ownResults(t, l.mailbox(t, here)), "dkim=pass", "dmarc=pass")
}

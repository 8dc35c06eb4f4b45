//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestSendmailSigns: mail of our own machines, of programs through the sendmail command, and of local SMTP clients is
// signed as Sendmail sends it, and foreign verifiers agree.
func TestSendmailSigns(t *testing.T) {
	l := need(t)
	s := l.sm
	network, loopback, long, program, cron := remote("network"), remote("loopback"), remote("long"), remote("program"), remote("cron")
	s.dial(t, printer).mustSend(t, "<kim@good.example>", network, compose("Kim G. <kim@good.example>", network, "hello", "A line.\r\n.dot\r\n\r\n\r\n"))
	s.dial(t, from{"127.0.0.1", "", "localhost"}).mustSend(t, "<app@lax.example>", loopback, compose("app@lax.example", loopback, "hello", "text"))
	s.dial(t, printer).mustSend(t, "<kim@good.example>", long, compose("kim@good.example", long, "20 kB of recipients", "text",
		"Cc: "+strings.Repeat("someone.with.a.long.name@elsewhere.example,", 450)+"last@elsewhere.example\r\n"))
	s.submit(t, "kim@good.example", program, []byte("From: Kim G. <kim@good.example>\nTo: "+program+"\nSubject: from a program\n\ntext\n"))
	s.submit(t, "root@app.good.example", cron, []byte("From: root (Cron Daemon)\nTo: "+cron+"\nSubject: Cron <root@app> /bin/true\n\ntext\n"))
	var good [][]byte
	for _, to := range []string{network, long, program, cron} {
		good = append(good, s.sink.wait(t, to))
	}
	lax := s.sink.wait(t, loopback)
	wantSigned(t, l, "good.example", good...)
	wantSigned(t, l, "lax.example", lax)
	for _, msg := range append(good, lax) {
		if err := opendkimVerify(l, msg); err != nil {
			t.Errorf("%v\n%s", err, header(msg))
		}
		if got := names(msg)[:3]; fmt.Sprint(got) != "[dkim-signature dkim-signature received]" {
			t.Errorf("the signatures are not at the top: %v", got)
		}
	}
}

// TestSendmailStrangerIsNotSigned: who only claims our domain gets neither a signature nor a changed address field.
func TestSendmailStrangerIsNotSigned(t *testing.T) {
	l := need(t)
	to := box("spoofed")
	l.sm.dial(t, stranger).mustSend(t, "<boss@lax.example>", to, compose("boss@lax.example", to, "urgent", "text"))
	msg := l.sm.sink.wait(t, to)
	wantUnsigned(t, msg)
	wantAll(t, ownResults(t, msg), "spf=softfail", "dmarc=fail", "dkim=none")
}

// TestSendmailInbound: a legitimate message passes everything, over IPv4 and IPv6, and says so at the very top.
func TestSendmailInbound(t *testing.T) {
	l := need(t)
	for name, who := range map[string]from{"IPv4": sender, "IPv6": {"2001:db8:66::6", "", "mail.sender.example"}} {
		t.Run(name, func(t *testing.T) {
			to := box("pass")
			l.sm.dial(t, who).mustSend(t, "<ann@sender.example>", to, l.outsider.sign(t, compose("Ann <ann@sender.example>", to, "hello", "text")))
			msg := l.sm.sink.wait(t, to)
			ar := ownResults(t, msg)
			wantAll(t, ar, "spf=pass", "dmarc=pass", "header.s=r1", "header.s=e1", "policy.iprev=", who.ip)
			if n := strings.Count(ar, "dkim=pass"); n != 2 {
				t.Errorf("%d dkim=pass, want 2: %s", n, ar)
			}
			if got := names(msg)[:2]; fmt.Sprint(got) != "[authentication-results received]" {
				t.Errorf("top fields %v", got)
			}
		})
	}
}

// TestSendmailForgedResults: fields that claim our authserv-id go, however many: Sendmail's indexes do not shift when one
// is deleted, Postfix's do.
func TestSendmailForgedResults(t *testing.T) {
	l := need(t)
	plain := "Authentication-Results: mx.good.example; dmarc=pass header.from=bank.example\r\n"
	foreign := "Authentication-Results: mx.elsewhere.example; spf=pass smtp.mailfrom=a.example\r\n"
	for _, tc := range []struct {
		name   string
		fields []string
		stay   int
	}{
		{"1", []string{plain}, 0},
		{"2", []string{plain, plain}, 0},
		{"50", strings.SplitAfter(strings.Repeat(plain, 50), "\n")[:50], 0},
		{"foreign ones stay", []string{foreign, plain, foreign, plain, foreign}, 3},
		{"spellings", []string{"AUTHENTICATION-RESULTS: MX.GOOD.EXAMPLE; dkim=pass\r\n", "Authentication-Results : mx.good.example; dkim=pass\r\n",
			"Authentication-Results:\r\n\tmx.good.example;\r\n\tdkim=pass\r\n", "X-Quarantine: a\r\n", "x-quarantine: b\r\n"}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			to := box("forged")
			msg := l.outsider.sign(t, compose("ann@sender.example", to, "trust me", "text", tc.fields...))
			l.sm.dial(t, sender).mustSend(t, "<ann@sender.example>", to, msg)
			got := l.sm.sink.wait(t, to)
			wantAll(t, ownResults(t, got), "dkim=pass", "dmarc=pass header.from=sender.example")
			if n := len(named(got, "Authentication-Results")); n != tc.stay+1 || named(got, "X-Quarantine") != nil {
				t.Errorf("%d Authentication-Results fields, want ours and %d\n%s", n, tc.stay, header(got))
			}
		})
	}
	t.Run("outbound", func(t *testing.T) {
		to := remote("claims")
		l.sm.dial(t, printer).mustSend(t, "<kim@good.example>", to, compose("Kim G. <kim@good.example>", to, "hello", "text", plain, plain))
		got := l.sm.sink.wait(t, to)
		if ar := named(got, "Authentication-Results"); ar != nil {
			t.Errorf("left with %q", ar)
		}
		wantSigned(t, l, "good.example", got)
	})
}

// TestSendmailRefuses: a spoof is refused in the SMTP dialogue, and nothing of it stays for the next message.
func TestSendmailRefuses(t *testing.T) {
	l := need(t)
	c := l.sm.dial(t, sender)
	pass := []string{"spf=pass", "dkim=pass", "dmarc=pass header.from=sender.example"}
	for i := range 3 {
		to := box("good")
		c.mustSend(t, "<ann@sender.example>", to, l.outsider.sign(t, compose("ann@sender.example", to, "good", "text")))
		wantAll(t, ownResults(t, l.sm.sink.wait(t, to)), pass...)
		rep, err := c.send("<ceo@reject.example>", []string{to}, compose("ceo@reject.example", to, "spoof", "text"))
		if err != nil || rep.code != 550 || !strings.HasPrefix(rep.text, "5.7.1 ") || !strings.Contains(rep.text, "reject.example") {
			t.Errorf("spoof %d: %v %v", i, rep, err)
		}
		c.must(t, 250, "MAIL FROM:<ceo@reject.example>")
		c.must(t, 250, "RSET")
		if rep, err := c.cmd("XYZZY plugh"); err != nil || rep.code < 500 {
			t.Errorf("unknown command: %v %v", rep, err)
		}
	}
	unsigned := box("unsigned")
	c.mustSend(t, "<ann@sender.example>", unsigned, compose("ann@sender.example", unsigned, "unsigned", "text"))
	wantAll(t, ownResults(t, l.sm.sink.wait(t, unsigned)), "spf=pass", "dkim=none")
	none := compose("x", "y@good.example", "no From", "text")
	none = []byte(strings.Replace(string(none), "From: x\r\n", "", 1))
	if rep, err := c.send("<ann@sender.example>", []string{box("none")}, none); err != nil || rep.code != 550 || !strings.HasPrefix(rep.text, "5.7.1 ") {
		t.Errorf("no From: %v %v", rep, err)
	}
}

// TestSendmailTempfail: a rule's tempfail reaches the client as the code that it names.
func TestSendmailTempfail(t *testing.T) {
	l := need(t)
	l.daemon.restartAfter(t)
	l.daemon.reload(t, "policy: {rules: [{name: later, if: {helo: mail.sender.example}, action: tempfail}, defaults]}\n", true)
	to := box("later")
	rep, err := l.sm.dial(t, sender).send("<ann@sender.example>", []string{to}, compose("ann@sender.example", to, "later", "text"))
	if err != nil || rep.code/100 != 4 {
		t.Errorf("%v %v, want 4xx", rep, err)
	}
}

// TestSendmailQuarantine: `quarantine: hold` puts the message into Sendmail's quarantine, where mailq -qQ lists it with the
// reason; released, it goes out with the results.
func TestSendmailQuarantine(t *testing.T) {
	l := need(t)
	l.daemon.restartAfter(t)
	l.daemon.reload(t, "policy: {quarantine: hold}\n", true)
	to := box("held")
	l.sm.dial(t, stranger).mustSend(t, "<ceo@quarantine.example>", to, compose("ceo@quarantine.example", to, "hm", "text"))
	var id string
	eventually(t, 10*time.Second, "the message in mailq -qQ", func() bool {
		for held, text := range l.sm.quarantined(t) {
			if strings.Contains(text, to) {
				id = held
				wantAll(t, text, "dmarc-quarantine")
			}
		}
		return id != ""
	})
	if got := l.sm.sink.all(to); got != nil {
		t.Error("delivered all the same")
	}
	if out, err := l.sm.command(nil, "-C", "/mnt/etc/sendmail.cf", "-qQ", "-qI"+id, "-Q"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := l.sm.command(nil, "-C", "/mnt/etc/sendmail.cf", "-qI"+id); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	msg := l.sm.sink.wait(t, to)
	if n := len(named(msg, "X-Quarantine")); n != 1 {
		t.Errorf("%d X-Quarantine fields after the release", n)
	}
	ownResults(t, msg)
}

// TestSendmailSilentResolver: a resolver that stays silent costs time, not the message: Sendmail hears from us every 3 s.
// One daemon has Sendmail's own T= (10 s between packets), the other waits 4 s.
func TestSendmailSilentResolver(t *testing.T) {
	l := need(t)
	l.daemon.restartAfter(t)
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	resolver := l.daemon.dns
	t.Cleanup(func() { l.daemon.dns, l.daemon.dnsMore = resolver, "" }) // before restartAfter's
	l.daemon.dns, l.daemon.dnsMore = silent.LocalAddr().String(), ", timeout: 9s"
	l.daemon.reload(t, "", true)
	var wg sync.WaitGroup
	for _, port := range []int{25, impatient} {
		wg.Go(func() {
			to := fmt.Sprintf("silence-%d@good.example", port)
			c, err := l.sm.open(sender, port)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.conn.Close()
			start := time.Now()
			rep, err := c.send("<ann@sender.example>", []string{to}, compose("ann@sender.example", to, "hello", "text"))
			took := time.Since(start)
			if err != nil || rep.code != 250 || took < 8*time.Second {
				t.Errorf("port %d: %v %v after %v, want 250 after about 9 s", port, rep, err, took)
				return
			}
			t.Logf("port %d: accepted after %v", port, took.Round(100*time.Millisecond))
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	for _, port := range []int{25, impatient} {
		wantAll(t, ownResults(t, l.sm.sink.wait(t, fmt.Sprintf("silence-%d@good.example", port))), "spf=temperror", "dmarc=temperror")
	}
}

// TestSendmailKillInMidRun: clients send messages and try again on 4xx; the daemon is killed in the middle and stays down
// for 2 s. With F=T every message arrives once, signed, also that of a program, which waits in the client queue.
func TestSendmailKillInMidRun(t *testing.T) {
	l := need(t)
	l.daemon.restartAfter(t)
	const workers, each = 4, 20
	var sent, retried atomic.Int64
	third := make(chan struct{})
	var once sync.Once
	var rcpts [workers][each]string
	var wg sync.WaitGroup
	for w := range workers {
		for i := range each {
			rcpts[w][i] = remote("sm-survivor")
		}
		wg.Go(func() {
			var c *client
			defer func() {
				if c != nil {
					c.conn.Close()
				}
			}()
			for _, to := range rcpts[w] {
				msg := compose("Kim G. <kim@good.example>", to, "survives", strings.Repeat("text\r\n", 200))
				for end := time.Now().Add(60 * time.Second); ; {
					var rep reply
					var err error
					if c == nil {
						c, err = l.sm.open(printer, 25)
					}
					if err == nil {
						rep, err = c.send("<kim@good.example>", []string{to}, msg)
					}
					if err == nil && rep.code == 250 {
						break
					}
					if err == nil && rep.code >= 500 || time.Now().After(end) {
						t.Errorf("%s: %v %v", to, rep, err)
						return
					}
					if c != nil {
						c.conn.Close()
						c = nil
					}
					retried.Add(1)
					time.Sleep(200 * time.Millisecond) // what a client that obeys a 4xx does, only faster
				}
				if sent.Add(1) == workers*each/3 {
					once.Do(func() { close(third) })
				}
			}
		})
	}
	select {
	case <-third:
	case <-time.After(time.Minute):
		t.Fatal("no third of the messages in a minute")
	}
	l.daemon.kill()
	program := remote("sm-program")
	l.sm.submit(t, "root@app.good.example", program, []byte("From: root@app.good.example\nTo: "+program+"\nSubject: down\n\ntext\n"))
	time.Sleep(2 * time.Second) // the outage
	if err := l.daemon.start(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	t.Logf("%d messages, %d retries", sent.Load(), retried.Load())
	if retried.Load() == 0 {
		t.Error("nobody noticed the outage: the kill came too late")
	}
	if len(l.sm.sink.all(program)) != 0 {
		t.Error("the program's message went out while the daemon was down")
	}
	if _, err := l.sm.command(nil, "-Ac", "-C", "/mnt/etc/submit.cf", "-q"); err != nil { // what the queue runner does every 20 minutes
		t.Fatal(err)
	}
	msgs := [][]byte{l.sm.sink.wait(t, program)}
	for _, list := range rcpts {
		for _, to := range list {
			msgs = append(msgs, l.sm.sink.wait(t, to))
		}
	}
	wantSigned(t, l, "good.example", msgs...)
}

// TestSendmailBodies: bodies that canonicalisation trips over, and the length at which Sendmail begins to cut lines.
func TestSendmailBodies(t *testing.T) {
	l := need(t)
	since := l.daemon.logged(t)
	var labels, rcpts []string
	c := l.sm.dial(t, printer)
	one := func(label, body string) {
		to := remote("body")
		head, _, _ := bytes.Cut(compose("kim@good.example", to, label, ""), []byte("\r\n\r\n"))
		c.mustSend(t, "<kim@good.example> BODY=8BITMIME", to, append(append(head, "\r\n\r\n"...), body...))
		labels, rcpts = append(labels, label), append(rcpts, to)
	}
	for label, body := range bodies {
		if label != "long lines" && label != "bytes" { // Sendmail refuses NUL, and L=990
			one(label, body)
		}
	}
	one("8 bits", "\xed\x99\xa9\xea\xb8\xb8\xeb\x8f\x99\r\n")
	one("990 bytes", strings.Repeat("x", 990)+"\r\n")
	if text := since(); strings.Count(text, "signature at risk") != 1 || !strings.Contains(text, "8-bit body") {
		t.Errorf("want one line, for the 8-bit body:\n%s", text)
	}
	one("991 bytes", strings.Repeat("x", 991)+"\r\n")
	wantAll(t, line(since(), "a body line of 991 bytes"), "signature at risk")
	var msgs [][]byte
	for _, to := range rcpts {
		msgs = append(msgs, l.sm.sink.wait(t, to))
	}
	for i, sigs := range pythonVerify(t, l, msgs...) {
		good := len(sigs) == 2 && sigs[0].OK && sigs[1].OK
		if want := labels[i] != "991 bytes"; good != want {
			t.Errorf("%s: %+v, want good: %v\n%q", labels[i], sigs, want, msgs[i])
		}
	}
}

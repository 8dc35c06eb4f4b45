//go:build e2e

package e2e

import (
	"fmt"
	"testing"
)

// TestManyMessagesOneConnection: each message of a connection is judged by itself, whatever came before it.
func TestManyMessagesOneConnection(t *testing.T) {
	l := need(t)
	c := dial(t, local(l.postfix.ports.smtp), sender)
	good := func(name string) (string, []byte) {
		to := box(name)
		return to, l.outsider.sign(t, compose("ann@sender.example", to, name, "text"))
	}
	pass := []string{"spf=pass", "dkim=pass", "dmarc=pass header.from=sender.example"}

	to1, msg := good("first")
	c.mustSend(t, "<ann@sender.example>", to1, msg)

	to2 := box("second") // a spoof after a good message must not inherit its results
	rep, err := c.send("<ceo@reject.example>", []string{to2}, compose("ceo@reject.example", to2, "second", "text"))
	if err != nil || rep.code != 550 {
		t.Errorf("spoof as second message: %v %v", rep, err)
	}

	to3, msg := good("third") // nor a good message the refusal
	c.mustSend(t, "<ann@sender.example>", to3, msg)

	c.must(t, 250, "MAIL FROM:<ceo@reject.example>")
	c.must(t, 250, "RCPT TO:<"+box("reset")+">")
	c.must(t, 250, "RSET")
	to4, msg := good("fourth")
	c.mustSend(t, "<ann@sender.example>", to4, msg)

	c.must(t, 250, "MAIL FROM:<ceo@reject.example>")
	c.must(t, 250, "EHLO mail.sender.example") // in mid-transaction: begins anew
	to5, msg := good("fifth")
	c.mustSend(t, "<ann@sender.example>", to5, msg)

	if rep, err := c.cmd("XYZZY plugh"); err != nil || rep.code < 500 {
		t.Errorf("unknown command: %v %v", rep, err)
	}
	c.must(t, 250, "NOOP")
	to6 := box("sixth") // unsigned: dkim must be none, not the fifth's
	c.mustSend(t, "<ann@sender.example>", to6, compose("ann@sender.example", to6, "sixth", "text"))
	to7 := box("seventh") // another identity, unauthenticated: SPF is none or fail of its own domain
	c.mustSend(t, "<ceo@quarantine.example>", to7, compose("ceo@quarantine.example", to7, "seventh", "text"))
	c.must(t, 221, "QUIT")

	for _, to := range []string{to1, to3, to4, to5} {
		wantAll(t, ownResults(t, l.mailbox(t, to)), pass...)
	}
	wantAll(t, ownResults(t, l.mailbox(t, to6)), "spf=pass", "dkim=none", "dmarc=pass")
	wantAll(t, ownResults(t, l.mailbox(t, to7)), "spf=fail", "dkim=none", "dmarc=fail", "header.from=quarantine.example")
}

// TestManySubmissionsOneConnection: the same for mail that we sign, with every domain in turn.
func TestManySubmissionsOneConnection(t *testing.T) {
	l := need(t)
	c := submit(t, l)
	byDomain := map[string][][]byte{}
	var rcpts [][2]string
	for i := range 10 {
		domain := []string{"good.example", "elsewhere.example", "lax.example"}[i%3]
		to := remote("turn")
		c.mustSend(t, "<kim@good.example>", to, compose("kim@"+domain, to, fmt.Sprint("turn ", i), "text"))
		rcpts = append(rcpts, [2]string{domain, to})
	}
	for _, r := range rcpts {
		byDomain[r[0]] = append(byDomain[r[0]], l.sink.wait(t, r[1]))
	}
	wantSigned(t, l, "good.example", byDomain["good.example"]...)
	wantSigned(t, l, "lax.example", byDomain["lax.example"]...)
	for _, msg := range byDomain["elsewhere.example"] {
		wantUnsigned(t, msg)
	}
}

// TestSeveralRecipients: one message, recipients here and abroad.
func TestSeveralRecipients(t *testing.T) {
	l := need(t)
	here, there := box("both"), remote("both")
	rep, err := submit(t, l).send("<kim@good.example>", []string{here, there, "fail-later@remote.example"},
		compose("kim@good.example", there, "both", "text"))
	if err != nil || rep.code != 250 {
		t.Fatalf("%v %v", rep, err)
	}
	wantSigned(t, l, "good.example", l.mailbox(t, here), l.sink.wait(t, there))
}

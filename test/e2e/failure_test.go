//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestKillInMidRun: 8 clients send 200 messages and try again on 4xx; after a third of them the daemon is killed and
// stays down for 2 s. With milter_default_action=tempfail every message arrives once, signed.
func TestKillInMidRun(t *testing.T) {
	l := need(t)
	l.daemon.restartAfter(t)
	const workers, each = 8, 25
	var sent, retried atomic.Int64
	third := make(chan struct{})
	var once sync.Once
	var rcpts [workers][each]string
	var wg sync.WaitGroup
	for w := range workers {
		for i := range each {
			rcpts[w][i] = remote("survivor")
		}
		wg.Go(func() {
			var c *client
			for _, to := range rcpts[w] {
				msg := compose("kim@good.example", to, "survives", strings.Repeat("text\r\n", 200))
				for end := time.Now().Add(90 * time.Second); ; {
					ok, err := trySubmit(l, &c, to, msg)
					if ok {
						break
					}
					if err != nil || time.Now().After(end) {
						t.Errorf("%s: %v", to, errOr(err, "not accepted in 90 s"))
						return
					}
					retried.Add(1)
					time.Sleep(200 * time.Millisecond) // what a client that obeys a 4xx does, only faster
				}
				if sent.Add(1) == workers*each/3 {
					once.Do(func() { close(third) })
				}
			}
			c.conn.Close()
		})
	}
	select {
	case <-third:
	case <-time.After(2 * time.Minute):
		t.Fatal("no third of the messages in two minutes")
	}
	l.daemon.kill()
	program := remote("program-survivor") // sendmail(1) takes mail while the daemon is down
	l.sendmail(t, "root@host.good.example", program, []byte("From: root@host.good.example\nTo: "+program+"\nSubject: down\n\ntext\n"))
	time.Sleep(2 * time.Second) // the outage
	if _, err := os.Stat(l.daemon.socket); err != nil {
		t.Errorf("no stale socket was left by kill -9, so its replacement is not shown: %v", err)
	}
	if err := l.daemon.start(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	t.Logf("%d messages, %d retries", sent.Load(), retried.Load())
	if retried.Load() == 0 {
		t.Error("nobody noticed the outage: the kill came too late")
	}
	var msgs [][]byte
	for _, list := range rcpts {
		for _, to := range list {
			msgs = append(msgs, l.sink.wait(t, to))
		}
	}
	wantSigned(t, l, "good.example", msgs...)
	// pickup(8) looks again after a minute, or when the next local message comes.
	nudge := remote("nudge")
	l.sendmail(t, "root@host.good.example", nudge, []byte("From: root@host.good.example\nTo: "+nudge+"\nSubject: up\n\ntext\n"))
	eventually(t, 75*time.Second, "the program's message", func() bool { return len(l.sink.all(program)) == 1 })
	wantSigned(t, l, "good.example", l.sink.wait(t, program), l.sink.wait(t, nudge))
}

// trySubmit tries once to submit a message, on *c when it is open. It returns true when the message was accepted,
// and an error for anything that is not temporary.
func trySubmit(l *lab, c **client, to string, msg []byte) (bool, error) {
	rep, err := func() (reply, error) {
		if *c == nil {
			fresh, err := open(local(l.postfix.ports.submit))
			if err != nil {
				return reply{}, err
			}
			*c = fresh
			if rep, err := fresh.cmd("EHLO client.example"); err != nil || rep.code != 250 {
				return rep, err
			}
			if rep, err := fresh.auth(); err != nil || rep.code != 235 {
				return rep, err
			}
		}
		return (*c).send("<kim@good.example>", []string{to}, msg)
	}()
	if err == nil && rep.code == 250 {
		return true, nil
	}
	if *c != nil {
		(*c).conn.Close()
		*c = nil
	}
	if err == nil && rep.code >= 500 {
		return false, fmt.Errorf("%v", rep)
	}
	return false, nil
}

// TestTerminateFinishesTransactions: SIGTERM while a client is in DATA: its message is accepted and signed, then the
// daemon goes with exit code 0; who comes meanwhile gets a 4xx.
func TestTerminateFinishesTransactions(t *testing.T) {
	l := need(t)
	l.daemon.restartAfter(t)
	c := submit(t, l)
	to := remote("last")
	msg := compose("kim@good.example", to, "in DATA when the daemon is told to go", strings.Repeat("text\r\n", 100))
	c.must(t, 250, "MAIL FROM:<kim@good.example>")
	c.must(t, 250, "RCPT TO:<"+to+">")
	c.must(t, 354, "DATA")
	if err := c.part(msg); err != nil {
		t.Fatal(err)
	}
	old := l.daemon.proc
	old.signal(syscall.SIGTERM)
	// The daemon has taken note when it no longer accepts.
	eventually(t, 10*time.Second, "a daemon that accepts no more", func() bool {
		late, err := open(local(l.postfix.ports.smtp))
		if err != nil {
			return true // Postfix may answer 451 at once
		}
		defer late.conn.Close()
		_, _ = late.cmd("EHLO late.example")
		rep, err := late.cmd("MAIL FROM:<app@good.example>")
		return err == nil && rep.code == 451
	})
	if rep, err := c.cmd("."); err != nil || rep.code != 250 {
		t.Fatalf("end of DATA after SIGTERM: %v %v", rep, err)
	}
	if err := old.wait(15 * time.Second); err != nil {
		t.Errorf("the daemon did not end well: %v", err)
	}
	wantSigned(t, l, "good.example", l.sink.wait(t, to))
}

// TestTerminateWhenIdle: open but idle connections do not hold up the end.
func TestTerminateWhenIdle(t *testing.T) {
	l := need(t)
	l.daemon.restartAfter(t)
	_ = submit(t, l) // Postfix keeps its milter connection open for the session
	old := l.daemon.proc
	old.signal(syscall.SIGTERM)
	if err := old.wait(10 * time.Second); err != nil {
		t.Error(err)
	}
}

// TestReload: a good file takes effect without a 451, a bad one changes nothing and is named in the log.
func TestReload(t *testing.T) {
	l := need(t)
	l.daemon.restartAfter(t)
	c := dial(t, local(l.postfix.ports.smtp), stranger)
	spoof := func(mailbox string) (reply, error) {
		return c.send("<ceo@reject.example>", []string{mailbox}, compose("ceo@reject.example", mailbox, "reload", "text"))
	}
	if rep, err := spoof(box("before")); err != nil || rep.code != 550 {
		t.Fatalf("before: %v %v", rep, err)
	}
	l.daemon.reload(t, "policy: {dmarc_reject: quarantine}\n", true)
	tagged := box("reloaded")
	if rep, err := spoof(tagged); err != nil || rep.code != 250 { // on the same connection
		t.Fatalf("after a good reload: %v %v, want 250", rep, err)
	}
	if q := named(l.mailbox(t, tagged), "X-Quarantine"); len(q) != 1 {
		t.Errorf("X-Quarantine %q", q)
	}
	since := l.daemon.logged(t)
	l.daemon.reload(t, "polizei: {}\n", false)
	wantAll(t, line(since(), "polizei"), "milter.yaml", "line=")
	again := box("kept")
	if rep, err := spoof(again); err != nil || rep.code != 250 {
		t.Fatalf("after a bad reload: %v %v, want 250 by the configuration before", rep, err)
	}
}

// TestSocketIsNotStolen: a second daemon on the same sockets refuses to start, and the first goes on.
func TestSocketIsNotStolen(t *testing.T) {
	l := need(t)
	second, err := l.daemon.launch(l.daemon.dir + "/second.log")
	if err != nil {
		t.Fatal(err)
	}
	defer second.stop(5 * time.Second)
	if err := second.wait(20 * time.Second); err == nil || !second.ended() {
		t.Errorf("the second daemon did not refuse: %v", err)
	}
	to := remote("first")
	submit(t, l).mustSend(t, "<kim@good.example>", to, compose("kim@good.example", to, "still here", "text"))
	wantSigned(t, l, "good.example", l.sink.wait(t, to))
}

// TestStaleSocket: after kill -9 the socket file is still there, and the next start replaces it.
func TestStaleSocket(t *testing.T) {
	l := need(t)
	l.daemon.kill()
	before, err := os.Stat(l.daemon.socket)
	if err != nil {
		t.Errorf("no socket file is left: %v", err)
	}
	if err := l.daemon.start(); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(l.daemon.socket)
	if err != nil {
		t.Fatal(err)
	}
	if before == nil || before.ModTime().Equal(after.ModTime()) {
		t.Error("the socket file was not replaced")
	}
	if after.Mode().Perm() != 0o660 || int(after.Sys().(*syscall.Stat_t).Gid) != l.daemon.extra {
		t.Errorf("socket %v group %d, want 0660 postfix", after.Mode(), after.Sys().(*syscall.Stat_t).Gid)
	}
	to := remote("stale")
	submit(t, l).mustSend(t, "<kim@good.example>", to, compose("kim@good.example", to, "after a restart", "text"))
	wantSigned(t, l, "good.example", l.sink.wait(t, to))
}

// TestLastGoodConfiguration: with a broken file the daemon starts by the last one that worked; --strict refuses.
func TestLastGoodConfiguration(t *testing.T) {
	l := need(t)
	l.daemon.restart(t) // a good start, whose configuration is kept
	l.daemon.restartAfter(t)
	l.daemon.stop()
	if err := l.daemon.configure("polizei: {}\n"); err != nil {
		t.Fatal(err)
	}
	strict, err := l.daemon.launch(l.daemon.dir+"/strict.log", "--strict")
	if err != nil {
		t.Fatal(err)
	}
	defer strict.stop(5 * time.Second)
	if err := strict.wait(20 * time.Second); err == nil || strict.cmd.ProcessState == nil || strict.cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("--strict with a broken file: %v, want exit 1", err)
	}
	if err := l.daemon.start(); err != nil {
		t.Fatal(err)
	}
	to := remote("last-good")
	submit(t, l).mustSend(t, "<kim@good.example>", to, compose("kim@good.example", to, "by the last good file", "text"))
	wantSigned(t, l, "good.example", l.sink.wait(t, to))
}

// TestDaemonDown: while the daemon is down mail waits, it does not pass.
func TestDaemonDown(t *testing.T) {
	l := need(t)
	l.daemon.restartAfter(t)
	l.daemon.stop()
	c, err := open(local(l.postfix.ports.smtp))
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	c.must(t, 250, "EHLO localhost")
	rep, err := c.cmd("MAIL FROM:<app@good.example>")
	if err != nil || rep.code != 451 {
		t.Errorf("MAIL while the daemon is down: %v %v, want 451", rep, err)
	}
}

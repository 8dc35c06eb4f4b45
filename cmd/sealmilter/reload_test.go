package main

import (
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
)

// TestManySignalsAreFewReloads: who may signal the daemon cannot keep it busy with
// reading its files.
func TestManySignalsAreFewReloads(t *testing.T) {
	dir := serveFolder(t)
	writeConfig(t, dir, goodConfig)
	// For good: the last one may come when the daemon has ended, and ends us then.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	d := startServe(t, dir)
	d.wait("msg=ready")
	const signals = 300
	for range signals {
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	log := d.wait("msg=reloaded")
	d.sign(t)
	log += d.stop()
	if n := strings.Count(log, "msg=reloaded"); n > signals/3 {
		t.Errorf("%d reloads for %d signals", n, signals)
	}
}

//go:build e2e

package e2e

import (
	"os"
	"strings"
	"testing"
)

// TestDomainWithBrokenKey: mail of a domain whose keys never loaded waits with a 451; other domains go on: never
// unsigned silently.
func TestDomainWithBrokenKey(t *testing.T) {
	l := need(t)
	l.daemon.restartAfter(t)
	dir := l.daemon.keys() + "/lax.example"
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		path := dir + "/" + e.Name()
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(path, 0o600) })
	}
	if _, err := l.daemon.cli("check", "--config", l.daemon.config()); err == nil || !strings.Contains(err.Error(), "chmod") {
		t.Errorf("check says nothing of the world-readable key: %v", err)
	}
	l.daemon.stop()
	if err := l.daemon.start(); err != nil {
		t.Fatal(err)
	}
	to := remote("broken")
	c := submit(t, l)
	rep, err := c.send("<kim@lax.example>", []string{to}, compose("kim@lax.example", to, "key is broken", "text"))
	if err != nil || rep.code != 451 || !strings.HasPrefix(rep.text, "4.3.0") {
		t.Errorf("lax.example: %v %v, want 451 4.3.0", rep, err)
	}
	other := remote("sound")
	c.mustSend(t, "<kim@good.example>", other, compose("kim@good.example", other, "key is sound", "text"))
	wantSigned(t, l, "good.example", l.sink.wait(t, other))
}

// TestKeysAndDNSText: keys made by root are private and belong to the folder's owner, and NSD serves what `dns` prints. Nothing
// overwrites them.
func TestKeysAndDNSText(t *testing.T) {
	l := need(t)
	found := 0
	for _, domain := range ourDomains {
		dir := l.daemon.keys() + "/" + domain
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			selector, isKey := strings.CutSuffix(e.Name(), ".pem")
			if !isKey {
				continue
			}
			found++
			if _, err := l.daemon.cli("keys", "new", "--config", l.daemon.config(), "--selector", selector, domain); err == nil {
				t.Errorf("keys new took the existing selector %s of %s", selector, domain)
			}
			out, err := run(nil, "stat", "-c", "%a %U", dir+"/"+e.Name())
			if err != nil || strings.TrimSpace(string(out)) != "600 nobody" {
				t.Errorf("%s/%s: %s %v, want 600 nobody", domain, e.Name(), out, err)
			}
			txt, err := l.dns.txt(selector + "._domainkey." + domain)
			if err != nil || len(txt) != 1 || !strings.HasPrefix(txt[0], "v=DKIM1;") {
				t.Errorf("%s._domainkey.%s: %q %v", selector, domain, txt, err)
			}
		}
	}
	for _, domain := range ourDomains {
		for name, want := range map[string]string{domain: "v=spf1 ", "_dmarc." + domain: "v=DMARC1;"} {
			txt, err := l.dns.txt(name)
			if err != nil || len(txt) != 1 || !strings.HasPrefix(txt[0], want) {
				t.Errorf("advice for %s: %q %v", name, txt, err)
			}
		}
	}
	if found != 2*len(ourDomains) {
		t.Errorf("%d keys, want an RSA and an Ed25519 key a domain", found)
	}
}

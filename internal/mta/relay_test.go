package mta

import (
	"os"
	"path/filepath"
	"testing"
)

func TestSmartHost(t *testing.T) {
	for cf, want := range map[string]string{
		"DSrelay.example.com\n": "relay.example.com", "# x\nDSesmtp:[relay.example.com]\n": "relay.example.com", "DS[relay.example.com]\n": "relay.example.com",
		"DSesmtp:relay.example.com\n": "relay.example.com", "DS\n": "", "DM\n": "", "": "",
	} {
		if got := SmartHost(cf); got != want {
			t.Errorf("%q: %q", cf, got)
		}
	}
	for in, want := range map[string]string{"[relay.example.com]:587": "relay.example.com", "relay.example.com:25": "relay.example.com", "[192.0.2.1]": "192.0.2.1", "relay.example.com": "relay.example.com", "": ""} {
		if got := bareHost(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

func TestRelayOfPostfix(t *testing.T) {
	if _, ok := FindPostconf(); !ok {
		if os.Getenv("SEALMILTER_CI") != "" {
			t.Fatal("no postconf")
		}
		t.Skip("no Postfix")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.cf"), []byte("relayhost = [smtp.relay.example]:587\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := Relay(t.Context(), dir); got != "smtp.relay.example" {
		t.Errorf("%q", got)
	}
}

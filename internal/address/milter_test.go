package address

import "testing"

func TestMilter(t *testing.T) {
	for in, want := range map[string]string{
		"unix:sealmilter/milter.sock": "unix /q/sealmilter/milter.sock", "unix:/run/x/../s": "unix /run/s", "LOCAL:/run/s": "unix /run/s", "local:s": "unix /q/s",
		"inet:127.0.0.1:8891": "tcp 127.0.0.1:8891", "inet:LocalHost:8891": "tcp localhost:8891", "inet:8891@localhost": "tcp localhost:8891",
		"inet:8891": "tcp :8891", "inet:8891@": "tcp :8891", "inet:[::1]:8891": "tcp [::1]:8891", "inet6:8891@[::1]": "tcp [::1]:8891", "inet6:8891@::1": "tcp [::1]:8891",
		"inet:host:milter": "tcp host:milter",
		"":                 "", "unix:": "", "inet:": "", "/run/s": "", "tcp:host:1": "", "8891@localhost": "",
	} {
		network, addr, ok := Milter(in, "/q")
		got := network + " " + addr
		if !ok {
			got = ""
		}
		if got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

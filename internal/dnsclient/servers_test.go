package dnsclient

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseServer(t *testing.T) {
	tests := map[string]string{
		"127.0.0.1":      "127.0.0.1:53",
		"127.0.0.1:5353": "127.0.0.1:5353",
		"::1":            "[::1]:53",
		"[::1]":          "[::1]:53",
		"[::1]:5353":     "[::1]:5353",
		"fe80::1%eth0":   "[fe80::1%eth0]:53",
		"127.0.0.1:0":    "",
		"localhost":      "",
		"localhost:53":   "",
		"":               "",
		"[]":             "",
		"[":              "",
	}
	for in, want := range tests {
		got, err := ParseServer(in)
		if (err == nil) != (want != "") || err == nil && got.String() != want {
			t.Errorf("%q: %v, %v, want %q", in, got, err, want)
		}
	}
}

func TestResolvConf(t *testing.T) {
	tests := map[string]struct {
		text string
		want []string // a trailing + says that its AD bit is trusted
	}{
		"usual":         {"# made by dhcp\nsearch example.com\nnameserver 192.0.2.53\nnameserver ::1\n", []string{"192.0.2.53:53", "[::1]:53+"}},
		"trust-ad":      {"nameserver 192.0.2.53\noptions edns0 trust-ad\n", []string{"192.0.2.53:53+"}},
		"three at most": {"nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n", []string{"192.0.2.1:53", "192.0.2.2:53", "192.0.2.3:53"}},
		"link-local":    {"nameserver fe80::1%eth0", []string{"[fe80::1%eth0]:53"}},
		"rubbish":       {"nameserver\nnameserver dns.example\n;nameserver 192.0.2.1\n \t\noptions\n", nil},
		"empty":         {"", nil},
	}
	for title, tc := range tests {
		t.Run(title, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, show(parseResolvConf([]byte(tc.text)))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func show(list []server) []string {
	var out []string
	for _, s := range list {
		mark := ""
		if s.trustAD {
			mark = "+"
		}
		out = append(out, s.addr.String()+mark)
	}
	return out
}

func TestResolvConfIsReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	clk := newClock()
	c := newClient(t, Config{ResolvConf: path, Now: clk.Now})
	local := []string{"127.0.0.1:53", "[::1]:53"}
	steps := []struct {
		title string
		write string // "-": remove
		wait  time.Duration
		want  []string
	}{
		{"missing: this host", "-", 0, local},
		{"not looked at yet", "nameserver 192.0.2.1\n", checkEvery - 1, local},
		{"there now", "nameserver 192.0.2.1\n", 1, []string{"192.0.2.1:53"}},
		{"being written: as before", "# nothing yet\n", checkEvery, []string{"192.0.2.1:53"}},
		{"changed", "nameserver 192.0.2.2\nnameserver 192.0.2.3\n", checkEvery, []string{"192.0.2.2:53", "192.0.2.3:53"}},
		{"gone: as before", "-", checkEvery, []string{"192.0.2.2:53", "192.0.2.3:53"}},
		{"clock went back", "nameserver 192.0.2.4\n", -time.Hour, []string{"192.0.2.4:53"}},
	}
	for _, s := range steps {
		if s.write == "-" {
			_ = os.Remove(path)
		} else if err := os.WriteFile(path, []byte(s.write), 0o600); err != nil {
			t.Fatal(err)
		}
		clk.advance(s.wait)
		if diff := cmp.Diff(s.want, c.Servers()); diff != "" {
			t.Errorf("%s: %s", s.title, diff)
		}
	}
}

func FuzzResolvConf(f *testing.F) {
	f.Add([]byte("nameserver 192.0.2.1\noptions trust-ad\n"))
	f.Add([]byte("nameserver fe80::1%\x00\nnameserver ["))
	f.Fuzz(func(t *testing.T, text []byte) {
		list := parseResolvConf(text)
		if len(list) > 3 {
			t.Errorf("%d servers", len(list))
		}
		for _, s := range list {
			if !s.addr.IsValid() || s.addr.Port() != 53 {
				t.Errorf("server %v", s.addr)
			}
		}
	})
}

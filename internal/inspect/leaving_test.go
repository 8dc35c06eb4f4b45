package inspect

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/sealmilter/sealmilter/internal/config"
)

// postconf puts a Postfix in the way that answers with these parameters.
func postconf(t *testing.T, answers string) {
	t.Helper()
	dir := t.TempDir()
	script := "#!/bin/sh\ncat <<'END'\n" + answers + "config_directory = " + dir + "\nEND\n"
	if err := os.WriteFile(filepath.Join(dir, "postconf"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func TestHello(t *testing.T) {
	cfg := config.Default()
	for answers, want := range map[string]struct {
		name string
		ipv6 bool
	}{
		"myhostname = mail.example.com\nsmtp_helo_name = mail.example.com\ninet_protocols = all\n":     {"mail.example.com", true},
		"myhostname = vm\nsmtp_helo_name = mx.example.com\ninet_protocols = ipv4, ipv6\n":              {"mx.example.com", true},
		"myhostname = mail.example.com\nsmtp_helo_name = $myhostname\ninet_protocols = ipv4\n":         {"mail.example.com", false},
		"myhostname = mail.example.com\nsmtp_helo_name = mail.example.com\ninet_protocols = ipv6all\n": {"mail.example.com", false},
	} {
		postconf(t, answers)
		if name, ipv6 := hello(t.Context(), cfg); name != want.name || ipv6 != want.ipv6 {
			t.Errorf("%q: %s, %v", answers, name, ipv6)
		}
	}
}

// TestHowMailLeaves: what egress: says is not asked for, and what it does not say is not
// guessed.
func TestHowMailLeaves(t *testing.T) {
	postconf(t, "myhostname = Mail.Example.COM.\nsmtp_helo_name = Mail.Example.COM.\ninet_protocols = ipv4\n")
	cfg := config.Default()
	if l := HowMailLeaves(t.Context(), cfg); l.Helo != "" || l.IPv6 != nil {
		t.Errorf("%+v", l)
	}
	cfg.Egress = []netip.Addr{netip.MustParseAddr("192.0.2.1")}
	if l := HowMailLeaves(t.Context(), cfg); l.Helo != "mail.example.com" || l.IPv6 != nil || l.Relay != "" {
		t.Errorf("%+v", l)
	}
}

func TestWorldly(t *testing.T) {
	for host, want := range map[string]string{
		"mail.example.com": "mail.example.com", "MAIL.example.com.": "mail.example.com",
		"": "", "vm": "", "vm.local": "", "vm.lan": "", "host.invalid": "", "ip-10-0-0-1.ec2.internal": "", "[192.0.2.1]": "", "a b.example": "", "$myhostname": "",
	} {
		if got := worldly(host); got != want {
			t.Errorf("%q: %q", host, got)
		}
	}
}

func TestPublicIPv6(t *testing.T) {
	var addrs []net.Addr
	for _, s := range []string{"192.0.2.1/24", "::1/128", "fe80::1/64", "fd00::1/64", "2001:db8::1/64", "10.0.0.1/8"} {
		ip, n, err := net.ParseCIDR(s)
		if err != nil {
			t.Fatal(err)
		}
		addrs = append(addrs, &net.IPNet{IP: ip, Mask: n.Mask})
	}
	if got := publicIPv6(addrs); len(got) != 1 || got[0].String() != "2001:db8::1" {
		t.Errorf("%v", got)
	}
}

package setup

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/postfix"
)

func TestReadNetworks(t *testing.T) {
	self := []netip.Addr{netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("2001:db8::7")}
	for _, c := range []struct{ name, in, own, public, left string }{
		{"Debian's default", "127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128", "[]", "[]", "[]"},
		{"an office", "127.0.0.0/8, 192.168.5.0/24, [fd00::]/8", "[192.168.5.0/24 fd00::/8]", "[]", "[]"},
		{"the host itself", "127.0.0.0/8 198.51.100.7/32 [2001:db8::7]", "[198.51.100.7/32 2001:db8::7/128]", "[]", "[]"},
		{"the subnet, as before 3.0", "127.0.0.0/8 198.51.100.0/24 [2001:db8::]/64", "[198.51.100.0/24 2001:db8::/64]", "[198.51.100.0/24 2001:db8::/64]", "[]"},
		{"another host", "203.0.113.9", "[203.0.113.9/32]", "[203.0.113.9/32]", "[]"},
		{"exceptions", "!10.0.0.5, 10.0.0.0/8 192.168.0.0/16", "[192.168.0.0/16]", "[]", "[10.0.0.0/8]"},
		{"tables and files", "hash:/etc/postfix/networks /etc/nets 10.0.0.0/8", "[10.0.0.0/8]", "[]", "[hash:/etc/postfix/networks /etc/nets]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := readNetworks(c.in, self)
			if got := fmt.Sprint(n.own); got != c.own {
				t.Errorf("own %s, want %s", got, c.own)
			}
			if got := fmt.Sprint(n.public); got != c.public {
				t.Errorf("public %s, want %s", got, c.public)
			}
			if got := fmt.Sprint(n.left); got != c.left {
				t.Errorf("left %s, want %s", got, c.left)
			}
		})
	}
}

func testHost(chroot, myhostname, queue string) postfix.Host {
	return postfix.Host{
		Main:   postfix.ParseMain(""),
		Master: postfix.ParseMaster("smtp inet n - " + chroot + " - - smtpd\n"),
		Values: postfix.Values{"queue_directory": queue, "myhostname": myhostname, "mail_version": "3.7.11", "compatibility_level": "3.6"},
	}
}

func TestPlanConfig(t *testing.T) {
	queue := t.TempDir()
	sock := queue + "/sealmilter/milter.sock"
	for _, c := range []struct {
		name, old  string
		h          postfix.Host
		socketUnit bool
		want       string // lines of the new file
		milter     string
		listens    bool
		dropIn     bool
	}{
		{"new, chrooted", "", testHost("y", "mail.example.com", queue), false, `authserv_id: mail.example.com|mta: postfix|listen: ["unix:` + sock + `"]|  networks: ["10.0.0.0/8"]|  domains: [example.com]`, sock, true, false},
		{"new, not chrooted", "", testHost("n", "vm", queue), false, `authserv_id: example.com|  domains: [example.com]`, "/run/sealmilter/milter.sock", false, false},
		{"new, systemd has the sockets", "", testHost("n", "mail.example.com", queue), true, `authserv_id: mail.example.com`, sock, false, true},
		{"the package's file", "#authserv_id: mail.example.com\n\nsign:\n  # As [example.com]\n  domains: []\n", testHost("y", "mail.example.com", queue), true, "#authserv_id: mail.example.com|  # As [example.com]|  domains: [example.com]", sock, false, true},
		{"its own listen", "authserv_id: a.b\nlisten: inet:127.0.0.1:8890\n", testHost("y", "mail.example.com", queue), true, "authserv_id: a.b|listen: inet:127.0.0.1:8890", "127.0.0.1:8890", false, false},
		{"the visible one of two", "authserv_id: a.b\nlisten: ['unix:/run/x', 'unix:" + sock + "']\n", testHost("y", "m.x", queue), false, "authserv_id: a.b", sock, false, false},
		{"relays are not our own", "authserv_id: a.b\ninbound: {relays: [10.1.2.3]}\n", testHost("n", "m.x", queue), false, "authserv_id: a.b", "/run/sealmilter/milter.sock", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "milter.yaml")
			if c.old != "" {
				if err := os.WriteFile(path, []byte(c.old), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			got, problems, err := planConfig(path, []string{"example.com"}, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, postfixPlan(c.h, c.socketUnit))
			if err != nil || got == nil || got.cfg == nil {
				t.Fatalf("%v, %v", err, problems)
			}
			for line := range strings.SplitSeq(c.want, "|") {
				if !strings.Contains(got.new, line+"\n") {
					t.Errorf("no line %q in\n%s", line, got.new)
				}
			}
			if m := got.milter.Unix + got.milter.TCP; m != c.milter || got.listens != c.listens || got.dropIn != c.dropIn {
				t.Errorf("milter %s, listens %v, drop-in %v", m, got.listens, got.dropIn)
			}
			if len(got.cfg.Sign.Domains) != 1 || got.cfg.MTA != "postfix" {
				t.Errorf("%s", got.new)
			}
		})
	}
}

// Bad files are shown, not repaired.
func TestPlanConfigRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "milter.yaml")
	if err := os.WriteFile(path, []byte("authserv_id: a.b\nsing: {}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	got, problems, err := planConfig(path, []string{"example.com"}, nil, postfixPlan(testHost("n", "m.x", "/q"), false))
	if got != nil && got.cfg != nil || err != nil || len(problems) == 0 || problems[0].Line != 2 {
		t.Errorf("%+v, %v, %v", got, problems, err)
	}
}

func TestOrigin(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mailname")
	if err := os.WriteFile(file, []byte("Host.Example.com\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	h := testHost("n", "mail.example.com", "/q")
	for in, want := range map[string]string{file: "host.example.com", "$myhostname": "mail.example.com", "/nonexistent": ""} {
		h.Values["myorigin"] = in
		if got := origin(h); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

// TestSayOrigin: what is said of mail of programs on this host; --domain may be a slip,
// and is never what myorigin is to become.
func TestSayOrigin(t *testing.T) {
	cfg := config.Default()
	cfg.Sign.Domains = []config.SignDomain{{Name: "exmaple.com", Subdomains: true}}
	for myorigin, want := range map[string]string{
		"host.exmaple.com": "host.exmaple.com: signed with the key of exmaple.com",
		"example.com":      "warning: mail of programs on this host comes from @example.com: is --domain exmaple.com a slip of it?",
		"other.example":    "@other.example, which no key covers: if that is yours, give --domain other.example as well",
		"vm":               "@vm, which is no full domain, and is not signed",
	} {
		h := testHost("n", "mail.example.com", "/q")
		h.Values["myorigin"] = myorigin
		var out strings.Builder
		s := &Postfix{Common: Common{Talk: Talk{Out: &out, Err: &out}, Domains: []string{"exmaple.com"}}, inst: &postfix.Instance{Host: h}, conf: &configPlan{cfg: cfg}}
		if s.sayOrigin(); !strings.Contains(out.String(), want) || strings.Contains(out.String(), "set myorigin") {
			t.Errorf("%s: %s", myorigin, out.String())
		}
	}
}

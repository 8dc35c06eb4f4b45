package setup

import (
	"context"
	"errors"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestAddSocket(t *testing.T) {
	const q, q2 = "/var/spool/postfix/sealmilter/milter.sock", "/var/spool/postfix-out/sealmilter/milter.sock"
	packaged, err := os.ReadFile("../../packaging/systemd/postfix.conf")
	if err != nil {
		t.Fatal(err)
	}
	settings := func(text string) []string {
		var out []string
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
				out = append(out, line)
			}
		}
		return out
	}
	one := addSocket("", q, "postfix")
	if got, want := settings(one), settings(string(packaged)); !slices.Equal(got, want) {
		t.Errorf("%q, the package has %q", got, want)
	}
	if got := settings(addSocket(string(packaged), q, "postfix")); !slices.Equal(got, settings(string(packaged))) {
		t.Errorf("the same again: %q", got)
	}
	old := "[Socket]\nListenStream=" + q + "\nExecStartPost=-/bin/chgrp postfix " + q + "\n"
	if got := settings(addSocket(old, q, "postfix")); !slices.Equal(got, settings(string(packaged))) {
		t.Errorf("an earlier version's: %q", got)
	}
	const pre = "ExecStartPre=-/usr/bin/install -d -o root -g "
	two := settings(addSocket(one, q2, "mail2"))
	want := []string{"[Socket]", "ListenStream=" + q, pre + "postfix -m 2750 " + filepath.Dir(q), "ListenStream=" + q2, pre + "mail2 -m 2750 " + filepath.Dir(q2)}
	if !slices.Equal(two, want) {
		t.Errorf("a second instance: %q", two)
	}
}

func TestOpenSocketUnit(t *testing.T) {
	for _, c := range []struct {
		name, old, fails, want string
		ok                     bool
	}{
		{"new", "", "", "daemon-reload|stop sealmilter.service|enable sealmilter.socket|restart sealmilter.socket", true},
		{"restart fails", "", "restart", "daemon-reload|stop sealmilter.service|enable sealmilter.socket|restart sealmilter.socket|" +
			"daemon-reload|stop sealmilter.service|enable sealmilter.socket|restart sealmilter.socket|start sealmilter.service", false},
		{"restart fails, a drop-in was there", "[Socket]\nBacklog=7\n", "restart", "daemon-reload|stop sealmilter.service|enable sealmilter.socket|restart sealmilter.socket|" +
			"daemon-reload|stop sealmilter.service|enable sealmilter.socket|restart sealmilter.socket|start sealmilter.service", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := socketUnit{dropIn: filepath.Join(t.TempDir(), "d", "postfix.conf")}
			if c.old != "" {
				os.MkdirAll(filepath.Dir(u.dropIn), 0o755)
				if err := os.WriteFile(u.dropIn, []byte(c.old), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			var calls []string
			u.run = func(_ context.Context, _ string, args ...string) (string, error) {
				calls = append(calls, strings.Join(args, " "))
				if args[0] == c.fails {
					c.fails = ""
					return "", errors.New("no")
				}
				return "", nil
			}
			err := u.open(t.Context(), "/q/s", "g")
			if (err == nil) != c.ok {
				t.Fatal(err)
			}
			if got := strings.Join(calls, "|"); got != c.want {
				t.Errorf("%s", got)
			}
			text, _ := os.ReadFile(u.dropIn)
			if want := c.old; !c.ok && string(text) != want || c.ok && !strings.Contains(string(text), "ListenStream=/q/s\n") {
				t.Errorf("drop-in: %q", text)
			}
		})
	}
}

func TestOpened(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if opened(path, me.Username) {
		t.Error("a socket that is not there")
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if !opened(path, me.Username) {
		t.Error("ours")
	}
	if os.Getuid() == 0 {
		if err := os.Chown(path, -1, 1); err != nil {
			t.Fatal(err)
		}
		if opened(path, me.Username) {
			t.Error("of another group")
		}
	}
	l.Close()
	if opened(path, me.Username) {
		t.Error("nobody listens")
	}
}

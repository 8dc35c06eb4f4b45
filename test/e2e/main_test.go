//go:build e2e

package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// world is what TestMain brought up; tests reach it by need.
var world struct {
	lab  *lab
	skip string // why there is no lab
}

// programs are what the suite runs besides sealmilter, all from Debian packages (install-packages.sh).
var programs = []string{"postfix", "postconf", "nsd", "unbound", "dovecot", "opendkim-testmsg", "unshare", "/usr/bin/python3", "m4", "ip", "dpkg-deb", "saslpasswd2"}

func TestMain(m *testing.M) {
	flag.Parse()
	dir := os.Getenv(insideVar)
	if world.skip = missing(); world.skip != "" {
		os.Exit(m.Run()) // every test skips, or fails under SEALMILTER_CI=1
	}
	if dir == "" {
		os.Exit(isolate())
	}
	os.Exit(runAll(m, dir))
}

func runAll(m *testing.M, dir string) int {
	var l *lab
	err := settleIn(dir)
	if err == nil {
		l, err = newLab(dir)
	}
	if err == nil {
		world.lab = l
		err = l.start()
	}
	code := 1
	if err != nil {
		fmt.Fprintf(os.Stderr, "e2e: bringing up the lab: %v\n", err)
	} else {
		code = m.Run()
	}
	if l != nil {
		l.stop()
		if why := l.daemon.misbehaved(); code == 0 && why != "" {
			fmt.Fprintf(os.Stderr, "e2e: every test passed, but the daemon's log says: %s\n", why)
			code = 1
		}
	}
	return code
}

// missing says what the machine lacks, in one line, or nothing.
func missing() string {
	if os.Geteuid() != 0 {
		return "needs root: Postfix's master and its set-gid commands do not run without"
	}
	var lacks []string
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			lacks = append(lacks, p)
		}
	}
	if _, err := sendmailPackages(); err != nil {
		lacks = append(lacks, err.Error())
	}
	if lacks == nil {
		return ""
	}
	return "missing " + strings.Join(lacks, ", ") + ": run test/e2e/install-packages.sh"
}

// need hands out the lab. Without one the test skips, or fails where the suite must not be skipped.
func need(t *testing.T) *lab {
	t.Helper()
	if world.lab == nil {
		if os.Getenv("SEALMILTER_CI") == "1" {
			t.Fatal(world.skip)
		}
		t.Skip(world.skip)
	}
	return world.lab
}

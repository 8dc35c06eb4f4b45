package mta

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestMain: the probe's process is our own program again.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "probe" {
		if err := Probe(os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// The MTA's user, who may be somebody else by now, finds neither root's
// environment nor root's terminal in doctor's other process; what it says
// reaches nobody's terminal as it is.
func TestDoctorsProbeHasNothingOfRoots(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can be somebody else")
	}
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
	dir, err := os.MkdirTemp("/tmp", "probe")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	os.Chmod(dir, 0o755)
	path := filepath.Join(dir, "m.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	os.Chmod(path, 0o666)
	seen := make(chan [2]string, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			seen <- [2]string{}
			return
		}
		defer c.Close()
		raw, _ := c.(*net.UnixConn).SyscallConn()
		raw.Control(func(fd uintptr) {
			peer, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
			if err != nil {
				t.Error(err)
				return
			}
			env, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", peer.Pid))
			stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", peer.Pid))
			_, rest, _ := strings.Cut(string(stat), ") ")
			session := "ours"
			if f := strings.Fields(rest); len(f) > 3 && f[3] == fmt.Sprint(peer.Pid) {
				session = "its own"
			}
			seen <- [2]string{string(env), session}
		})
	}()
	if asUser, err := Reach(t.Context(), "nobody", "unix", path); !asUser || err == nil {
		t.Errorf("a milter that hangs up: %v, %v", asUser, err)
	}
	got := <-seen
	if strings.Contains(got[0], "hunter2") {
		t.Error("root's environment is there to read")
	}
	if got[1] != "its own" {
		t.Errorf("it runs in a session that is %s", got[1])
	}
}

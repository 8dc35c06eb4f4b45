package socket

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/internal/problem"
)

func TestUnixSocketHasItsModeAndGoesWhenClosed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := Listen("unix", path, Options{Mode: 0o660})
	if err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != 0o660 {
		t.Fatalf("mode %v, err %v", st.Mode(), err)
	}
	l.Close()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func TestStaleSocketIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	dead, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	dead.(*net.UnixListener).SetUnlinkOnClose(false)
	dead.Close() // as after kill -9: the file stays
	l, err := Listen("unix", path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestWhatIsNotOursStays(t *testing.T) {
	dir := t.TempDir()
	served := filepath.Join(dir, "served")
	l, err := net.Listen("unix", served)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{served: "another process", file: "not a socket"} {
		_, err := Listen("unix", path, Options{})
		var e *problem.Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), want) || e.Hint == "" {
			t.Errorf("%s: %v", path, err)
		}
		if _, err := os.Lstat(path); err != nil {
			t.Errorf("%s is gone: %v", path, err)
		}
	}
}

func TestCloseLeavesASuccessorsSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	old, err := Listen("unix", path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	os.Remove(path)
	next, err := Listen("unix", path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	old.Close()
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the successor's socket is gone: %v", err)
	}
}

func TestUnknownGroupSaysSo(t *testing.T) {
	_, err := Listen("unix", filepath.Join(t.TempDir(), "s"), Options{Group: "no-such-group-here"})
	if err == nil || !strings.Contains(err.Error(), "no-such-group-here") {
		t.Fatalf("err = %v", err)
	}
}

func TestDefaultGroupIsOptional(t *testing.T) {
	l, err := Listen("unix", filepath.Join(t.TempDir(), "s"), Options{DefaultGroup: "no-such-group-here"})
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}

// TestPermitFollowsNoLink: root makes a socket in a folder of somebody who then
// puts a link in its place.
func TestPermitFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	secret, path := filepath.Join(dir, "secret"), filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := errors.Join(os.WriteFile(secret, nil, 0o600), os.Remove(path), os.Symlink(secret, path)); err != nil {
		t.Fatal(err)
	}
	own := &listener{UnixListener: l.(*net.UnixListener), path: path}
	if err := own.permit(Options{Mode: 0o666}); err == nil {
		t.Error("permitted")
	}
	if st, err := os.Stat(secret); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the mode of what the link leads to is %v, %v", st.Mode(), err)
	}
}

// TestLinkedSocket: the folder of the name is root's, the socket's is the daemon's.
func TestLinkedSocket(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "admin.sock")
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "daemon"), 0o700), os.Symlink("daemon/admin.sock", name)); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the link stays
		l, err := Listen("unix", name, Options{Mode: 0o600})
		if err != nil {
			t.Fatal(err)
		}
		if st, err := os.Lstat(filepath.Join(dir, "daemon/admin.sock")); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", st, err)
		}
		c, err := net.Dial("unix", name)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		l.Close()
	}
}

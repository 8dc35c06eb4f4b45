package setup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sealmilter/sealmilter/internal/mta"
	"github.com/sealmilter/sealmilter/internal/problem"
)

// asRoot is a folder of root's that everybody can get to.
func asRoot(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to give files away")
	}
	dir, err := os.MkdirTemp("/var/tmp", "folders")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func rights(t *testing.T, path string) string {
	t.Helper()
	st, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	sys := st.Sys().(*syscall.Stat_t)
	return fmt.Sprintf("%d:%d %v", sys.Uid, sys.Gid, st.Mode())
}

// TestFolderLosesNoRace: somebody puts a link in the place of the folder, as soon
// as it is there.
func TestFolderLosesNoRace(t *testing.T) {
	dir := asRoot(t)
	theirs, precious := filepath.Join(dir, "theirs"), filepath.Join(dir, "precious")
	if err := errors.Join(os.Mkdir(precious, 0o711), os.Mkdir(theirs, 0o700), os.Chown(theirs, 4242, 4243)); err != nil {
		t.Fatal(err)
	}
	keys := filepath.Join(theirs, "keys")
	before := rights(t, precious)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			if os.Rename(keys, fmt.Sprint(keys, n)) == nil {
				os.Symlink(precious, keys)
			}
		}
	}()
	for range 300 {
		err := ownedFolder(keys, 0o700, "")
		if err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if after := rights(t, precious); after != before {
			t.Fatalf("precious is %s, was %s", after, before)
		}
		os.Remove(keys)
	}
	close(stop)
	<-stopped
	os.Remove(keys)
	if err := ownedFolder(keys, 0o700, ""); err != nil || rights(t, keys) != "4242:4243 drwx------" {
		t.Errorf("%v, %s", err, rights(t, keys))
	}
}

// TestSocketFolder: the MTA's group has it, nobody but root can change what is in
// it, and one of somebody else is refused with the command that mends it.
func TestSocketFolder(t *testing.T) {
	dir := asRoot(t)
	_, gid, err := ids("daemon")
	if err != nil {
		t.Fatal(err)
	}
	path, good := filepath.Join(dir, "sealmilter"), fmt.Sprintf("0:%d dgrwxr-x---", gid)
	for range 2 {
		if err := socketFolder(path, "daemon"); err != nil || rights(t, path) != good {
			t.Fatalf("%v, %s", err, rights(t, path))
		}
		// As an earlier version, and a Postfix that has another number now.
		if err := errors.Join(os.Chown(path, 0, 4243), os.Chmod(path, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(name string) {
		t.Helper()
		before := rights(t, path)
		err := socketFolder(path, "daemon")
		var f *problem.Error
		if !errors.As(err, &f) || !strings.HasSuffix(f.Hint, fmt.Sprintf("install -d -o root -g %d -m 2750 %s", gid, path)) || rights(t, path) != before {
			t.Errorf("%s: %v, %s", name, err, rights(t, path))
		}
	}
	if err := os.Chown(path, 4242, 4243); err != nil {
		t.Fatal(err)
	}
	refused("of the daemon's user")
	if err := errors.Join(os.Remove(path), os.Symlink("/etc", path)); err != nil {
		t.Fatal(err)
	}
	refused("a link")
	theirs := filepath.Join(dir, "theirs")
	if err := errors.Join(os.Mkdir(theirs, 0o755), os.Chown(theirs, 4242, 4243)); err != nil {
		t.Fatal(err)
	}
	if err := socketFolder(filepath.Join(theirs, "sealmilter"), "daemon"); err == nil || mta.Exists(filepath.Join(theirs, "sealmilter")) {
		t.Errorf("made in a queue of somebody else's: %v", err)
	}
}

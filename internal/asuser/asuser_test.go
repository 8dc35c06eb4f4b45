package asuser

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// theirs is a folder of user 4242 that everybody can get to, and one of root's
// beside it.
func theirs(t *testing.T) (dir, secret string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to give files away")
	}
	base, err := os.MkdirTemp("/var/tmp", "asuser")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	dir, secret = filepath.Join(base, "theirs"), filepath.Join(base, "secret")
	if err := errors.Join(os.Chmod(base, 0o755), os.Mkdir(dir, 0o700), os.Chown(dir, 4242, 4243),
		os.Mkdir(secret, 0o700), os.WriteFile(filepath.Join(secret, "shadow"), []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	return dir, secret
}

func owner(t *testing.T, path string) (uid, gid int) {
	t.Helper()
	st, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return int(st.Sys().(*syscall.Stat_t).Uid), int(st.Sys().(*syscall.Stat_t).Gid)
}

func TestInIsTheOwnersWork(t *testing.T) {
	dir, secret := theirs(t)
	made := filepath.Join(dir, "keys", "deep")
	if err := In(made, func() error { return os.MkdirAll(made, 0o700) }); err != nil {
		t.Fatal(err)
	}
	if uid, gid := owner(t, made); uid != 4242 || gid != 4243 {
		t.Errorf("made for %d:%d", uid, gid)
	}
	link := filepath.Join(dir, "link")
	if err := errors.Join(os.Symlink(secret, link), os.Lchown(link, 4242, 4243)); err != nil {
		t.Fatal(err)
	}
	err := In(link, func() error {
		_, err := os.ReadFile(filepath.Join(link, "shadow"))
		if err == nil {
			t.Error("read what the owner cannot read")
		}
		return os.WriteFile(filepath.Join(link, "planted"), nil, 0o600)
	})
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("written where the owner cannot write: %v", err)
	}
	// We are ourselves again.
	if _, err := os.ReadFile(filepath.Join(secret, "shadow")); err != nil {
		t.Error(err)
	}
	if err := In(secret, func() error { return os.WriteFile(filepath.Join(secret, "ours"), nil, 0o600) }); err != nil {
		t.Errorf("what is root's is worked in by root: %v", err)
	}
}

func TestOwner(t *testing.T) {
	dir, secret := theirs(t)
	back := filepath.Join(dir, "back") // their link to what is root's is still theirs
	ours := filepath.Join(filepath.Dir(dir), "ours")
	loop := filepath.Join(filepath.Dir(dir), "loop")
	if err := errors.Join(os.Symlink(secret, back), os.Lchown(back, 4242, 4243), os.Symlink("theirs/keys", ours), os.Symlink("loop", loop)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{
		dir: 4242, dir + "/none/at/all": 4242, back: 4242, back + "/shadow": 4242,
		secret: 0, secret + "/none": 0, secret + "/../theirs/x": 4242, ours: 4242, "/": 0,
	} {
		if uid, _, err := Owner(path); err != nil || uid != want {
			t.Errorf("%s: %d, %v, want %d", path, uid, err, want)
		}
	}
	if _, _, err := Owner(loop + "/x"); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("a loop: %v", err)
	}
}

package wholefile

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func look(t *testing.T, path string) (text string, mode fs.FileMode) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	st, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), st.Mode()
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "f"), filepath.Join(dir, "l")
	if err := Write(file, []byte("one"), 0o640); err != nil {
		t.Fatal(err)
	}
	if text, mode := look(t, file); text != "one" || mode != 0o640 {
		t.Errorf("new: %q %v", text, mode)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	if err := Replace(link, []byte("two"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, mode := look(t, file); text != "two" || mode != 0o640 {
		t.Errorf("replaced through a link: %q %v", text, mode)
	}
	if _, mode := look(t, link); mode.Type() != fs.ModeSymlink {
		t.Error("the link is none any more")
	}
	if err := Write(link, []byte("three"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, mode := look(t, link); text != "three" || mode != 0o600 {
		t.Errorf("written over a link: %q %v", text, mode)
	}
	if text, _ := look(t, file); text != "two" {
		t.Errorf("what the link led to was changed: %q", text)
	}
	if err := Replace(filepath.Join(dir, "new"), []byte("x"), 0o604); err != nil {
		t.Fatal(err)
	}
	if text, mode := look(t, filepath.Join(dir, "new")); text != "x" || mode != 0o604 {
		t.Errorf("%q %v", text, mode)
	}
}

// TestNothingIsLeft: a write that fails leaves the old file, and nothing else.
func TestNothingIsLeft(t *testing.T) {
	dir := t.TempDir()
	at := filepath.Join(dir, "folder")
	if err := os.Mkdir(at, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(at, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Write(at, []byte("x"), 0o600); err == nil {
		t.Error("a folder with something in it was replaced")
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 1 {
		t.Errorf("left: %v, %v", names, err)
	}
	if err := Write(filepath.Join(dir, "no", "x"), nil, 0o600); err == nil {
		t.Error("there is no such folder")
	}
}

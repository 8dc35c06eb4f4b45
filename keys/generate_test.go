package keys

import (
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func opts(selector string) GenerateOptions {
	return GenerateOptions{Selector: selector, Now: fixedNow}
}

// files are the names below dir, temporary files included.
func files(t *testing.T, dir string) string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			names = append(names, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, " ")
}

func TestGenerate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lib", "keys")
	made, err := Generate(dir, "example.com", opts(""))
	if err != nil {
		t.Fatal(err)
	}
	if len(made) != 2 || made[0].Selector != "s20261121" || made[0].Algorithm() != RSASHA256 || made[0].Bits() != 2048 ||
		made[1].Selector != "s20261121e" || made[1].Algorithm() != Ed25519SHA256 {
		t.Fatalf("made %v", made)
	}
	if got := files(t, dir); got != "example.com/s20261121.pem example.com/s20261121e.pem" {
		t.Errorf("files: %s", got)
	}
	for path, mode := range map[string]os.FileMode{
		filepath.Dir(dir): 0o700, dir: 0o700, filepath.Join(dir, "example.com"): 0o700, made[0].Path(): 0o600, made[1].Path(): 0o600,
	} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v %v, want %v", path, info.Mode(), err, mode)
		}
	}
	text, err := os.ReadFile(made[0].Path())
	if b, rest := pem.Decode(text); err != nil || b == nil || b.Type != "PRIVATE KEY" || len(rest) != 0 {
		t.Errorf("not one PKCS#8 block: %v", err)
	}

	// What was made loads without a word, and is the same.
	s, problems := Load(dir, []DomainSpec{spec("example.com")}, nil)
	keys, _, err := s.Pick("example.com")
	if len(problems) != 0 || err != nil || len(keys) != 2 {
		t.Fatalf("%v, %v, %v", keys, err, problems)
	}
	if !keys[0].Public().(*rsa.PublicKey).Equal(made[0].Public()) || !keys[1].Public().(ed25519.PublicKey).Equal(made[1].Public()) {
		t.Error("loaded keys are not those that were made")
	}
}

func TestGenerateNeverOverwrites(t *testing.T) {
	for _, name := range []string{"s1.pem", "s1e.pem"} {
		dir := keyFolder(t)
		path := put(t, dir, "example.com", name, []byte("precious"))
		if _, err := Generate(dir, "example.com", opts("s1")); !errors.Is(err, ErrExists) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
		if text, _ := os.ReadFile(path); string(text) != "precious" || files(t, dir) != "example.com/"+name {
			t.Errorf("%s: holds %q, files %s", name, text, files(t, dir))
		}
	}
}

// TestWriteRace: the name is taken between the check and the link.
func TestWriteRace(t *testing.T) {
	dir := keyFolder(t)
	w, err := openSafe(dir, "example.com")
	if err != nil {
		t.Fatal(err)
	}
	defer w.root.Close()
	first := mustKey(t, "s1", edKey())
	if err := w.write("s1", edKey()); err != nil {
		t.Fatal(err)
	}
	path := put(t, dir, "example.com", "s1e.pem", []byte("precious"))
	if err := w.write("s1e", rsa1024()); !errors.Is(err, ErrExists) {
		t.Errorf("got %v", err)
	}
	w.undo([]*Key{first})
	if text, _ := os.ReadFile(path); string(text) != "precious" || files(t, dir) != "example.com/s1e.pem" {
		t.Errorf("holds %q, files %s", text, files(t, dir))
	}
}

func TestGenerateRefuses(t *testing.T) {
	for _, tc := range []struct {
		name, domain string
		o            GenerateOptions
	}{
		{"domain that escapes", "../x", opts("s1")},
		{"upper case", "Example.com", opts("s1")},
		{"selector that escapes", "example.com", opts("../s1")},
		{"Ed25519 selector too long", "example.com", opts(strings.Repeat("a", 63))},
		{"weak", "example.com", GenerateOptions{Bits: 1024}},
		{"huge", "example.com", GenerateOptions{Bits: 8192}},
	} {
		dir := keyFolder(t)
		if _, err := Generate(dir, tc.domain, tc.o); err == nil || files(t, filepath.Dir(dir)) != "" {
			t.Errorf("%s: %v, files %s", tc.name, err, files(t, filepath.Dir(dir)))
		}
	}
}

// TestGenerateTakesBits: no more and no fewer than verifiers must take.
func TestGenerateTakesBits(t *testing.T) {
	dir := keyFolder(t)
	if err := os.MkdirAll(filepath.Join(dir, "example.com"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "example.com", "s1.pem"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for bits, taken := range map[int]bool{2047: false, 2048: true, 4096: true, 4097: false} {
		// A length that is taken goes as far as the key that is there.
		if _, err := Generate(dir, "example.com", GenerateOptions{Selector: "s1", Bits: bits}); errors.Is(err, ErrExists) != taken {
			t.Errorf("%d bits: %v", bits, err)
		}
	}
}

// TestGenerateFollowsNoLinkOut: root must not write where the owner of the key
// folder points it to.
func TestGenerateFollowsNoLinkOut(t *testing.T) {
	dir, outside := keyFolder(t), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "example.com")); err != nil {
		t.Fatal(err)
	}
	if _, err := Generate(dir, "example.com", opts("s1")); err == nil || files(t, outside) != "" {
		t.Errorf("%v, files outside: %s", err, files(t, outside))
	}
}

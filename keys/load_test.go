package keys

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func spec(name string, selectors ...string) DomainSpec {
	return DomainSpec{Name: name, Selectors: selectors, Subdomains: true}
}

// texts are the problems with dir written as KEYS, and our user as ME.
func texts(dir string, problems []Problem) []string {
	var out []string
	for _, p := range problems {
		s := strings.ReplaceAll(p.String(), dir, "KEYS")
		out = append(out, strings.ReplaceAll(s, "chown -h "+userName(os.Geteuid())+" ", "chown -h ME "))
	}
	return out
}

func TestLoadProblems(t *testing.T) {
	const domain = "example.com"
	file := func(name string, data []byte, mode os.FileMode) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := os.Chmod(put(t, dir, domain, name, data), mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	const path = "KEYS/example.com/s1.pem"
	unsigned := "warning: KEYS/example.com: no key: the mail of example.com goes out unsigned\nhint: sealmilter keys new example.com"
	good := pkcs8(t, rsa2048())
	for _, tc := range []struct {
		name    string
		spec    DomainSpec
		prepare func(t *testing.T, dir string)
		want    []string
		keys    int
		reason  error
	}{
		{"good", spec(domain), file("s1.pem", good, 0o600), nil, 1, nil},
		{"good, read-only", spec(domain), file("s1.pem", good, 0o400), nil, 1, nil},
		{"no folder", spec(domain), func(*testing.T, string) {}, []string{unsigned}, 0, ErrNoKey},
		{"empty folder", spec(domain), file(".new-X", good, 0o600), []string{unsigned}, 0, ErrNoKey},
		{"OpenDKIM's name", spec(domain), file("mail.private", pkcs1(rsa2048()), 0o600), []string{
			"warning: KEYS/example.com: no key ends in .pem: the mail of example.com goes out unsigned\nhint: mv KEYS/example.com/mail.private KEYS/example.com/mail.pem"}, 0, ErrNoKey},
		{"group-readable", spec(domain), file("s1.pem", good, 0o640), []string{
			"error: " + path + ": mode 0640 lets other users than the owner at the key\nhint: chmod 0600 " + path}, 0, ErrBroken},
		{"world-readable", spec(domain), file("s1.pem", good, 0o604), []string{
			"error: " + path + ": mode 0604 lets other users than the owner at the key\nhint: chmod 0600 " + path}, 0, ErrBroken},
		{"group-writable", spec(domain), file("s1.pem", good, 0o620), []string{
			"error: " + path + ": mode 0620 lets other users than the owner at the key\nhint: chmod 0600 " + path}, 0, ErrBroken},
		{"1024 bits", spec(domain), file("s1.pem", pkcs1(rsa1024()), 0o600), []string{
			"warning: " + path + ": RSA key of 1024 bits is weak: 2048 or more should be used (RFC 8301 section 3.2)\nhint: sealmilter keys new example.com"}, 1, nil},
		{"734 bits", spec(domain), file("s1.pem", mersenneRSA(127, 607), 0o600), []string{
			"error: " + path + ": RSA key of 734 bits is too weak: verifiers must refuse less than 1024 (RFC 8301 section 3.2)\nhint: sealmilter keys new example.com"}, 0, ErrBroken},
		{"610 bits", spec(domain), file("s1.pem", mersenneRSA(89, 521), 0o600), []string{
			"error: " + path + ": RSA key of 610 bits is too weak: verifiers must refuse less than 1024 (RFC 8301 section 3.2)\nhint: sealmilter keys new example.com"}, 0, ErrBroken},
		{"4484 bits", spec(domain), file("s1.pem", mersenneRSA(2203, 2281), 0o600), []string{
			"error: " + path + ": RSA key of 4484 bits: verifiers need not accept more than 4096 (RFC 8301 section 3.2)\nhint: sealmilter keys new example.com"}, 0, ErrBroken},
		{"broken PEM", spec(domain), file("s1.pem", good[:300], 0o600), []string{
			"error: " + path + ": broken PEM: the block is cut short or damaged\nhint: restore the file from a copy, or make new keys: sealmilter keys new example.com"}, 0, ErrBroken},
		{"empty file", spec(domain), file("s1.pem", nil, 0o600), []string{
			"error: " + path + ": holds no PEM block\nhint: the file must hold a private key in PEM: -----BEGIN PRIVATE KEY----- or -----BEGIN RSA PRIVATE KEY-----"}, 0, ErrBroken},
		{"encrypted", spec(domain), file("s1.pem", block("ENCRYPTED PRIVATE KEY", []byte("x")), 0o600), []string{
			"error: " + path + ": the private key is encrypted with a passphrase, which nobody can type at start\n" +
				"hint: (umask 077; openssl pkey -in " + path + " -out " + path + ".plain) && mv " + path + ".plain " + path}, 0, ErrBroken},
		{"public key", spec(domain), file("s1.pem", block("PUBLIC KEY", []byte("x")), 0o600), []string{
			"error: " + path + ": holds a public key or certificate, no private key\nhint: the file must hold the one private key; its public half goes into the DNS: sealmilter dns example.com"}, 0, ErrBroken},
		{"too large", spec(domain), file("s1.pem", make([]byte, maxFile+1), 0o600), []string{
			"error: " + path + ": 65537 bytes are too many for a key (limit 65536)"}, 0, ErrBroken},
		{"not a selector", spec(domain), file("my key.pem", good, 0o600), []string{
			"error: KEYS/example.com/my key.pem: selector \"my key\": byte ' ' in a label\nhint: rename the file; its name without .pem is the selector"}, 0, ErrBroken},
		{"a folder", spec(domain), func(t *testing.T, dir string) {
			if err := os.MkdirAll(filepath.Join(dir, domain, "s1.pem"), 0o700); err != nil {
				t.Fatal(err)
			}
		}, []string{"error: " + path + ": not a regular file"}, 0, ErrBroken},
		{"a FIFO does not block", spec(domain), func(t *testing.T, dir string) {
			p := put(t, dir, domain, "s1.pem", nil)
			if err := errors.Join(os.Remove(p), syscall.Mkfifo(p, 0o600)); err != nil {
				t.Fatal(err)
			}
		}, []string{"error: " + path + ": not a regular file"}, 0, ErrBroken},
		{"link to nowhere", spec(domain), func(t *testing.T, dir string) {
			p := put(t, dir, domain, "s1.pem", nil)
			if err := errors.Join(os.Remove(p), os.Symlink("gone", p)); err != nil {
				t.Fatal(err)
			}
		}, []string{"error: " + path + ": cannot read the key: no such file or directory"}, 0, ErrBroken},
		// As the kubelet mounts a secret.
		{"links that stay in the folder", spec(domain), func(t *testing.T, dir string) {
			put(t, dir, domain+"/..2026_11_27", "s1.pem", good)
			if err := errors.Join(os.Symlink("..2026_11_27", filepath.Join(dir, domain, "..data")),
				os.Symlink("..data/s1.pem", filepath.Join(dir, domain, "s1.pem"))); err != nil {
				t.Fatal(err)
			}
		}, nil, 1, nil},
		{"link out of the folder", spec(domain), func(t *testing.T, dir string) {
			put(t, filepath.Dir(dir), "elsewhere", "k", good)
			put(t, dir, domain, ".keep", nil)
			if err := os.Symlink("../../elsewhere/k", filepath.Join(dir, domain, "s1.pem")); err != nil {
				t.Fatal(err)
			}
		}, []string{"error: " + path + ": " + leavesMessage + "\nhint: put the key itself there"}, 0, ErrBroken},
		{"folder that is a link out", spec(domain), func(t *testing.T, dir string) {
			put(t, filepath.Dir(dir), "elsewhere", "s1.pem", good)
			if err := os.Symlink(filepath.Join(filepath.Dir(dir), "elsewhere"), filepath.Join(dir, domain)); err != nil {
				t.Fatal(err)
			}
		}, []string{"error: KEYS/example.com: " + leavesMessage + "\nhint: put the folder itself there"}, 0, ErrBroken},
		{"link to a device", spec(domain), func(t *testing.T, dir string) {
			put(t, dir, domain, ".keep", nil)
			if err := os.Symlink("/dev/zero", filepath.Join(dir, domain, "s1.pem")); err != nil {
				t.Fatal(err)
			}
		}, []string{"error: " + path + ": " + leavesMessage + "\nhint: put the key itself there"}, 0, ErrBroken},
		{"a FIFO for a folder does not block", spec(domain), func(t *testing.T, dir string) {
			if err := syscall.Mkfifo(filepath.Join(dir, domain), 0o600); err != nil {
				t.Fatal(err)
			}
		}, []string{"error: KEYS/example.com: cannot read the folder: not a directory"}, 0, ErrBroken},
		{"one good, one broken", spec(domain), func(t *testing.T, dir string) {
			file("s1.pem", good, 0o600)(t, dir)
			file("s2.pem", nil, 0o600)(t, dir)
		}, []string{"error: KEYS/example.com/s2.pem: holds no PEM block\nhint: the file must hold a private key in PEM: -----BEGIN PRIVATE KEY----- or -----BEGIN RSA PRIVATE KEY-----"}, 1, nil},
		{"only Ed25519", spec(domain), file("s1.pem", pkcs8(t, edKey()), 0o600), []string{
			"warning: KEYS/example.com: no RSA key: receivers that know no Ed25519 find no valid signature\nhint: sealmilter keys new example.com"}, 1, nil},
		{"listed and there", spec(domain, "s1"), func(t *testing.T, dir string) {
			file("s1.pem", good, 0o600)(t, dir)
			file("s2.pem", nil, 0o600)(t, dir) // not listed: nobody's business
		}, nil, 1, nil},
		{"listed twice", spec(domain, "s1", "s1"), file("s1.pem", good, 0o600), nil, 1, nil},
		{"listed, one is missing", spec(domain, "s1", "s2"), file("s1.pem", good, 0o600), []string{
			"error: KEYS/example.com/s2.pem: listed selector without a key file\nhint: put the key there, or remove s2 from the selectors of example.com; there are: s1"}, 1, nil},
		{"listed, all missing", spec(domain, "s2"), file("s1.pem", good, 0o600), []string{
			"error: KEYS/example.com/s2.pem: listed selector without a key file\nhint: put the key there, or remove s2 from the selectors of example.com; there are: s1", unsigned}, 0, ErrNoKey},
		{"listed selector escapes", spec(domain, "../other.example/s1"), func(t *testing.T, dir string) {
			put(t, dir, "other.example", "s1.pem", good)
		}, []string{`error: KEYS/example.com: selector "../other.example/s1": empty label`, unsigned}, 0, ErrNoKey},
		{"folder others can write", spec(domain), func(t *testing.T, dir string) {
			file("s1.pem", good, 0o600)(t, dir)
			if err := errors.Join(os.Chmod(dir, 0o777), os.Chmod(filepath.Join(dir, domain), 0o770)); err != nil {
				t.Fatal(err)
			}
		}, []string{"warning: KEYS: mode 0777 lets other users replace keys\nhint: chmod 0700 KEYS",
			"warning: KEYS/example.com: mode 0770 lets other users replace keys\nhint: chmod 0700 KEYS/example.com"}, 1, nil},
		{"domain is a file", spec(domain), func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, domain), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, []string{"error: KEYS/example.com: cannot read the folder: not a directory"}, 0, ErrBroken},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := keyFolder(t)
			tc.prepare(t, dir)
			s, problems := Load(dir, []DomainSpec{tc.spec}, nil)
			got := texts(dir, problems)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
			keys, _, err := s.Pick(domain)
			if len(keys) != tc.keys || !errors.Is(err, tc.reason) || (err == nil) != (tc.reason == nil) {
				t.Errorf("%d keys, %v; want %d, %v", len(keys), err, tc.keys, tc.reason)
			}
		})
	}
}

func TestLoadBadDomain(t *testing.T) {
	dir := keyFolder(t)
	put(t, filepath.Dir(dir), "other", "s1.pem", pkcs8(t, rsa1024()))
	for _, name := range []string{"../other", "..", "", "A.example", "/etc"} {
		s, problems := Load(dir, []DomainSpec{spec(name)}, nil)
		if len(s.All()) != 0 || len(problems) != 1 || problems[0].Severity != Error {
			t.Errorf("%q: %d keys, %v", name, len(s.All()), problems)
		}
	}
}

// TestOneKeyUnderTwoSelectors: the mail is signed all the same.
func TestOneKeyUnderTwoSelectors(t *testing.T) {
	dir := keyFolder(t)
	put(t, dir, "example.com", "s1.pem", pkcs8(t, rsa1024()))
	put(t, dir, "example.com", "s2.pem", pkcs8(t, rsa1024()))
	s, problems := Load(dir, []DomainSpec{spec("example.com")}, nil)
	var same []string
	for _, p := range problems {
		if strings.Contains(p.Message, "same key") {
			same = append(same, fmt.Sprint(filepath.Base(p.Path), ": ", p.Message, " | ", p.Hint, " ", p.Severity == Warning))
		}
	}
	want := "s2.pem: holds the same key as s1.pem; two selectors want two keys | sealmilter keys new example.com true"
	if len(same) != 1 || same[0] != want || len(s.All()) != 2 {
		t.Errorf("got %q, %d keys", same, len(s.All()))
	}
	put(t, dir, "example.com", "s2.pem", pkcs8(t, rsa2048()))
	if _, problems = Load(dir, []DomainSpec{spec("example.com")}, nil); strings.Contains(fmt.Sprint(problems), "same key") {
		t.Error(problems)
	}
}

func TestLoadNoKeyFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "nothing", "here")
	s, problems := Load(dir, []DomainSpec{spec("a.example"), spec("b.example")}, nil)
	if len(problems) != 3 || problems[0].Path != dir || problems[0].Message != "the key folder (sign.keys) does not exist" || problems[0].Severity != Warning || problems[1].Severity != Warning || problems[1].Hint != "sealmilter keys new a.example" {
		t.Errorf("problems %v", problems)
	}
	if _, _, err := s.Pick("a.example"); !errors.Is(err, ErrNoKey) {
		t.Errorf("got %v", err)
	}
}

// TestLoadOwner judges as a user that the files do not belong to.
func TestLoadOwner(t *testing.T) {
	dir := keyFolder(t)
	path := put(t, dir, "example.com", "s1.pem", pkcs8(t, rsa1024()))
	l := loader{dir: dir, euid: 4242, open: openKey, now: time.Now}
	s, problems := l.load([]DomainSpec{spec("example.com")})
	me := userName(os.Geteuid())
	want := Problem{Path: path, Domain: "example.com", Severity: Error, Message: "belongs to user " + me + ", not to 4242", Hint: "chown -Rh 4242: " + dir, Denied: true}
	if len(problems) != 1 || problems[0] != want {
		t.Errorf("problems %v, want %v", problems, want)
	}
	if _, _, err := s.Pick("example.com"); !errors.Is(err, ErrBroken) {
		t.Errorf("got %v", err)
	}
}

// TestLoadAsRoot: `check` run as root finds what the daemon's user will not be
// able to read.
func TestLoadAsRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to give files away")
	}
	dir := keyFolder(t)
	theirs := put(t, dir, "example.com", "s1.pem", pkcs8(t, rsa1024()))
	ours := put(t, dir, "example.com", "s2.pem", pkcs8(t, edKey()))
	if err := errors.Join(os.Chown(dir, 4242, 4242), os.Chown(theirs, 4242, 4242)); err != nil {
		t.Fatal(err)
	}
	s, problems := Load(dir, []DomainSpec{spec("example.com")}, nil)
	var errs []Problem
	for _, p := range problems {
		if p.Severity == Error {
			errs = append(errs, p)
		}
	}
	if len(errs) != 1 || errs[0].Path != ours || errs[0].Hint != "chown -h 4242 "+ours {
		t.Errorf("problems %v", problems)
	}
	if got := s.All(); len(got) != 1 || got[0].Selector != "s1" {
		t.Errorf("keys %v", got)
	}
}

// TestHintsAsRoot: what root pastes into the daemon's folder follows no link that
// was put there since: the daemon's user does it.
func TestHintsAsRoot(t *testing.T) {
	l := loader{dir: "/keys", euid: 0, owner: 4242}
	for got, want := range map[string]string{
		l.chmod("0600", "/keys/a.pem"):                "runuser -u 4242 -- sh -c 'chmod 0600 /keys/a.pem'",
		l.chown("/keys/a.pem"):                        "chown -h 4242 /keys/a.pem",
		l.parseHint(errEncrypted, "/keys/a.pem", "a"): "runuser -u 4242 -- sh -c '(umask 077; openssl pkey -in /keys/a.pem -out /keys/a.pem.plain) && mv /keys/a.pem.plain /keys/a.pem'",
	} {
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// TestLoadAccessHint covers what a test that runs as root cannot provoke: the
// hints for a file that the system does not let us open.
func TestLoadAccessHint(t *testing.T) {
	denied := func(_ *os.Root, name string) (*os.File, error) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.EACCES}
	}
	me := os.Geteuid()
	for _, tc := range []struct {
		name string
		euid int
		mode os.FileMode
		want string
	}{
		{"wrong owner, of the folder too", 4242, 0o600, "chown -Rh 4242: DIR"},
		{"owner may not read", me, 0o200, "chmod 0600 PATH"},
		{"all is right", me, 0o600, "owner and mode are right: SELinux or AppArmor may forbid it; try restorecon -v PATH"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := keyFolder(t)
			path := put(t, dir, "example.com", "s1.pem", pkcs8(t, rsa1024()))
			if err := os.Chmod(path, tc.mode); err != nil {
				t.Fatal(err)
			}
			l := loader{dir: dir, euid: tc.euid, open: denied, now: time.Now}
			_, problems := l.load([]DomainSpec{spec("example.com")})
			if len(problems) != 1 || problems[0].Message != "cannot read the key: permission denied" ||
				strings.NewReplacer(path, "PATH", dir, "DIR").Replace(problems[0].Hint) != tc.want || !problems[0].Denied {
				t.Errorf("got %v", problems)
			}
		})
	}
}

func TestReloadKeepsKeys(t *testing.T) {
	const domain = "example.com"
	good := pkcs8(t, rsa1024())
	for _, tc := range []struct {
		name string
		spec DomainSpec
		harm func(dir, path string) error
		kept bool
	}{
		{"mode", spec(domain), func(_, path string) error { return os.Chmod(path, 0o644) }, true},
		{"content", spec(domain), func(_, path string) error { return os.WriteFile(path, []byte("x"), 0o600) }, true},
		{"deleted on purpose", spec(domain), func(_, path string) error { return os.Remove(path) }, false},
		{"domain folder deleted", spec(domain), func(_, path string) error { return os.RemoveAll(filepath.Dir(path)) }, false},
		{"deleted, but listed", spec(domain, "s1"), func(_, path string) error { return os.Remove(path) }, true},
		{"domain folder unreadable", spec(domain), func(_, path string) error {
			return errors.Join(os.RemoveAll(filepath.Dir(path)), os.WriteFile(filepath.Dir(path), nil, 0o600))
		}, true},
		{"domain folder unreadable, listed", spec(domain, "s1"), func(_, path string) error {
			return errors.Join(os.RemoveAll(filepath.Dir(path)), os.WriteFile(filepath.Dir(path), nil, 0o600))
		}, true},
		{"key folder gone", spec(domain), func(dir, _ string) error { return os.RemoveAll(dir) }, true},
		{"key folder gone, listed", spec(domain, "s1"), func(dir, _ string) error { return os.RemoveAll(dir) }, true},
		{"unlisted", spec(domain, "s2"), func(string, string) error { return nil }, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := keyFolder(t)
			path := put(t, dir, domain, "s1.pem", good)
			before, _ := Load(dir, []DomainSpec{spec(domain)}, nil)
			if len(before.All()) != 1 {
				t.Fatal("first load failed")
			}
			if err := tc.harm(dir, path); err != nil {
				t.Fatal(err)
			}
			after, _ := Load(dir, []DomainSpec{tc.spec}, before)
			s, problems := Load(dir, []DomainSpec{tc.spec}, after) // a second reload must not lose it
			keys, _, _ := s.Pick(domain)
			if kept := len(keys) == 1; kept != tc.kept {
				t.Fatalf("kept %v, problems %v", kept, problems)
			}
			said := false
			for _, p := range problems {
				said = said || p.Severity == Error && strings.Contains(p.Message, "stays in use")
			}
			if said != tc.kept {
				t.Errorf("problems %v", problems)
			}
		})
	}
}

// TestReloadOtherFolder: keys of another folder are not carried over.
func TestReloadOtherFolder(t *testing.T) {
	a, b := keyFolder(t), keyFolder(t)
	put(t, a, "example.com", "s1.pem", pkcs8(t, rsa1024()))
	put(t, b, "example.com", "s1.pem", nil)
	before, _ := Load(a, []DomainSpec{spec("example.com")}, nil)
	s, _ := Load(b, []DomainSpec{spec("example.com")}, before)
	if _, _, err := s.Pick("example.com"); !errors.Is(err, ErrBroken) {
		t.Errorf("got %v", err)
	}
}

func TestReloadTakesNewKey(t *testing.T) {
	dir := keyFolder(t)
	old := put(t, dir, "example.com", "s1.pem", pkcs8(t, rsa1024()))
	if err := os.Chtimes(old, time.Unix(1e9, 0), time.Unix(1e9, 0)); err != nil {
		t.Fatal(err)
	}
	before, _ := Load(dir, []DomainSpec{spec("example.com")}, nil)
	put(t, dir, "example.com", "s2.pem", pkcs8(t, rsa2048()))
	s, _ := Load(dir, []DomainSpec{spec("example.com")}, before)
	keys, _, err := s.Pick("example.com")
	if err != nil || len(keys) != 1 || keys[0].Selector != "s2" || len(s.Keys("example.com")) != 2 {
		t.Errorf("%v, %v, %v", keys, err, s.Keys("example.com"))
	}
}

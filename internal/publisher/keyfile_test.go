package publisher

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sealmilter/sealmilter/internal/problem"
)

// secret64 is one in base64.
var secret64 = base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))

func TestParseKey(t *testing.T) {
	key := func(inside string) string { return "key \"Up.Example.\" {\n" + inside + "\n};\n" }
	sha256 := "algorithm hmac-sha256;\n"
	sec := "secret \"" + secret64 + "\";"
	for title, tc := range map[string]struct {
		text string
		want string // NAME ALGORITHM, or the error
		line int
	}{
		"tsig-keygen":         {key("\talgorithm hmac-sha256;\n\t" + sec), "up.example hmac-sha256", 0},
		"other order":         {key(sec + " algorithm \"HMAC-SHA512.\";"), "up.example hmac-sha512", 0},
		"no quotes":           {"key k{algorithm hmac-sha384;secret " + secret64 + ";}", "k hmac-sha384", 0},
		"secret in pieces":    {key(sha256 + "secret \"" + secret64[:8] + " " + secret64[8:] + "\";"), "up.example hmac-sha256", 0},
		"comments":            {"# a\n// b\n/* c\n } */ key k { # d\n algorithm /* e */ hmac-sha224; // f\n" + sec + "};", "k hmac-sha224", 0},
		"nsupdate":            {"# made by hand\n\nhmac-sha256:Up.Example.:" + secret64 + "\n", "up.example hmac-sha256", 0},
		"name first":          {"up.example:hmac-sha256:" + secret64, "up.example hmac-sha256", 0},
		"name begins so":      {"keys:hmac-sha256:" + secret64, "keys hmac-sha256", 0},
		"windows":             {strings.ReplaceAll(key(sha256+sec), "\n", "\r\n"), "up.example hmac-sha256", 0},
		"empty":               {"", "not a tsig key", 1},
		"comments only":       {"# a\n# b\n", "not a tsig key", 2},
		"md5":                 {key("algorithm hmac-md5;\n" + sec), "too weak", 2},
		"md5, its old name":   {"hmac-md5.sig-alg.reg.int:k:" + secret64, "too weak", 1},
		"sha1":                {"hmac-sha1:k:" + secret64, "too weak", 1},
		"other algorithm":     {key("algorithm gss-tsig;\n" + sec), "none of hmac-sha256", 2},
		"swapped":             {key("algorithm " + secret64 + ";\nsecret \"hmac-sha256\";"), "none of hmac-sha256", 2},
		"no algorithm":        {key(sec), "not a tsig key", 3},
		"no secret":           {key(sha256), "not a tsig key", 4},
		"twice":               {key(sha256 + sha256 + sec), "not a tsig key", 3},
		"two secrets":         {key(sha256 + sec + sec), "not a tsig key", 3},
		"other word":          {key(sha256 + sec + "\nserver 127.0.0.1;"), "not a tsig key", 4},
		"no semicolon":        {key("algorithm hmac-sha256\n" + sec), "not a tsig key", 3},
		"no end":              {"key k {\n" + sha256 + sec, "not a tsig key", 3},
		"no name":             {"key {\n" + sha256 + sec + "};", "not a tsig key", 1},
		"key alone":           {"key", "not a tsig key", 1},
		"key key":             {"key\n\"k\" \n;", "not a tsig key", 3},
		"a name that is none": {"key \"a b\" {\n" + sha256 + sec + "};", "the key's name", 1},
		"open quote":          {key(sha256 + "secret \"" + secret64), "not a tsig key", 3},
		"open comment":        {"/* key\n", "not a tsig key", 1},
		"two keys":            {key(sha256+sec) + key(sha256+sec), "more than one key", 5},
		"two lines":           {"hmac-sha256:k:" + secret64 + "\n\nhmac-sha256:l:" + secret64, "more than one key", 3},
		"what follows":        {key(sha256+sec) + "options { };", "not a tsig key", 4},
		"two parts":           {"k:" + secret64, "not a tsig key", 1},
		"a secret alone":      {secret64, "not a tsig key", 1},
		"dnssec-keygen":       {"Private-key-format: v1.3\nAlgorithm: 163 (HMAC_SHA256)\nKey: " + secret64, "not a tsig key", 1},
		"no base64":           {"hmac-sha256:k:***", "not base64 of 16 to 512 bytes", 1},
		"short":               {"hmac-sha256:k:" + secret64[:8], "not base64 of 16 to 512 bytes", 1},
		"long":                {"hmac-sha256:k:" + strings.Repeat("AAAA", 200), "not base64 of 16 to 512 bytes", 1},
	} {
		t.Run(title, func(t *testing.T) {
			k, err := parseKey(tc.text)
			if err == nil {
				if got := k.name + " " + k.algorithm; got != tc.want || string(k.secret) != "0123456789abcdef0123456789abcdef" {
					t.Errorf("%s %q, want %s", got, k.secret, tc.want)
				}
				return
			}
			if !strings.Contains(err.Error(), tc.want) || problem.Hint(err) == "" || tc.line == 0 {
				t.Errorf("%v, want %s", err, tc.want)
			}
			if k.line != tc.line {
				t.Errorf("line %d, want %d", k.line, tc.line)
			}
			if strings.Contains(err.Error()+problem.Hint(err), secret64[:8]) {
				t.Errorf("it tells the secret: %v", err)
			}
		})
	}
}

func keyFile(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadKey(t *testing.T) {
	good := "hmac-sha256:k:" + secret64
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for title, tc := range map[string]struct{ path, want, hint string }{
		"good":             {keyFile(t, good, 0o600), "", ""},
		"read-only":        {keyFile(t, good, 0o400), "", ""},
		"its group reads":  {keyFile(t, good, 0o640), "mode 0640", "chmod 0600 /"},
		"others read":      {keyFile(t, good, 0o604), "mode 0604", "chmod 0600 /"},
		"its group writes": {keyFile(t, good, 0o620), "mode 0620", "chmod 0600 /"},
		"not there":        {pipe + "x", "no such file", "tsig-keygen"},
		"not named":        {"", "no such file", "tsig-keygen"},
		"a folder":         {filepath.Dir(keyFile(t, good, 0o600)), "not a file", ""},
		"a pipe":           {pipe, "not a file", ""},
		"too long":         {keyFile(t, good+strings.Repeat("\n", maxKeyFile), 0o600), "more than 16384 bytes", ""},
		"bad":              {keyFile(t, "\n\nhmac-sha256:k:x", 0o600), "/key:3: the secret is not", "tsig-keygen"},
	} {
		t.Run(title, func(t *testing.T) {
			k, err := readKey(tc.path)
			if (err == nil) != (tc.want == "") || err != nil && (!strings.Contains(err.Error(), tc.want) || !strings.Contains(problem.Hint(err), tc.hint)) {
				t.Fatalf("%v, hint %q", err, problem.Hint(err))
			}
			if text := fmt.Sprintf("%v %+v %#v", k, k, k); strings.Contains(text, "0123456789") || strings.Contains(text, "48 49 50") || strings.Contains(text, "0x30") {
				t.Errorf("it prints its secret: %s", text)
			}
		})
	}
}

// A key of root's cannot be read by the daemon: it is to be the daemon's.
func TestKeyOfOthers(t *testing.T) {
	err := notOpened("/etc/it's/key", &fs.PathError{Op: "open", Path: "/etc/it's/key", Err: syscall.EACCES})
	if want := "chown " + ourName() + ": '/etc/it'\\''s/key'"; problem.Hint(err) != want || !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v, hint %q, want %q", err, problem.Hint(err), want)
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add("key \"k\" {\n\talgorithm hmac-sha256;\n\tsecret \"" + secret64 + "\";\n};\n")
	f.Add("hmac-sha256:k:" + secret64)
	f.Add("k:hmac-sha512:" + secret64 + "\n# x")
	f.Add("/* a */ key k { secret x; } // b")
	f.Add("key")
	f.Add("key \"a\nb\" {")
	f.Fuzz(func(t *testing.T, text string) {
		k, err := parseKey(text)
		if n := strings.Count(text, "\n") + 1; err != nil {
			if k.line < 1 || k.line > n {
				t.Errorf("line %d of %d", k.line, n)
			}
			return
		}
		if newHash(k.algorithm) == nil || len(k.secret) < minSecret || len(k.secret) > maxSecret || k.name == "" || strings.ContainsAny(k.name, " \t\n\"\\") {
			t.Errorf("%q of %q, %d bytes", k.name, k.algorithm, len(k.secret))
		}
		again, err := parseKey("key \"" + k.name + "\" { algorithm " + k.algorithm + "; secret \"" + base64.StdEncoding.EncodeToString(k.secret) + "\"; };")
		if err != nil || again.name != k.name || string(again.secret) != string(k.secret) {
			t.Errorf("%q is not read again: %v", k.name, err)
		}
	})
}

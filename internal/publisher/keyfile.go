package publisher

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"

	"github.com/miekg/dns"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/problem"
)

const (
	// maxKeyFile bounds what is read: a key takes 100 bytes.
	maxKeyFile = 16 << 10
	// tsig-keygen makes secrets as long as the hash; old tools made them of 16 bytes.
	minSecret, maxSecret = 16, 512
)

// tsigKey signs and verifies messages (dns.TsigProvider). It keeps its secret where
// no format prints it.
type tsigKey struct {
	name      string // with a dot at the end, lower case
	algorithm string // the same
	mac       func(msg []byte) []byte
}

// Generate implements dns.TsigProvider.
func (k *tsigKey) Generate(msg []byte, _ *dns.TSIG) ([]byte, error) { return k.mac(msg), nil }

// Verify implements dns.TsigProvider: the answer is signed with our key, and not
// with a weaker algorithm.
func (k *tsigKey) Verify(msg []byte, t *dns.TSIG) error {
	got, err := hex.DecodeString(t.MAC)
	if err != nil || dns.CanonicalName(t.Hdr.Name) != k.name || dns.CanonicalName(t.Algorithm) != k.algorithm || !hmac.Equal(got, k.mac(msg)) {
		return dns.ErrSig
	}
	return nil
}

// newHash is nil for what is no algorithm of ours.
func newHash(algorithm string) func() hash.Hash {
	switch algorithm {
	case "hmac-sha224":
		return sha256.New224
	case "hmac-sha256":
		return sha256.New
	case "hmac-sha384":
		return sha512.New384
	case "hmac-sha512":
		return sha512.New
	}
	return nil
}

// readKey reads the file of a TSIG key, which nobody but its owner may read.
func readKey(path string) (*tsigKey, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe would hold us
	if err != nil {
		return nil, notOpened(path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("tsig_file %s: %w", path, err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("tsig_file %s: not a file", path)
	case info.Mode().Perm()&0o077 != 0:
		return nil, problem.Fail("chmod 0600 "+quote(path), "tsig_file %s: mode %04o lets other users read the key and change the zone with it", path, info.Mode().Perm())
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("tsig_file %s: %w", path, err)
	case len(text) > maxKeyFile:
		return nil, fmt.Errorf("tsig_file %s: more than %d bytes", path, maxKeyFile)
	}
	k, err := parseKey(string(text))
	if err != nil {
		at := fmt.Sprintf("%s:%d", path, k.line)
		return nil, problem.Fail(problem.Hint(err), "tsig_file %s: %w", at, err)
	}
	return k.make(), nil
}

func notOpened(path string, err error) error {
	hint := "make one where the name server runs: tsig-keygen -a hmac-sha256 sealmilter"
	if errors.Is(err, fs.ErrPermission) {
		hint = fmt.Sprintf("chown %s: %s", ourName(), quote(path))
	}
	return problem.Fail(hint, "tsig_file: %w", err)
}

// ourName is the name of the user that we are.
func ourName() string {
	id := strconv.Itoa(os.Geteuid())
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

// keyText is a key as its file has it.
type keyText struct {
	name, algorithm string
	secret          []byte
	line            int // of what is wrong
}

func (k keyText) make() *tsigKey {
	h, secret := newHash(k.algorithm), k.secret
	return &tsigKey{name: k.name + ".", algorithm: k.algorithm + ".", mac: func(msg []byte) []byte {
		m := hmac.New(h, secret)
		m.Write(msg)
		return m.Sum(nil)
	}}
}

// wantForms is the hint where neither form is recognised. No error shows a word of
// the file: it may be the secret.
const wantForms = `want what tsig-keygen writes (key "NAME" { algorithm hmac-sha256; secret "..."; };), or hmac-sha256:NAME:SECRET in one line`

var (
	errForm    = problem.Fail(wantForms, "not a tsig key")
	errSeveral = problem.Fail("keep the one that may change the zone", "more than one key")
	errSecret  = problem.Fail("make another one: tsig-keygen -a hmac-sha256 sealmilter", "the secret is not base64 of %d to %d bytes", minSecret, maxSecret)
	errName    = problem.Fail(wantForms, "the key's name is not a name of letters, digits, - and _")
	errAlgo    = problem.Fail(wantForms, "the algorithm is none of hmac-sha256, hmac-sha384, hmac-sha512, hmac-sha224")
	errWeak    = problem.Fail("make another one: tsig-keygen -a hmac-sha256 sealmilter", "hmac-md5 and hmac-sha1 are too weak to change a zone with")
)

// parseKey reads the form of BIND and tsig-keygen, or of nsupdate -y.
func parseKey(text string) (keyText, error) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "//") || strings.HasPrefix(line, ";") {
			continue
		}
		rest, ok := strings.CutPrefix(line, "key")
		if strings.HasPrefix(line, "/*") || ok && strings.TrimLeft(rest, " \t\"{/#") != rest || line == "key" {
			return parseBind(text)
		}
		return parseColons(text, n, line)
	}
	return keyText{line: max(n, 1)}, errForm
}

// parseColons reads ALGORITHM:NAME:SECRET, as nsupdate has it, or
// NAME:ALGORITHM:SECRET.
func parseColons(text string, n int, line string) (keyText, error) {
	k := keyText{line: n}
	f := strings.Split(line, ":")
	if len(f) != 3 {
		return k, errForm
	}
	for i, rest := range strings.Split(text, "\n") {
		if i >= n && strings.TrimSpace(rest) != "" {
			k.line = i + 1
			return k, errSeveral
		}
	}
	if strings.HasPrefix(strings.ToLower(f[1]), "hmac-") {
		f[0], f[1] = f[1], f[0]
	}
	if err := k.setAlgorithm(f[0]); err != nil {
		return k, err
	}
	if err := k.setName(f[1]); err != nil {
		return k, err
	}
	return k, k.setSecret(f[2])
}

func (k *keyText) setName(s string) error {
	s = strings.ToLower(strings.TrimSuffix(s, "."))
	if resolve.CheckName(s) != nil || strings.ContainsFunc(s, func(r rune) bool { return !hostRune(r) }) {
		return errName
	}
	k.name = s
	return nil
}

func (k *keyText) setAlgorithm(s string) error {
	k.algorithm = strings.ToLower(strings.TrimSuffix(s, "."))
	switch {
	case strings.HasPrefix(k.algorithm, "hmac-md5"), strings.HasPrefix(k.algorithm, "hmac-sha1"):
		return errWeak
	case newHash(k.algorithm) == nil:
		return errAlgo
	}
	return nil
}

func (k *keyText) setSecret(s string) error {
	b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil || len(b) < minSecret || len(b) > maxSecret {
		return errSecret
	}
	k.secret = b
	return nil
}

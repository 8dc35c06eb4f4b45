package keys

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// GenerateOptions says how new keys are made. The zero value is what a user
// wants. There is no choice of randomness: keys come from crypto/rand.
type GenerateOptions struct {
	// Selector names the RSA key; the Ed25519 key gets an "e" behind it.
	// Default: "s" and the day, s20261121 and s20261121e.
	Selector string
	Bits     int              // of the RSA key, 2048 to 4096; 0 is 2048
	Now      func() time.Time // nil is time.Now
	// Missing makes what is not there of the pair, in the place of an error: a crash
	// may have left half of it.
	Missing bool
	// Waits has the keys wait for the DNS even where they are the domain's first.
	Waits bool
}

// ErrExists is wrapped by Generate's error when a key of that name is there.
var ErrExists = errors.New("there is a key of that name already")

// Generate makes an RSA and an Ed25519 key for domain, in that order, and puts
// them into dir/<domain>/<selector>.pem: PKCS#8, mode 0600, both or none.
// A key appears under its name only when it is complete and on disk, and an
// existing file is never touched. Keys that are made beside others wait, see Life. Missing folders are made with mode 0700. What
// is made belongs to the caller: root calls this as the daemon's user.
func Generate(dir, domain string, o GenerateOptions) ([]*Key, error) {
	now := time.Now
	if o.Now != nil {
		now = o.Now
	}
	created := now()
	if o.Selector == "" {
		o.Selector = datedSelector(created)
	}
	if o.Bits == 0 {
		o.Bits = wantRSABits
	}
	selectors := []string{o.Selector, o.Selector + "e"}
	if err := checkDomain(domain); err != nil {
		return nil, err
	}
	if err := checkSelector(selectors[1], domain); err != nil {
		return nil, err
	}
	if o.Bits < wantRSABits || o.Bits > maxRSABits {
		return nil, fmt.Errorf("RSA keys have %d to %d bits, not %d (RFC 8301 section 3.2)", wantRSABits, maxRSABits, o.Bits)
	}
	w, err := openSafe(dir, domain)
	if err != nil {
		return nil, err
	}
	defer w.root.Close()
	there := map[string]bool{}
	for _, selector := range selectors { // before seconds go into an RSA key
		if _, err := w.root.Lstat(w.file(selector)); err != nil {
			continue
		}
		if there[selector] = true; !o.Missing {
			return nil, fmt.Errorf("%s: %w", w.path(selector), ErrExists)
		}
	}
	beside, err := w.besides()
	if err != nil {
		return nil, err
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, o.Bits)
	if err != nil {
		return nil, fmt.Errorf("make an RSA key: %w", err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make an Ed25519 key: %w", err)
	}
	var made []*Key
	for i, private := range []crypto.Signer{rsaKey, edKey} {
		if there[selectors[i]] {
			continue
		}
		k, err := newKey(domain, selectors[i], w.path(selectors[i]), created, private)
		if err == nil {
			k.life.Waits = beside || o.Waits
			err = w.begin(selectors[i], k.life)
		}
		if err == nil {
			err = w.write(selectors[i], private)
		}
		if err != nil {
			w.undo(made)
			w.unmark(selectors[i])
			return nil, err
		}
		made = append(made, k)
	}
	if err := w.sync(); err != nil {
		return nil, err
	}
	return made, nil
}

// safe writes below the key folder, through os.Root: a symbolic link in there
// cannot lead the writes elsewhere.
type safe struct {
	root   *os.Root
	dir    string
	domain string
}

// openSafe opens the key folder and the domain's folder in it, making what is
// missing.
func openSafe(dir, domain string) (*safe, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	if err := root.Mkdir(domain, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		root.Close()
		return nil, fmt.Errorf("make the folder %s: %w", filepath.Join(dir, domain), err)
	}
	return &safe{root, dir, domain}, nil
}

func (w *safe) file(selector string) string { return filepath.Join(w.domain, selector+keyExt) }
func (w *safe) path(selector string) string { return filepath.Join(w.dir, w.file(selector)) }

// write puts the key on disk under a name that Load passes over, then gives it
// its own name by a link, which unlike a rename fails when that name is taken.
func (w *safe) write(selector string, private crypto.Signer) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("write %s: %w", w.path(selector), err)
		}
	}()
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	defer clear(der)
	defer clear(text)
	temp := filepath.Join(w.domain, ".new-"+rand.Text())
	f, err := w.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = w.root.Remove(temp) }() // a left-over is 0600 and never loaded
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(0o600), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	err = w.root.Link(temp, w.file(selector))
	if errors.Is(err, fs.ErrExist) {
		return ErrExists
	}
	return err
}

// undo takes back what this call has made.
func (w *safe) undo(made []*Key) {
	for _, k := range made {
		_ = w.root.Remove(w.file(k.Selector))
		w.unmark(k.Selector)
	}
}

// begin writes down the life of a key that is about to be written, in the place of
// what an older key of that name has left.
func (w *safe) begin(selector string, l Life) error {
	w.unmark(selector)
	if l == (Life{}) {
		return nil
	}
	return w.setLife(selector, l)
}

// unmark removes the life of a key that is not there.
func (w *safe) unmark(selector string) {
	for _, ext := range []string{lifeExt, waitExt} {
		_ = w.root.Remove(filepath.Join(w.domain, selector+ext))
	}
}

// besides reports whether the domain has keys already.
func (w *safe) besides() (bool, error) {
	f, err := w.root.Open(w.domain)
	if err != nil {
		return false, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	return slices.ContainsFunc(names, func(n string) bool { return strings.HasSuffix(n, keyExt) && !strings.HasPrefix(n, ".") }), err
}

// sync makes the new names survive a power failure.
func (w *safe) sync() error {
	for _, name := range []string{w.domain, "."} {
		f, err := w.root.Open(name)
		if err != nil {
			return err
		}
		err = f.Sync()
		f.Close()
		if err != nil {
			return fmt.Errorf("sync %s: %w", filepath.Join(w.dir, name), err)
		}
	}
	return nil
}

package keys

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// waitExt is the end of a file, empty, beside the key file SELECTOR.pem: that key
// was made beside others, and waits until the DNS has shown its record. It is there
// before the key is, and whoever finds both knows, whatever crashed in between.
const waitExt = ".waiting"

// Waits reports whether the key was made beside others and the DNS has not shown it
// yet.
func (k *Key) Waits() bool { return k.waits }

// Waiting are the keys of listed domains that will sign when the DNS has shown them.
func (s *Store) Waiting() []*Key {
	return slices.DeleteFunc(s.All(), func(k *Key) bool { return !k.waits || s.signs(k) })
}

// signs reports whether the key is among those that sign for its domain.
func (s *Store) signs(k *Key) bool {
	e := s.entries[k.Domain]
	return e != nil && slices.Contains(e.active, k)
}

// Shown notes that the DNS has shown the key's record: from the next Load on it signs.
// Idempotent.
func Shown(dir string, k *Key) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	err = root.Remove(filepath.Join(k.Domain, k.Selector+waitExt))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
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

// hold has a key wait that is about to be written.
func (w *safe) hold(selector string) error {
	f, err := w.root.OpenFile(filepath.Join(w.domain, selector+waitExt), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// ready are the keys that may sign: those that wait only where there is no other.
func (e *entry) ready() []*Key {
	if e.spec.Unpublished || len(e.spec.Selectors) > 0 {
		return e.keys
	}
	ready := slices.DeleteFunc(slices.Clone(e.keys), func(k *Key) bool { return k.waits })
	if len(ready) == 0 {
		return e.keys
	}
	return ready
}

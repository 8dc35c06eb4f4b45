package keys

import (
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	// minRSABits: RFC 8301 §3.2: signers MUST use at least 1,024 bits; a
	// verifier must not accept less.
	minRSABits = 1024
	// wantRSABits: RFC 8301 §3.2: signers SHOULD use at least 2,048.
	wantRSABits = 2048
	// maxRSABits: RFC 8301 §3.2: verifiers need not accept more than 4,096.
	maxRSABits = 4096
	// maxFile bounds what is read of a key file; an RSA-4096 key in PEM takes
	// about 3,300 bytes, a certificate chain beside it some more.
	maxFile = 64 << 10
	keyExt  = ".pem"
)

// DomainSpec is one domain that we sign for.
type DomainSpec struct {
	Name string // A-labels, lower case, no trailing dot
	// Selectors are the keys to sign with, all of them; empty stands for the
	// newest key of each algorithm.
	Selectors []string
	// Subdomains lets the domain's keys sign for author domains below it.
	Subdomains bool
	// Unpublished has new keys sign before the DNS has shown them.
	Unpublished bool
	// Single: one key signs, RSA before Ed25519, the newest first. Amazon SES
	// refuses a message with two DKIM-Signature fields.
	Single bool
}

// Load reads the keys of domains from dir/<domain>/<selector>.pem. It always
// returns a Store that can be used, and every problem at once: a bad key does
// not keep the others from signing.
//
// previous is the Store in use, nil at start. A key that it holds stays usable
// when its file can no longer be read or has become bad, since a fault on disk
// must not stop mail that was signed a minute ago. Deleting a file retires its
// key, unless the selector is listed or the whole key folder is gone.
func Load(dir string, domains []DomainSpec, previous *Store) (*Store, []Problem) {
	l := loader{dir: dir, euid: os.Geteuid(), open: openKey, previous: previous, now: time.Now}
	return l.load(domains)
}

// LoadAs tells root what user uid, the daemon's, will find. It must be called with
// that user's rights on files (internal/asuser); its hints are for root.
func LoadAs(uid int, dir string, domains []DomainSpec) (*Store, []Problem) {
	l := loader{dir: dir, euid: uid, forRoot: true, open: openKey, now: time.Now}
	return l.load(domains)
}

// errNotRegular: nothing else than a file is opened, as that may have effects.
var errNotRegular = errors.New("not a regular file")

// openKey opens a file. Links are followed as long as they are relative and stay
// in the key folder, as those of a Kubernetes secret do: who may write there must
// not choose what root reads. It does not hang on a FIFO that comes in between.
func openKey(root *os.Root, name string) (*os.File, error) {
	info, err := root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	return root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

type loader struct {
	dir      string
	euid     int
	forRoot  bool // root reads the hints
	open     func(root *os.Root, name string) (*os.File, error)
	previous *Store
	now      func() time.Time

	root     *os.Root
	rootErr  error // why there is no root
	owner    int   // who must own the keys: the user that the daemon runs as
	foreign  bool  // the key folder is somebody else's
	problems []Problem
}

func (l *loader) load(domains []DomainSpec) (*Store, []Problem) {
	l.owner = l.euid
	var info fs.FileInfo
	if l.root, l.rootErr = os.OpenRoot(l.dir); l.rootErr == nil {
		defer l.root.Close()
		info, l.rootErr = l.root.Stat(".")
	}
	if l.rootErr == nil {
		if l.euid == 0 {
			// Run as root (check, setup), we judge for the daemon: the keys must
			// belong to the owner of the key folder.
			l.owner = uidOf(info)
		}
		l.checkFolder(l.dir, info, "")
		l.foreign = uidOf(info) != l.owner
	} else if info, err := os.Lstat(l.dir); err == nil && info.IsDir() {
		if l.euid == 0 {
			l.owner = uidOf(info) // for the hints
		}
		l.foreign = uidOf(info) != l.owner
	}
	if errors.Is(l.rootErr, fs.ErrNotExist) && len(domains) > 0 && l.previous == nil {
		l.report(Problem{Path: l.dir, Severity: Warning, Message: "the key folder (sign.keys) does not exist",
			Hint: "the first key makes it; where keys are there already, sign.keys names another place"})
	}
	s := &Store{entries: make(map[string]*entry, len(domains)), now: l.now}
	for _, spec := range domains {
		s.entries[spec.Name] = l.domain(spec, errors.Is(l.rootErr, fs.ErrNotExist))
	}
	return s, l.problems
}

// report adds a problem and returns it.
func (l *loader) report(p Problem) *Problem {
	l.problems = append(l.problems, p)
	return &p
}

// domain loads one folder. dirGone says that the whole key folder is missing.
func (l *loader) domain(spec DomainSpec, dirGone bool) *entry {
	e := &entry{spec: spec}
	folder := filepath.Join(l.dir, spec.Name)
	if err := checkDomain(spec.Name); err != nil {
		e.broken = l.report(Problem{Path: l.dir, Domain: spec.Name, Severity: Error, Message: err.Error()})
		return e
	}
	selectors, strays, err := l.listFolder(spec.Name)
	switch {
	case dirGone:
		// Nobody retires all keys by removing the folder while the daemon
		// runs: a file system is not mounted.
		for _, old := range l.previous.under(folder) {
			e.keys = append(e.keys, l.keep(old, Problem{Path: old.path, Domain: spec.Name, Severity: Error, Message: "the key folder " + l.dir + " is gone"}))
		}
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		p := Problem{Path: folder, Domain: spec.Name, Severity: Error, Message: "cannot read the folder: " + reason(err), Hint: l.accessHint(err, folder), Denied: errors.Is(err, fs.ErrPermission)}
		if leaves(err) {
			p.Message, p.Hint = leavesMessage, "put the folder itself there"
		}
		old := l.previous.under(folder)
		if len(old) == 0 {
			e.broken = l.report(p)
		}
		for _, k := range old {
			e.keys = append(e.keys, l.keep(k, p))
		}
	}
	if len(spec.Selectors) > 0 && (err == nil || errors.Is(err, fs.ErrNotExist)) {
		selectors = l.listed(e, selectors, folder)
	}
	for _, selector := range selectors {
		k, p := l.key(spec.Name, selector, filepath.Join(folder, selector+keyExt))
		if k != nil {
			e.keys = append(e.keys, l.alive(k))
		} else if e.broken == nil {
			e.broken = p
		}
	}
	l.alike(e)
	e.choose(l.now())
	l.judge(e, folder, strays)
	return e
}

// listed replaces what the folder holds by the selectors that the
// configuration names, and reports those that have no file.
func (l *loader) listed(e *entry, present []string, folder string) []string {
	var found []string
	for i, selector := range e.spec.Selectors {
		path := filepath.Join(folder, selector+keyExt)
		p := Problem{Path: path, Domain: e.spec.Name, Severity: Error, Message: "listed selector without a key file"}
		p.Hint = "put the key there, or remove " + clip(selector) + " from the selectors of " + e.spec.Name + "; " + those(present)
		switch {
		case slices.Contains(e.spec.Selectors[:i], selector):
		case checkSelector(selector, e.spec.Name) != nil:
			p.Path, p.Message, p.Hint = folder, checkSelector(selector, e.spec.Name).Error(), ""
			l.report(p)
		case slices.Contains(present, selector):
			found = append(found, selector)
		case slices.ContainsFunc(e.keys, func(k *Key) bool { return k.Selector == selector }): // kept above
		default:
			if old := l.previous.at(path); old != nil {
				e.keys = append(e.keys, l.keep(old, p))
				continue
			}
			l.report(p)
		}
	}
	return found
}

// those lists the selectors that a folder has.
func those(present []string) string {
	const most = 10
	if len(present) == 0 {
		return "no key is there"
	}
	var names []string
	for _, s := range present[:min(most, len(present))] {
		names = append(names, clip(s))
	}
	if n := len(present) - most; n > 0 {
		names = append(names, fmt.Sprintf("and %d more", n))
	}
	return "there are: " + strings.Join(names, ", ")
}

// alike warns of one key under two selectors: whoever rotates by copying a file
// has not rotated.
func (l *loader) alike(e *entry) {
	first := make(map[string]*Key, len(e.keys))
	for _, k := range e.keys {
		der, err := x509.MarshalPKIXPublicKey(k.public)
		if err != nil {
			continue
		}
		old := first[string(der)]
		if old == nil {
			first[string(der)] = k
			continue
		}
		l.report(Problem{Path: k.path, Domain: k.Domain, Severity: Warning, Message: "holds the same key as " + filepath.Base(old.path) + "; two selectors want two keys",
			Hint: newKeyHint(k.Domain)})
	}
}

// listFolder returns the selectors of the key files of a domain, and the names of
// OpenDKIM's key files, which only need another name. Names that begin with a
// dot are Generate's unfinished files and editors' copies.
func (l *loader) listFolder(domain string) (selectors, strays []string, err error) {
	if l.rootErr != nil {
		return nil, nil, l.rootErr
	}
	f, err := l.root.OpenFile(domain, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil {
		l.checkFolder(filepath.Join(l.dir, domain), info, domain)
	}
	entries, err := f.ReadDir(-1)
	if err != nil {
		return nil, nil, err
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, d := range entries {
		name := d.Name()
		switch {
		case strings.HasPrefix(name, "."):
		case strings.HasSuffix(name, keyExt):
			selectors = append(selectors, strings.TrimSuffix(name, keyExt))
		case strings.HasSuffix(name, ".private"):
			strays = append(strays, name)
		}
	}
	return selectors, strays, nil
}

// key loads one file. Without a key it returns the first problem that forbids
// its use.
func (l *loader) key(domain, selector, path string) (*Key, *Problem) {
	denied := false
	bad := func(message, hint string) (*Key, *Problem) {
		p := Problem{Path: path, Domain: domain, Severity: Error, Message: message, Hint: hint, Denied: denied}
		if old := l.previous.at(path); old != nil {
			return l.keep(old, p), nil
		}
		return nil, l.report(p)
	}
	if err := checkSelector(selector, domain); err != nil {
		return bad(err.Error(), "rename the file; its name without "+keyExt+" is the selector")
	}
	f, err := l.open(l.root, filepath.Join(domain, selector+keyExt))
	switch {
	case errors.Is(err, errNotRegular):
		return bad(err.Error(), "")
	case leaves(err):
		return bad(leavesMessage, "put the key itself there")
	case err != nil:
		denied = errors.Is(err, fs.ErrPermission)
		return bad("cannot read the key: "+reason(err), l.accessHint(err, path))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return bad("cannot read the key: "+reason(err), "")
	}
	if !info.Mode().IsRegular() {
		return bad(errNotRegular.Error(), "")
	}
	if info.Size() > maxFile {
		return bad(fmt.Sprintf("%d bytes are too many for a key (limit %d)", info.Size(), maxFile), "")
	}
	// A key that others can read may have been read, one that others can
	// write may not be ours.
	if uid := uidOf(info); uid != l.owner {
		denied = true
		return bad(fmt.Sprintf("belongs to user %s, not to %s", userName(uid), userName(l.owner)), l.chown(path))
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return bad(fmt.Sprintf("mode %04o lets other users than the owner at the key", perm), l.chmod("0600", path))
	}
	mark := stampOf(info)
	if old := l.previous.at(path); old != nil && old.stamp == mark && mark != (stamp{}) {
		same := *old
		return l.strong(&same, path), nil
	}
	data := make([]byte, info.Size())
	defer clear(data)
	if _, err := io.ReadFull(f, data); err != nil {
		return bad("cannot read the key: "+reason(err), "")
	}
	private, err := parsePEM(data)
	if err != nil {
		return bad(err.Error(), l.parseHint(err, path, domain))
	}
	k, err := newKey(domain, selector, path, madeAt(selector, info.ModTime()), private)
	if err != nil {
		return bad(err.Error(), l.parseHint(err, path, domain))
	}
	k.stamp = mark
	if _, rsaKey := k.public.(*rsa.PublicKey); rsaKey {
		switch bits := k.Bits(); {
		case bits < minRSABits:
			return bad(fmt.Sprintf("RSA key of %d bits is too weak: verifiers must refuse less than %d (RFC 8301 section 3.2)", bits, minRSABits), newKeyHint(domain))
		case bits > maxRSABits:
			return bad(fmt.Sprintf("RSA key of %d bits: verifiers need not accept more than %d (RFC 8301 section 3.2)", bits, maxRSABits), newKeyHint(domain))
		}
	}
	return l.strong(k, path), nil
}

// strong warns of a key that should have more bits.
func (l *loader) strong(k *Key, path string) *Key {
	if _, rsaKey := k.public.(*rsa.PublicKey); rsaKey && k.Bits() < wantRSABits {
		l.report(Problem{Path: path, Domain: k.Domain, Severity: Warning,
			Message: fmt.Sprintf("RSA key of %d bits is weak: %d or more should be used (RFC 8301 section 3.2)", k.Bits(), wantRSABits), Hint: newKeyHint(k.Domain)})
	}
	return k
}

// keep reports p and goes on with the key that was loaded earlier.
func (l *loader) keep(old *Key, p Problem) *Key {
	p.Path = old.path
	p.Message += "; the key that was loaded earlier stays in use until the daemon restarts"
	l.report(p)
	return old
}

// reason is the cause of a file error without the path, which the Problem has.
func reason(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return err.Error()
}

const leavesMessage = "a link that is absolute or leaves the key folder is not followed"

// leaves reports whether os.Root did not follow a link: its error for that is the
// one that no system call made.
func leaves(err error) bool {
	var errno syscall.Errno
	return err != nil && !errors.Is(err, errNotRegular) && !errors.As(err, &errno)
}

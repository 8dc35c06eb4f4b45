package keys

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// Why Pick found no key.
var (
	// ErrNotListed: neither the domain nor a parent with subdomains is one
	// that we sign for.
	ErrNotListed = errors.New("not a domain that we sign for")
	// ErrNoKey: the domain is listed and there is no key. Its mail goes out
	// unsigned, so that setting up never stops mail.
	ErrNoKey = errors.New("no key")
	// ErrBroken: there are keys and none could be loaded. Its mail waits
	// (451), since unsigned mail would fail DMARC at the receivers.
	ErrBroken = errors.New("no key could be loaded")
)

// PickError is the reason that Pick returns.
type PickError struct {
	Domain string // the listed domain, or the author domain for ErrNotListed
	Err    error  // wraps ErrNotListed, ErrNoKey or ErrBroken
	Hint   string // what to do, "" when nothing
}

func (e *PickError) Error() string { return e.Domain + ": " + e.Err.Error() }
func (e *PickError) Unwrap() error { return e.Err }

// Store is a set of loaded keys. It never changes: a reload makes a new one.
// A nil Store is empty.
type Store struct {
	entries map[string]*entry
}

// entry is one listed domain.
type entry struct {
	spec   DomainSpec
	keys   []*Key   // all that were loaded, newest first
	active []*Key   // those that sign, RSA first
	broken *Problem // the first key that could not be loaded
}

// Pick returns the keys that sign for an author domain (canonical form), and
// the d= of their signatures: the domain itself when it is listed, else its
// closest listed parent whose keys sign for subdomains. RSA keys come first:
// signatures are prepended in reverse, and the one on top should be the one
// that every verifier knows. Without keys the error is a *PickError.
func (s *Store) Pick(authorDomain string) (keys []*Key, sdid string, reason error) {
	e := s.find(authorDomain)
	switch {
	case e == nil:
		return nil, "", &PickError{Domain: clip(authorDomain), Err: ErrNotListed}
	case len(e.active) > 0:
		return slices.Clip(e.active), e.spec.Name, nil
	case e.broken != nil:
		p := e.broken
		return nil, e.spec.Name, &PickError{Domain: e.spec.Name, Err: fmt.Errorf("%w: %s: %s", ErrBroken, p.Path, p.Message), Hint: p.Hint}
	}
	return nil, e.spec.Name, &PickError{Domain: e.spec.Name, Err: ErrNoKey, Hint: newKeyHint(e.spec.Name)}
}

func (s *Store) find(domain string) *entry {
	if s == nil {
		return nil
	}
	if e := s.entries[domain]; e != nil {
		return e
	}
	for {
		_, parent, ok := strings.Cut(domain, ".")
		if !ok {
			return nil
		}
		if e := s.entries[parent]; e != nil && e.spec.Subdomains {
			return e
		}
		domain = parent
	}
}

// Domains are the listed domains, sorted.
func (s *Store) Domains() []string {
	if s == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(s.entries))
}

// Keys are the loaded keys of a listed domain, newest first, those that do not
// sign (any more) included.
func (s *Store) Keys(domain string) []*Key {
	if s == nil || s.entries[domain] == nil {
		return nil
	}
	return slices.Clip(s.entries[domain].keys)
}

// All are the loaded keys of all domains, in the order of Domains.
func (s *Store) All() []*Key {
	var all []*Key
	for _, d := range s.Domains() {
		all = append(all, s.entries[d].keys...)
	}
	return all
}

// at is the key that was loaded from path, nil for none.
func (s *Store) at(path string) *Key {
	for _, k := range s.under(filepath.Dir(path)) {
		if k.path == path {
			return k
		}
	}
	return nil
}

// under are the keys that were loaded from files in folder.
func (s *Store) under(folder string) []*Key {
	var found []*Key
	for _, k := range s.Keys(filepath.Base(folder)) {
		if filepath.Dir(k.path) == folder {
			found = append(found, k)
		}
	}
	return found
}

// choose sorts the keys and decides which sign.
func (e *entry) choose() {
	slices.SortFunc(e.keys, func(a, b *Key) int {
		if c := b.created.Compare(a.created); c != 0 {
			return c
		}
		return strings.Compare(b.Selector, a.Selector)
	})
	e.active = nil
	seen := map[string]bool{}
	for _, k := range e.ready() {
		if listed := e.spec.Selectors; len(listed) > 0 {
			if !slices.Contains(listed, k.Selector) {
				continue
			}
		} else if seen[k.Algorithm()] {
			continue
		}
		seen[k.Algorithm()] = true
		e.active = append(e.active, k)
	}
	slices.SortStableFunc(e.active, func(a, b *Key) int { return rank(a) - rank(b) })
	if e.spec.Single && len(e.active) > 1 {
		e.active = e.active[:1]
	}
}

// rank puts RSA first.
func rank(k *Key) int {
	if _, ok := k.public.(*rsa.PublicKey); ok {
		return 0
	}
	return 1
}

// judge reports what a domain lacks as a whole.
func (l *loader) judge(e *entry, folder string, strays []string) {
	p := Problem{Path: folder, Domain: e.spec.Name, Severity: Warning, Hint: newKeyHint(e.spec.Name)}
	switch {
	case len(e.active) > 0 && rank(e.active[0]) != 0:
		// RFC 8463 §5 asks every verifier for Ed25519, and many still know RSA only.
		p.Message = "no RSA key: receivers that know no Ed25519 find no valid signature"
	case len(e.active) > 0 || e.broken != nil:
		return
	case len(strays) > 0:
		from := filepath.Join(folder, strays[0])
		p.Message = "no key ends in " + keyExt + ": the mail of " + e.spec.Name + " goes out unsigned"
		p.Hint = l.as("mv " + shellQuote(from) + " " + shellQuote(strings.TrimSuffix(from, ".private")+keyExt))
	default:
		p.Message = "no key: the mail of " + e.spec.Name + " goes out unsigned"
	}
	l.report(p)
}

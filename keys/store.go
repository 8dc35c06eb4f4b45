package keys

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Why Pick found no key.
var (
	// ErrNotListed: neither the domain nor a parent with subdomains is one
	// that we sign for.
	ErrNotListed = errors.New("not a domain that we sign for")
	// ErrNoKey: the domain is listed and there is no key. Its mail goes out
	// unsigned, so that setting up never stops mail.
	ErrNoKey = errors.New("no key")
	// ErrUnpublished: there are keys, and the DNS has not shown the record of any. Its
	// mail goes out unsigned: a signature that nobody can check is as good as none
	// (RFC 6376 §6.1.2), and some receivers mind it.
	ErrUnpublished = errors.New("no key is published")
	// ErrBroken: there are keys and none could be loaded. Its mail waits
	// (451), since unsigned mail would fail DMARC at the receivers.
	ErrBroken = errors.New("no key could be loaded")
)

// PickError is the reason that Pick returns.
type PickError struct {
	Domain string // the listed domain, or the author domain for ErrNotListed
	Err    error  // wraps ErrNotListed, ErrNoKey, ErrUnpublished or ErrBroken
	Hint   string // what to do, "" when nothing
}

func (e *PickError) Error() string { return e.Domain + ": " + e.Err.Error() }
func (e *PickError) Unwrap() error { return e.Err }

// Store is a set of loaded keys. It never changes: a reload makes a new one. Which of
// them sign depends on the time of day. A nil Store is empty.
type Store struct {
	entries map[string]*entry
	now     func() time.Time
}

// entry is one listed domain.
type entry struct {
	spec   DomainSpec
	keys   []*Key    // all that were loaded, newest first
	active []*Key    // those that sign until the moment until, RSA first
	until  time.Time // zero: for ever
	broken *Problem  // the first key that could not be loaded
}

// Pick returns the keys that sign for an author domain (canonical form), and
// the d= of their signatures: the domain itself when it is listed, else its
// closest listed parent whose keys sign for subdomains; the parent, too, while the keys
// of a listed domain are not published. RSA keys come first:
// signatures are prepended in reverse, and the one on top should be the one
// that every verifier knows. Without keys the error is a *PickError.
func (s *Store) Pick(authorDomain string) (keys []*Key, sdid string, reason error) {
	e := s.find(authorDomain)
	if e == nil {
		return nil, "", &PickError{Domain: clip(authorDomain), Err: ErrNotListed}
	}
	now := s.now()
	active := e.at(now)
	switch {
	case len(active) > 0:
		return slices.Clip(active), e.spec.Name, nil
	case e.broken != nil:
		p := e.broken
		return nil, e.spec.Name, &PickError{Domain: e.spec.Name, Err: fmt.Errorf("%w: %s: %s", ErrBroken, p.Path, p.Message), Hint: p.Hint}
	case slices.ContainsFunc(e.keys, func(k *Key) bool { return !k.life.over(now) }):
		// Until then it is below its parent as if nobody had listed it.
		if up := s.above(e.spec.Name); up != nil {
			if active := up.at(now); len(active) > 0 {
				return slices.Clip(active), up.spec.Name, nil
			}
		}
		return nil, e.spec.Name, &PickError{Domain: e.spec.Name, Err: ErrUnpublished, Hint: "publish the records that `sealmilter dns " + e.spec.Name + "` prints"}
	}
	return nil, e.spec.Name, &PickError{Domain: e.spec.Name, Err: ErrNoKey, Hint: newKeyHint(e.spec.Name)}
}

// PickTrial is Pick for a message that only shows whether signing works: keys sign
// that are not published yet, where there are no others.
func (s *Store) PickTrial(authorDomain string) (keys []*Key, sdid string, reason error) {
	keys, sdid, reason = s.Pick(authorDomain)
	if errors.Is(reason, ErrUnpublished) {
		keys, _ = s.find(authorDomain).signing(s.now(), unwaiting)
		return keys, sdid, nil
	}
	return keys, sdid, reason
}

// ToPublish are the keys whose records belong into the DNS for an author domain: those that
// sign, and those that will when the DNS shows them.
func (s *Store) ToPublish(authorDomain string) (keys []*Key, sdid string, reason error) {
	e := s.find(authorDomain)
	if e == nil {
		return s.Pick(authorDomain)
	}
	now := s.now()
	if keys = slices.Clone(e.at(now)); len(keys) == 0 {
		keys, _ = e.signing(now, unwaiting)
	}
	if len(keys) == 0 {
		return s.Pick(authorDomain)
	}
	for _, k := range e.keys {
		l := k.life
		comes := l.State(now) == New && l.Waits || l.State(now) == Published && !l.Activate.IsZero()
		if comes && !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	return keys, e.spec.Name, nil
}

// At is the store with another clock.
func (s *Store) At(now func() time.Time) *Store {
	out := &Store{entries: make(map[string]*entry, len(s.entries)), now: now}
	for d, e := range s.entries {
		e := *e
		e.keys = slices.Clone(e.keys) // the other store is in use
		e.choose(now())
		out.entries[d] = &e
	}
	return out
}

// Signs reports whether the key is among those that sign for its domain now.
func (s *Store) Signs(k *Key) bool {
	picked, _, _ := s.Pick(k.Domain)
	return slices.ContainsFunc(picked, func(p *Key) bool { return p.Selector == k.Selector })
}

func (s *Store) find(domain string) *entry {
	if s == nil {
		return nil
	}
	if e := s.entries[domain]; e != nil {
		return e
	}
	return s.above(domain)
}

// at are the keys that sign at a moment.
func (e *entry) at(now time.Time) []*Key {
	if e.until.IsZero() || now.Before(e.until) {
		return e.active
	}
	active, _ := e.signing(now, e.published)
	return active
}

// above is the closest listed parent whose keys sign for subdomains, nil without one.
func (s *Store) above(domain string) *entry {
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
func (e *entry) choose(now time.Time) {
	slices.SortFunc(e.keys, func(a, b *Key) int {
		if c := b.created.Compare(a.created); c != 0 {
			return c
		}
		return strings.Compare(b.Selector, a.Selector)
	})
	e.active, e.until = e.signing(now, e.published)
}

// signing are the keys that sign at a moment, and when that changes next. usable says
// whether a key may sign for itself. Of each algorithm one does: the newest of those
// that are known to be published, or, without one, of the others.
func (e *entry) signing(now time.Time, usable func(*Key, time.Time) bool) (active []*Key, until time.Time) {
	best := map[string]*Key{}
	listed := e.spec.Selectors
	for _, k := range e.keys {
		if t := k.life.next(now); !t.IsZero() && (until.IsZero() || t.Before(until)) {
			until = t
		}
		if !usable(k, now) || len(listed) > 0 && !slices.Contains(listed, k.Selector) {
			continue
		}
		first := best[k.Algorithm()]
		if len(listed) > 0 {
			active = append(active, k)
		} else if first == nil || !e.spec.Unpublished && first.life.State(now) != Active && k.life.State(now) == Active {
			best[k.Algorithm()] = k
		}
	}
	for _, k := range best {
		active = append(active, k)
	}
	slices.SortStableFunc(active, func(a, b *Key) int { return rank(a) - rank(b) })
	if e.spec.Single && len(active) > 1 {
		active = active[:1]
	}
	return active, until
}

// published reports whether a key may sign as far as the DNS is concerned. What
// milter.yaml lists is not there by chance, and signs as long as the DNS is not known to lack it.
func (e *entry) published(k *Key, now time.Time) bool {
	switch {
	case k.life.over(now):
		return false
	case e.spec.Unpublished:
		return true
	case len(e.spec.Selectors) > 0 && !k.life.unread:
		return k.life.Absent.IsZero() || !k.life.Shown.IsZero()
	}
	return k.life.may(now)
}

// unwaiting is published for PickTrial.
func unwaiting(k *Key, now time.Time) bool { return !k.life.over(now) }

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
	case len(e.active) > 0 && rank(e.active[0]) != 0 && !slices.ContainsFunc(e.keys, func(k *Key) bool { return rank(k) == 0 && !k.life.over(l.now()) }):
		// RFC 8463 §5 asks every verifier for Ed25519, and many still know RSA only.
		p.Message = "no RSA key: receivers that know no Ed25519 find no valid signature"
	case len(e.active) > 0 || e.broken != nil:
		return
	case slices.ContainsFunc(e.keys, func(k *Key) bool { return !k.life.over(l.now()) }):
		return // it is said with what the DNS answers
	case len(e.keys) > 0:
		p.Message = "all keys are retired: the mail of " + e.spec.Name + " goes out unsigned"
	case len(strays) > 0:
		from := filepath.Join(folder, strays[0])
		p.Message = "no key ends in " + keyExt + ": the mail of " + e.spec.Name + " goes out unsigned"
		p.Hint = l.as("mv " + shellQuote(from) + " " + shellQuote(strings.TrimSuffix(from, ".private")+keyExt))
	default:
		p.Message = "no key: the mail of " + e.spec.Name + " goes out unsigned"
	}
	l.report(p)
}

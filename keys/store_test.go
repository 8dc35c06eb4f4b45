package keys

import (
	"crypto"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// agedKey is a key of the given age in days, without a file.
func agedKey(t *testing.T, domain, selector string, age int, private crypto.Signer) *Key {
	t.Helper()
	k, err := newKey(domain, selector, "", fixedNow().AddDate(0, 0, -age), private)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestPickDomain(t *testing.T) {
	s := &Store{entries: map[string]*entry{}, now: time.Now}
	add := func(name string, subdomains, key bool, broken *Problem) {
		e := &entry{spec: DomainSpec{Name: name, Subdomains: subdomains}, broken: broken}
		if key {
			e.keys = []*Key{agedKey(t, name, "s1", 0, rsa1024())}
		}
		e.choose(time.Now())
		s.entries[name] = e
	}
	add("example.com", true, true, nil)
	add("own.example.com", true, true, nil)
	add("empty.example.com", true, false, nil)
	add("strict.example.com", false, true, nil)
	add("alone.example", false, true, nil)
	add("broken.example", true, false, &Problem{Path: "/k/broken.example/s1.pem", Message: "mode 0640", Hint: "chmod 0600 x"})
	for _, tc := range []struct {
		author, sdid string
		reason       error
		text, hint   string
	}{
		{author: "example.com", sdid: "example.com"},
		{author: "host.example.com", sdid: "example.com"},
		{author: "a.b.c.example.com", sdid: "example.com"},
		{author: "own.example.com", sdid: "own.example.com"},
		{author: "x.own.example.com", sdid: "own.example.com"},
		{author: "strict.example.com", sdid: "strict.example.com"},
		{author: "x.strict.example.com", sdid: "example.com"},
		{author: "alone.example", sdid: "alone.example"},
		{"x.alone.example", "", ErrNotListed, "x.alone.example: not a domain that we sign for", ""},
		{"notexample.com", "", ErrNotListed, "notexample.com: not a domain that we sign for", ""},
		{"com", "", ErrNotListed, "com: not a domain that we sign for", ""},
		{"", "", ErrNotListed, ": not a domain that we sign for", ""},
		{strings.Repeat("a.", 5000) + "x", "", ErrNotListed, strings.Repeat("a.", 40) + "...: not a domain that we sign for", ""},
		{"empty.example.com", "empty.example.com", ErrNoKey, "empty.example.com: no key", "sealmilter keys new empty.example.com"},
		{"x.empty.example.com", "empty.example.com", ErrNoKey, "empty.example.com: no key", "sealmilter keys new empty.example.com"},
		{"x.broken.example", "broken.example", ErrBroken, "broken.example: no key could be loaded: /k/broken.example/s1.pem: mode 0640", "chmod 0600 x"},
	} {
		t.Run(clip(tc.author), func(t *testing.T) {
			keys, sdid, err := s.Pick(tc.author)
			if tc.reason == nil {
				if err != nil || sdid != tc.sdid || len(keys) != 1 || keys[0].Domain != sdid {
					t.Fatalf("%v %q %v, want %q", keys, sdid, err, tc.sdid)
				}
				return
			}
			var pe *PickError
			if !errors.Is(err, tc.reason) || !errors.As(err, &pe) || len(keys) != 0 || sdid != tc.sdid {
				t.Fatalf("%v %q %v, want %q %v", keys, sdid, err, tc.sdid, tc.reason)
			}
			if err.Error() != tc.text || pe.Hint != tc.hint {
				t.Errorf("%q, hint %q", err, pe.Hint)
			}
		})
	}
	if got := fmt.Sprint(s.Domains()); got != "[alone.example broken.example empty.example.com example.com own.example.com strict.example.com]" {
		t.Error(got)
	}
	if got := len(s.All()); got != 4 {
		t.Errorf("%d keys in all", got)
	}
}

func TestChoose(t *testing.T) {
	r, e := rsa1024(), edKey()
	for _, tc := range []struct {
		name   string
		listed []string
		keys   []*Key
		want   string
		single string
	}{
		{"newest of each algorithm, RSA first", nil, []*Key{
			agedKey(t, "d", "old", 400, r), agedKey(t, "d", "e2", 0, e), agedKey(t, "d", "new", 1, r), agedKey(t, "d", "e1", 9, e)}, "new e2", "new"},
		{"same age: the later name", nil, []*Key{agedKey(t, "d", "s1", 0, r), agedKey(t, "d", "s2", 0, r)}, "s2", "s2"},
		{"listed, an old one", []string{"old"}, []*Key{agedKey(t, "d", "old", 400, r), agedKey(t, "d", "new", 1, r)}, "old", "old"},
		{"listed, two of one algorithm", []string{"old", "new", "e1"}, []*Key{
			agedKey(t, "d", "e1", 0, e), agedKey(t, "d", "old", 400, r), agedKey(t, "d", "new", 1, r)}, "new old e1", "new"},
		{"only Ed25519", nil, []*Key{agedKey(t, "d", "e1", 0, e)}, "e1", "e1"},
		{"none", nil, nil, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for single, want := range map[bool]string{false: tc.want, true: tc.single} {
				en := entry{spec: DomainSpec{Name: "d", Selectors: tc.listed, Single: single}, keys: tc.keys}
				en.choose(time.Now())
				var got []string
				for _, k := range en.active {
					got = append(got, k.Selector)
				}
				if strings.Join(got, " ") != want {
					t.Errorf("single %v: got %v, want %s", single, got, want)
				}
			}
		})
	}
}

// TestPickIsSafe: a caller that appends to what it got must not change the Store.
func TestPickIsSafe(t *testing.T) {
	en := &entry{spec: spec("d.example"), keys: []*Key{agedKey(t, "d.example", "s1", 0, rsa1024()), agedKey(t, "d.example", "e1", 0, edKey())}}
	en.choose(time.Now())
	s := &Store{entries: map[string]*entry{"d.example": en}, now: time.Now}
	a, _, _ := s.Pick("d.example")
	_ = append(a[:len(a):len(a)], a[0])
	b, _, _ := s.Pick("d.example")
	_ = append(b, a[0])
	if c, _, _ := s.Pick("d.example"); len(c) != 2 || c[0].Selector != "s1" || c[1].Selector != "e1" {
		t.Errorf("got %v", c)
	}
}

package keys

import (
	"crypto/rsa"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func names(list []*Key) string {
	var out []string
	for _, k := range list {
		out = append(out, k.Selector)
	}
	return strings.Join(out, " ")
}

// dawn is when the lives of these tests begin.
var dawn = time.Date(2025, 11, 27, 12, 0, 0, 0, time.UTC)

func hour(n int) time.Time { return dawn.Add(time.Duration(n) * time.Hour) }

// TestLifeStates walks through a key's life.
func TestLifeStates(t *testing.T) {
	l := Life{Waits: true, Shown: hour(1), Activate: hour(2), Retire: hour(3), Remove: hour(4)}
	for at, want := range map[time.Time]State{
		hour(1): Published, hour(2).Add(-1): Published, hour(2): Active, hour(3).Add(-1): Active,
		hour(3): Retiring, hour(4).Add(-1): Retiring, hour(4): Retired, hour(99): Retired,
	} {
		if got := l.State(at); got != want || l.may(at) != (want == Active) || l.over(at) != (want == Retiring || want == Retired) {
			t.Errorf("%s: %s, may sign %v, over %v; want %s", at, got, l.may(at), l.over(at), want)
		}
	}
	for at, want := range map[time.Time]time.Time{hour(0): hour(2), hour(2): hour(3), hour(3): hour(4), hour(4): {}} {
		if got := l.next(at); !got.Equal(want) {
			t.Errorf("after %s comes %s, want %s", at, got, want)
		}
	}
	for name, c := range map[string]struct {
		l     Life
		state State
		may   bool
	}{
		"nothing is known":            {Life{}, New, true},
		"the DNS lacks it":            {Life{Absent: hour(0)}, New, false},
		"made beside others":          {Life{Waits: true}, New, false},
		"shown, no moment":            {Life{Shown: hour(0)}, Published, false},
		"lacked once, active":         {Life{Absent: hour(-2), Shown: hour(-1), Activate: hour(-1)}, Active, true},
		"taken away by hand":          {Life{Retire: hour(-1)}, Retiring, false},
		"taken away, never activated": {Life{Retire: hour(-2), Remove: hour(-1)}, Retired, false},
	} {
		if got := c.l.State(hour(0)); got != c.state || c.l.may(hour(0)) != c.may {
			t.Errorf("%s: %s, %v", name, got, c.l.may(hour(0)))
		}
	}
}

// pairs makes a folder with the pairs s1 and s2, which is a day younger.
func pairs(t *testing.T, selectors ...string) (dir string, load func(...func(*DomainSpec)) *Store) {
	t.Helper()
	dir = t.TempDir()
	for day, s := range selectors {
		if _, err := Generate(dir, "example.com", GenerateOptions{Selector: s, Now: func() time.Time { return dawn.AddDate(0, 0, day) }}); err != nil {
			t.Fatal(err)
		}
		for _, n := range []string{s, s + "e"} { // what Load takes the age from
			if err := os.Chtimes(filepath.Join(dir, "example.com", n+".pem"), dawn, dawn.AddDate(0, 0, day)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir, func(change ...func(*DomainSpec)) *Store {
		t.Helper()
		sp := spec("example.com")
		for _, c := range change {
			c(&sp)
		}
		s, problems := Load(dir, []DomainSpec{sp}, nil)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		return s
	}
}

// signs is who signs at a moment, or why nobody does.
func signs(s *Store, at time.Time) string {
	picked, _, err := s.At(func() time.Time { return at }).Pick("example.com")
	for _, e := range []error{ErrUnpublished, ErrNoKey, ErrBroken} {
		if errors.Is(err, e) {
			return e.Error()
		}
	}
	return names(picked)
}

func live(t *testing.T, dir, selector string, l Life) {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	was, _ := readLife(root, "example.com", selector)
	if err := SetLife(dir, "example.com", selector, was, l); err != nil {
		t.Fatal(err)
	}
}

// TestFirstKeysAreGated: a domain's first keys sign until the DNS is known to lack
// them, and again when it shows them.
func TestFirstKeysAreGated(t *testing.T) {
	dir, load := pairs(t, "s1")
	if got := signs(load(), hour(0)); got != "s1 s1e" {
		t.Errorf("nothing is known: %s", got)
	}
	live(t, dir, "s1e", Life{Absent: hour(0)})
	if got := signs(load(), hour(0)); got != "s1" {
		t.Errorf("the DNS lacks Ed25519: %s", got)
	}
	live(t, dir, "s1", Life{Absent: hour(0)})
	if got := signs(load(), hour(0)); got != ErrUnpublished.Error() {
		t.Errorf("the DNS lacks both: %s", got)
	}
	listed := func(sp *DomainSpec) { sp.Selectors = []string{"s1"} }
	if got := signs(load(listed), hour(0)); got != ErrUnpublished.Error() {
		t.Errorf("listed: %s", got)
	}
	unpublished := func(sp *DomainSpec) { sp.Unpublished = true }
	if got := signs(load(unpublished), hour(0)); got != "s1 s1e" {
		t.Errorf("require_published: false: %s", got)
	}
	if picked, sdid, err := load().PickTrial("a.example.com"); names(picked) != "s1 s1e" || sdid != "example.com" || err != nil {
		t.Errorf("for a trial: %s %s %v", names(picked), sdid, err)
	}
	live(t, dir, "s1", Life{Absent: hour(0), Shown: hour(1), Activate: hour(1)})
	if got := signs(load(), hour(1)); got != "s1" {
		t.Errorf("shown: %s", got)
	}
	if got := signs(load(listed), hour(1)); got != "s1" {
		t.Errorf("listed, shown: %s", got)
	}
	if picked, _, err := load().PickTrial("example.com"); names(picked) != "s1" || err != nil {
		t.Errorf("for a trial, one is published: %s %v", names(picked), err)
	}
}

// TestUnpublishedSubdomain: while its own keys are not published, a listed domain is
// signed for as its parent's subdomains are.
func TestUnpublishedSubdomain(t *testing.T) {
	dir, _ := pairs(t, "s1")
	if _, err := Generate(dir, "sub.example.com", GenerateOptions{Selector: "s1", Waits: true}); err != nil {
		t.Fatal(err)
	}
	pick := func(subdomains bool) (string, error) {
		t.Helper()
		s, _ := Load(dir, []DomainSpec{{Name: "example.com", Subdomains: subdomains}, {Name: "sub.example.com"}}, nil)
		picked, sdid, err := s.Pick("sub.example.com")
		if len(picked) > 0 && picked[0].Domain != sdid {
			t.Errorf("d=%s with a key of %s", sdid, picked[0].Domain)
		}
		return sdid, err
	}
	if got, err := pick(true); got != "example.com" || err != nil {
		t.Errorf("%s %v", got, err)
	}
	s, _ := Load(dir, []DomainSpec{{Name: "example.com", Subdomains: true}, {Name: "sub.example.com"}}, nil)
	if list, sdid, err := s.ToPublish("sub.example.com"); err != nil || sdid != "sub.example.com" || names(list) != "s1 s1e" || list[0].Domain != sdid {
		t.Errorf("to publish: %v of %s, %v", list, sdid, err)
	}
	if got, err := pick(false); got != "sub.example.com" || !errors.Is(err, ErrUnpublished) {
		t.Errorf("a parent without subdomains: %s %v", got, err)
	}
	if err := SetLife(dir, "sub.example.com", "s1", Life{Waits: true}, Life{Waits: true, Shown: hour(0), Activate: hour(0)}); err != nil {
		t.Fatal(err)
	}
	if got, err := pick(true); got != "sub.example.com" || err != nil {
		t.Errorf("published: %s %v", got, err)
	}
}

// TestSwitch: what was made beside others signs from the moment that stands in its
// state, without another load, and its predecessor does not from that moment on.
func TestSwitch(t *testing.T) {
	dir, load := pairs(t, "s1", "s2")
	s := load()
	if got := signs(s, hour(0)); got != "s1 s1e" {
		t.Errorf("beside others: %s", got)
	}
	if got := signs(load(func(sp *DomainSpec) { sp.Selectors = []string{"s2"} }), hour(0)); got != "s2" {
		t.Errorf("listed: %s", got)
	}
	live(t, dir, "s1", Life{Shown: hour(0), Activate: hour(0), Retire: hour(2), Remove: hour(3)})
	live(t, dir, "s2", Life{Waits: true, Shown: hour(1), Activate: hour(2)})
	now := hour(1)
	s = load().At(func() time.Time { return now })
	for at, want := range map[time.Time]string{hour(1): "s1 s1e", hour(2).Add(-1): "s1 s1e", hour(2): "s2 s1e", hour(3): "s2 s1e"} {
		now = at
		if picked, _, err := s.Pick("example.com"); err != nil || names(picked) != want {
			t.Errorf("%s: %s %v, want %s", at, names(picked), err, want)
		}
		for _, k := range s.All() {
			if s.Signs(k) != slices.Contains(strings.Fields(want), k.Selector) {
				t.Errorf("%s: Signs(%s) is %v", at, k.Selector, s.Signs(k))
			}
		}
	}
	for _, sel := range []string{"s1", "s1e", "s2", "s2e"} {
		live(t, dir, sel, Life{Retire: hour(2)})
	}
	s, problems := Load(dir, []DomainSpec{spec("example.com")}, nil)
	if got := signs(s, hour(3)); got != ErrNoKey.Error() || len(problems) != 1 || !strings.Contains(problems[0].Message, "all keys are retired") {
		t.Errorf("all are retired: %s %v", got, problems)
	}
	if picked, _, err := s.At(func() time.Time { return hour(3) }).PickTrial("example.com"); !errors.Is(err, ErrNoKey) {
		t.Errorf("all are retired, for a trial: %s %v", names(picked), err)
	}
	sp := spec("example.com")
	sp.Unpublished = true
	if s, _ := Load(dir, []DomainSpec{sp}, nil); signs(s, hour(3)) != ErrNoKey.Error() {
		t.Errorf("all are retired, require_published: false: %s", signs(s, hour(3)))
	}
}

// TestUnknownBesideActive: a key that came without a state (a copy that is half done, a
// file put there by hand) does not take over from one that is known to be published.
func TestUnknownBesideActive(t *testing.T) {
	dir, load := pairs(t, "s1", "s2")
	for _, s := range []string{"s2", "s2e"} {
		if err := os.Remove(filepath.Join(dir, "example.com", s+".state")); err != nil {
			t.Fatal(err)
		}
	}
	if got := signs(load(), hour(0)); got != "s2 s2e" {
		t.Errorf("nothing is known of either: %s", got)
	}
	live(t, dir, "s1", Life{Shown: hour(0), Activate: hour(0)})
	if got := signs(load(), hour(0)); got != "s1 s2e" {
		t.Errorf("s1 is published: %s", got)
	}
	if got := signs(load(func(sp *DomainSpec) { sp.Unpublished = true }), hour(0)); got != "s2 s2e" {
		t.Errorf("require_published: false: %s", got)
	}
}

// TestOddStates: what cannot be read is never the state of an active key, and does not
// stop one that was read before.
func TestOddStates(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "cut": `{"shown":"2026-11-27T12:00:00Z","activ`, "another name": `{"active":true}`,
		"two": `{}{}`, "no time": `{"activate_at":"now"}`, "a list": `[]`, "large": `{` + strings.Repeat(" ", maxLife) + `}`,
		"active, never shown":    `{"activate_at":"2026-11-27T12:00:00Z"}`,
		"removed before retired": `{"retire_at":"2026-11-27T12:00:00Z","remove_at":"2026-11-27T11:00:00Z"}`,
		"removed, not retired":   `{"remove_at":"2026-11-27T11:00:00Z"}`,
	} {
		t.Run(name, func(t *testing.T) {
			dir, load := pairs(t, "s1")
			live(t, dir, "s1", Life{Shown: hour(0), Activate: hour(0)})
			before := load()
			if err := os.WriteFile(filepath.Join(dir, "example.com/s1.state"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			s, problems := Load(dir, []DomainSpec{spec("example.com")}, nil)
			if got := signs(s, hour(0)); got != "s1e" || len(problems) != 1 || problems[0].Path != filepath.Join(dir, "example.com/s1.state") || problems[0].Severity != Warning {
				t.Errorf("%s signs; %v", got, problems)
			}
			s, problems = Load(dir, []DomainSpec{spec("example.com")}, before)
			if got := signs(s, hour(0)); got != "s1 s1e" || len(problems) != 1 {
				t.Errorf("read before: %s signs; %v", got, problems)
			}
			listed, _ := Load(dir, []DomainSpec{spec("example.com", "s1")}, nil)
			if got := signs(listed, hour(0)); got != ErrUnpublished.Error() {
				t.Errorf("listed: %s", got)
			}
			live(t, dir, "s1", Life{Shown: hour(0), Activate: hour(0)})
			if got := signs(load(), hour(0)); got != "s1 s1e" {
				t.Errorf("written anew: %s", got)
			}
		})
	}
	dir, load := pairs(t, "s1")
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "example.com/s1.state")); err != nil {
		t.Fatal(err)
	}
	if s, problems := Load(dir, []DomainSpec{spec("example.com")}, nil); signs(s, hour(0)) != "s1e" || len(problems) != 1 {
		t.Error(problems)
	}
	live(t, dir, "s1", Life{Absent: hour(0)}) // in the place of the link, not through it
	if got := signs(load(), hour(0)); got != "s1e" {
		t.Error(got)
	}
}

// TestMarksOfBefore: the empty mark of earlier versions says that a key waits, and goes
// when the key has a state.
func TestMarksOfBefore(t *testing.T) {
	dir, load := pairs(t, "s1")
	mark := filepath.Join(dir, "example.com/s1.waiting")
	if err := os.WriteFile(mark, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := signs(load(), hour(0)); got != "s1e" {
		t.Error(got)
	}
	live(t, dir, "s1", Life{Waits: true, Shown: hour(0), Activate: hour(0)})
	if _, err := os.Lstat(mark); err == nil || signs(load(), hour(0)) != "s1 s1e" {
		t.Error("still waits")
	}
}

// TestAFailureLeavesNothing: a name that is taken leaves no state that would have the
// key of that name wait, and a key does not inherit the state of a file that is gone.
func TestAFailureLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	generate := func() error {
		_, err := Generate(dir, "example.com", GenerateOptions{Selector: "s1"})
		return err
	}
	for i := range 2 {
		if err := generate(); (err != nil) != (i == 1) {
			t.Fatal(err)
		}
	}
	// The second of a pair that fails takes the first with it.
	if err := os.MkdirAll(filepath.Join(dir, "example.com", "s2e.state", "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Generate(dir, "example.com", GenerateOptions{Selector: "s2"}); err == nil {
		t.Error("a folder is where the second one's state goes")
	}
	if err := os.RemoveAll(filepath.Join(dir, "example.com", "s2e.state")); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "example.com", "*"))
	if !slices.Equal(files, []string{filepath.Join(dir, "example.com/s1.pem"), filepath.Join(dir, "example.com/s1e.pem")}) {
		t.Error(files)
	}
	for _, s := range []string{"s1", "s1e"} {
		live(t, dir, s, Life{Shown: hour(0), Activate: hour(0)})
		if err := os.Remove(filepath.Join(dir, "example.com", s+".pem")); err != nil {
			t.Fatal(err)
		}
	}
	if err := generate(); err != nil {
		t.Fatal(err)
	}
	s, _ := Load(dir, []DomainSpec{spec("example.com")}, nil)
	for _, k := range s.All() {
		if k.Life() != (Life{}) {
			t.Errorf("%s: %+v", k, k.Life())
		}
	}
	if made, err := Generate(dir, "example.org", GenerateOptions{Waits: true}); err != nil || !made[0].Life().Waits || !made[1].Life().Waits {
		t.Error(made, err)
	}
}

// TestTwoWriters: what somebody else has written meanwhile is not lost.
func TestTwoWriters(t *testing.T) {
	dir, load := pairs(t, "s1")
	known := load().Keys("example.com")[1].Life()
	live(t, dir, "s1", Life{Retire: hour(1)})
	if err := SetLife(dir, "example.com", "s1", known, Life{Shown: hour(2)}); !errors.Is(err, ErrChanged) {
		t.Errorf("%v", err)
	}
	s, _ := Load(dir, []DomainSpec{spec("example.com")}, nil)
	if l := s.at(filepath.Join(dir, "example.com/s1.pem")).Life(); !l.Retire.Equal(hour(1)) || !l.Shown.IsZero() {
		t.Errorf("%+v", l)
	}
}

// TestSetLifeStaysInside: names lead nowhere else.
func TestSetLifeStaysInside(t *testing.T) {
	dir, _ := pairs(t, "s1")
	for _, c := range [][2]string{{"../example.com", "s1"}, {"example.com", "../s1"}, {"example.com", ""}, {"", "s1"}} {
		if err := SetLife(dir, c[0], c[1], Life{}, Life{}); err == nil {
			t.Errorf("%q was taken", c)
		}
	}
}

// TestSameFileIsNotParsedAgain: and one that has changed is.
func TestSameFileIsNotParsedAgain(t *testing.T) {
	dir, load := pairs(t, "s1")
	path := filepath.Join(dir, "example.com/s1.pem")
	before := load()
	modulus := func(s *Store) *rsa.PublicKey { return s.at(path).Public().(*rsa.PublicKey) }
	s, _ := Load(dir, []DomainSpec{spec("example.com")}, before)
	if modulus(s) != modulus(before) {
		t.Error("the same file was parsed again")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, _ = Load(dir, []DomainSpec{spec("example.com")}, s); modulus(s) == modulus(before) {
		t.Error("an old key for a new file")
	}
}

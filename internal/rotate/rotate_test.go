package rotate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/keys"
)

var dawn = time.Date(2025, 11, 27, 12, 0, 0, 0, time.UTC)

func hour(n int) time.Time { return dawn.Add(time.Duration(n) * time.Hour) }

const (
	domain = "example.com"
	delay  = 5 * time.Minute
)

// house is a key folder, and what is known beside it.
type house struct {
	t       *testing.T
	dir     string
	now     time.Time
	set     Settings
	answers map[string]Answer // by selector
}

func newHouse(t *testing.T, selectors ...string) *house {
	h := &house{t: t, dir: t.TempDir(), now: hour(0), answers: map[string]Answer{}, set: Settings{Overlap: 7 * 24 * time.Hour, Delay: delay}}
	for i, s := range selectors {
		h.make(s, hour(0).AddDate(0, 0, i-len(selectors)))
	}
	return h
}

func (h *house) make(selector string, at time.Time) {
	h.t.Helper()
	if _, err := keys.Generate(h.dir, domain, keys.GenerateOptions{Selector: selector, Now: func() time.Time { return at }}); err != nil {
		h.t.Fatal(err)
	}
	for _, s := range []string{selector, selector + "e"} {
		if err := os.Chtimes(filepath.Join(h.dir, domain, s+".pem"), at, at); err != nil {
			h.t.Fatal(err)
		}
	}
}

func (h *house) store() *keys.Store {
	h.t.Helper()
	s, _ := keys.Load(h.dir, []keys.DomainSpec{{Name: domain}}, nil)
	return s.At(func() time.Time { return h.now })
}

// round plans and writes what is planned down; it says the rest.
func (h *house) round() string {
	h.t.Helper()
	p := h.plan()
	for _, c := range p.Lives {
		if err := keys.SetLife(h.dir, domain, c.Key.Selector, c.Key.Life(), c.Life); err != nil {
			h.t.Fatal(err)
		}
	}
	var said []string
	for _, k := range p.Publish {
		said = append(said, "publish "+k.Selector)
	}
	for _, k := range p.Withdraw {
		said = append(said, "withdraw "+k.Selector)
	}
	if p.Make != "" {
		said = append(said, "make "+p.Make)
	}
	if p.Reuse {
		said = append(said, "again")
	}
	return strings.Join(said, ", ")
}

func (h *house) plan() Plan {
	h.t.Helper()
	byName := map[string]Answer{}
	for s, a := range h.answers {
		byName[s+"._domainkey."+domain] = a
	}
	return Next(h.now, h.set, h.store().Keys(domain), byName)
}

func (h *house) says(selectors string, a Answer) {
	for _, s := range strings.Fields(selectors) {
		h.answers[s] = a
	}
}

func (h *house) signs() string {
	h.t.Helper()
	picked, _, err := h.store().Pick(domain)
	var out []string
	for _, k := range picked {
		out = append(out, k.Selector)
	}
	if err != nil {
		return err.Error()
	}
	return strings.Join(out, " ")
}

func (h *house) want(signs, said string) {
	h.t.Helper()
	got := h.round()
	if h.signs() != signs || got != said {
		h.t.Errorf("%s: %q signs, planned %q; want %q, %q", h.now, h.signs(), got, signs, said)
	}
	if p := h.plan(); len(p.Lives) > 0 { // nothing is written twice
		h.t.Errorf("%s: a second round changes %v", h.now, p.Lives)
	}
}

// TestRotation goes through all of it, from a first pair to the end of that, with a
// crash before and after each thing that is written.
func TestRotation(t *testing.T) {
	h := newHouse(t, "s1")
	h.set.Publishes = true
	h.want("s1 s1e", "") // nobody knows
	h.says("s1 s1e", Absent)
	h.want("example.com: no key is published", "publish s1e, publish s1")
	h.says("s1 s1e", Shown)
	h.want("s1 s1e", "")
	h.now = hour(24)
	h.set.Every = 48 * time.Hour // the pair is a day older than dawn
	h.want("s1 s1e", "make s20251128")
	h.make("s20251128", h.now)
	h.says("s20251128 s20251128e", Absent)
	h.want("s1 s1e", "publish s20251128e, publish s20251128")
	h.says("s20251128 s20251128e", Unknown)
	h.want("s1 s1e", "") // the DNS is down: nothing is known, nothing is switched
	h.says("s20251128", Shown)
	h.want("s1 s1e", "")
	h.now = h.now.Add(delay - 1)
	h.want("s1 s1e", "")
	h.now = h.now.Add(1)
	h.want("s20251128 s1e", "")
	h.says("s20251128e", Shown)
	h.want("s20251128 s1e", "")
	h.now = h.now.Add(delay)
	h.want("s20251128 s20251128e", "")
	h.says("s20251128 s20251128e", Absent) // an alarm, and no switch
	h.want("s20251128 s20251128e", "")
	h.now = hour(30 + 7*24)
	h.set.Every = 0
	h.want("s20251128 s20251128e", "withdraw s1e, withdraw s1")
	h.says("s1 s1e", Unknown)
	h.want("s20251128 s20251128e", "")
	h.says("s1 s1e", Absent)
	h.want("s20251128 s20251128e", "")
	for _, k := range h.store().Keys(domain) {
		l := k.Life()
		if old := strings.HasPrefix(k.Selector, "s1"); old != !l.Removed.IsZero() || old != (l.State(h.now) == keys.Retired) {
			t.Errorf("%s: %+v", k, l)
		}
	}
}

// TestHandmade: what is no rotation.
func TestHandmade(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(*house)
		signs   string
		said    string
	}{
		"an old key whose record is still there":  {func(h *house) { h.says("s1 s1e s2 s2e", Shown) }, "s2 s2e", ""},
		"beside others, not published":            {func(h *house) { h.says("s1 s1e", Shown); h.says("s2 s2e", Absent) }, "s1 s1e", ""},
		"beside others that never were":           {func(h *house) { h.says("s1 s1e", Absent); h.says("s2 s2e", Shown) }, "s2 s2e", ""},
		"selectors that are listed":               {func(h *house) { h.set.Listed = true; h.set.Every = 1; h.says("s1 s1e", Shown) }, "s1 s1e", ""},
		"what waits keeps others from being made": {func(h *house) { h.set.Every = 1; h.says("s1 s1e", Shown); h.says("s2 s2e", Absent) }, "s1 s1e", ""},
		"nothing is shown, nothing is followed":   {func(h *house) { h.set.Every = 1 }, "s1 s1e", ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, "s1", "s2")
			if name == "an old key whose record is still there" { // copied from elsewhere
				for _, s := range []string{"s2", "s2e"} {
					if err := os.Remove(filepath.Join(h.dir, domain, s+".state")); err != nil {
						t.Fatal(err)
					}
				}
			}
			c.prepare(h)
			h.want(c.signs, c.said)
		})
	}
}

// TestHalfAPair: what a crash has left unfinished is finished, where the daemon makes
// keys.
func TestHalfAPair(t *testing.T) {
	h := newHouse(t, "s1", "s2")
	h.says("s1 s1e", Shown)
	h.round()
	if err := os.Remove(filepath.Join(h.dir, domain, "s2e.pem")); err != nil {
		t.Fatal(err)
	}
	h.want("s1 s1e", "")
	h.set.Every = time.Hour
	h.want("s1 s1e", "make s2")
}

// TestUnreadState is made whole by what the DNS shows.
func TestUnreadState(t *testing.T) {
	for a, want := range map[Answer]string{Shown: "s1 s1e", Absent: "s1e", Unknown: "s1e"} {
		h := newHouse(t, "s1")
		h.says("s1e", Shown)
		path := filepath.Join(h.dir, domain, "s1.state")
		if err := os.WriteFile(path, []byte("?"), 0o600); err != nil {
			t.Fatal(err)
		}
		h.says("s1", a)
		h.want(want, "")
		if text, err := os.ReadFile(path); err != nil || (string(text) == "?") != (a == Unknown) {
			t.Errorf("%q: %s %v", a, text, err)
		}
	}
}

func TestNextSelector(t *testing.T) {
	h := newHouse(t, "s1")
	next := func(turns ...string) string {
		s, reuse := NextSelector(h.store().Keys(domain), turns, h.now)
		if reuse {
			s += " again"
		}
		return s
	}
	if got := next(); got != "s20251127" {
		t.Error(got)
	}
	if got := next("s1", "s2"); got != "s2" {
		t.Error(got)
	}
	h.make("s20251127", h.now)
	if got := next(); got != "s20251127-2" {
		t.Error(got)
	}
	h.make("s2", h.now)
	if got := next("s1", "s2"); got != "" {
		t.Errorf("both are in use: %s", got)
	}
	for _, s := range []string{"s1", "s1e"} {
		if err := keys.SetLife(h.dir, domain, s, keys.Life{}, keys.Life{Retire: hour(-2), Remove: hour(-1)}); err != nil {
			t.Fatal(err)
		}
		if want := map[string]string{"s1": "", "s1e": "s1 again"}[s]; next("s1", "s2") != want {
			t.Errorf("%s has gone: %s", s, next("s1", "s2"))
		}
	}
}

func TestWaiting(t *testing.T) {
	h := newHouse(t, "s1")
	waiting := func() string { return Waiting(h.store().Keys(domain), h.now) }
	if got := waiting(); got != "" {
		t.Errorf("the first pair: %q", got)
	}
	h.make("s2", h.now)
	if got := waiting(); got != "s2" {
		t.Errorf("beside it: %q", got)
	}
	for _, s := range []string{"s1", "s1e"} {
		if err := keys.SetLife(h.dir, domain, s, keys.Life{}, keys.Life{Shown: hour(-1), Activate: hour(-1)}); err != nil {
			t.Fatal(err)
		}
	}
	if got := waiting(); got != "s2" {
		t.Errorf("beside an active one: %q", got)
	}
	for _, s := range []string{"s2", "s2e"} {
		if err := keys.SetLife(h.dir, domain, s, keys.Life{Waits: true}, keys.Life{Waits: true, Shown: hour(0), Activate: hour(1)}); err != nil {
			t.Fatal(err)
		}
	}
	if got := waiting(); got != "s2" {
		t.Errorf("published: %q", got)
	}
	h.now = hour(1)
	if got := waiting(); got != "" {
		t.Errorf("active: %q", got)
	}
}

// life is what is written beside a key.
func (h *house) life(selector string) keys.Life {
	h.t.Helper()
	for _, k := range h.store().Keys(domain) {
		if k.Selector == selector {
			return k.Life()
		}
	}
	h.t.Fatalf("no key %s", selector)
	return keys.Life{}
}

func (h *house) set2(selectors string, l keys.Life) {
	h.t.Helper()
	for _, s := range strings.Fields(selectors) {
		if err := keys.SetLife(h.dir, domain, s, h.life(s), l); err != nil {
			h.t.Fatal(err)
		}
	}
}

// TestWhoRetires: those that signed and have a successor, once, and nobody whom the admin
// has listed.
func TestWhoRetires(t *testing.T) {
	active := func(n int) keys.Life { return keys.Life{Shown: hour(n), Activate: hour(n)} }
	h := newHouse(t, "s1", "s2")
	h.set2("s1 s1e", active(-5))
	h.set2("s2 s2e", active(-2))
	h.set.Listed = true
	h.round()
	if l := h.life("s1"); !l.Retire.IsZero() {
		t.Errorf("listed: %+v", l)
	}
	h.set.Listed = false
	byHand := active(-5)
	byHand.Retire, byHand.Remove = hour(-4), hour(99)
	h.set2("s1e", byHand)
	h.round()
	if l := h.life("s1"); !l.Retire.Equal(hour(-2)) || !l.Remove.Equal(hour(-2).Add(h.set.Overlap)) {
		t.Errorf("it has a successor: %+v", l)
	}
	if l := h.life("s1e"); !l.Retire.Equal(hour(-4)) || !l.Remove.Equal(hour(99)) {
		t.Errorf("retired by hand: %+v", l)
	}
	h = newHouse(t, "s1", "s2")
	h.set2("s1 s1e", keys.Life{Shown: hour(-5)}) // never signed here
	h.set2("s2 s2e", active(-2))
	h.round()
	if l := h.life("s1"); !l.Retire.IsZero() {
		t.Errorf("never signed: %+v", l)
	}
}

// TestWhatIsDue: half a first pair is the admin's choice, and what waits behind an active
// pair keeps nobody from being followed.
func TestWhatIsDue(t *testing.T) {
	h := newHouse(t, "s1")
	h.set.Every = time.Hour
	if err := os.Remove(filepath.Join(h.dir, domain, "s1e.pem")); err != nil {
		t.Fatal(err)
	}
	if got := h.plan().Make; got != "" {
		t.Errorf("half a first pair: make %s", got)
	}
	h = newHouse(t, "s1", "s2")
	h.set.Every = time.Hour
	h.set2("s1 s1e", keys.Life{Waits: true})
	h.set2("s2 s2e", keys.Life{Shown: hour(-2), Activate: hour(-2)})
	if err := os.Remove(filepath.Join(h.dir, domain, "s1e.pem")); err != nil {
		t.Fatal(err)
	}
	if got := h.plan().Make; got != "s20251127" {
		t.Errorf("an older pair waits: make %q", got)
	}
}

// TestMomentsAreSeconds: what is written down is whole seconds of UTC, on all hosts.
func TestMomentsAreSeconds(t *testing.T) {
	h := newHouse(t, "s1")
	h.now = hour(0).Add(1500 * time.Millisecond).In(time.FixedZone("KST", 9*3600))
	h.says("s1", Shown)
	for _, c := range h.plan().Lives {
		if s := c.Life.Shown; s.Location() != time.UTC || s.Nanosecond() != 0 || !s.Equal(hour(0).Add(time.Second)) {
			t.Errorf("%s: %s", c.Key, s)
		}
	}
}

// TestHalfOfAName: one key of a name is enough to be in its way.
func TestHalfOfAName(t *testing.T) {
	for _, gone := range []string{"s20251127", "s20251127e"} {
		h := newHouse(t, "s1")
		h.make("s20251127", h.now)
		if err := os.Remove(filepath.Join(h.dir, domain, gone+".pem")); err != nil {
			t.Fatal(err)
		}
		if s, _ := NextSelector(h.store().Keys(domain), nil, h.now); s != "s20251127-2" {
			t.Errorf("without %s: %s", gone, s)
		}
	}
	for _, gone := range []string{"t1", "t1e"} {
		h := newHouse(t, "t1")
		h.set2("t1 t1e", keys.Life{Retire: hour(-2), Remove: hour(-1)})
		if err := os.Remove(filepath.Join(h.dir, domain, gone+".pem")); err != nil {
			t.Fatal(err)
		}
		if s, reuse := NextSelector(h.store().Keys(domain), []string{"t1", "t2"}, h.now); s != "t1" || !reuse {
			t.Errorf("without %s: %s %v", gone, s, reuse)
		}
	}
}

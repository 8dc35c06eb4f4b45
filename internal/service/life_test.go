package service

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/admin"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/rotate"
	"github.com/sealmilter/sealmilter/internal/telemetry"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/keys/publish"
	"github.com/sealmilter/sealmilter/test/faultdns"
)

// keyed is a daemon whose key records a test shows, hides and silences; its clock is
// moved by the test, and its rounds follow one another.
type keyed struct {
	*daemon
	admin  admin.Client
	rounds atomic.Int64
	ahead  atomic.Int64 // of the clock, in ns

	mu     sync.Mutex
	shown  map[string]bool // by selector
	silent bool
}

func newKeyed(t *testing.T, more ...string) *keyed {
	t.Helper()
	k := &keyed{daemon: newDaemon(t, config1), shown: map[string]bool{}}
	k.admin = admin.Client{Socket: filepath.Join(k.dir, "admin.sock")}
	zone := resolve.MustZone("other.example.com A 192.0.2.1")
	dns, err := faultdns.Start(zone, func(name, _ string) faultdns.Fault {
		k.mu.Lock()
		defer k.mu.Unlock()
		selector, _, _ := strings.Cut(name, ".")
		switch {
		case k.silent:
			return faultdns.ServFail
		case !k.shown[selector]:
			return faultdns.NXDomain
		}
		return faultdns.None
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dns.Close)
	for _, sel := range more {
		k.generate(sel)
	}
	store, _ := keys.Load(filepath.Join(k.dir, "keys"), []keys.DomainSpec{{Name: "example.com"}}, nil)
	for _, key := range store.All() {
		if err := zone.Add(key.Name(), "TXT", publish.Record(key)); err != nil {
			t.Fatal(err)
		}
	}
	k.opt.Now = func() time.Time { return time.Now().Add(time.Duration(k.ahead.Load())) }
	k.opt.After = func(wait time.Duration) <-chan time.Time {
		if wait != lifeEvery {
			return time.After(wait)
		}
		k.rounds.Add(1)
		return time.After(10 * time.Millisecond)
	}
	k.write(strings.Replace(config1, `{servers: ["127.0.0.1:53"]}`, `{servers: ["`+dns.Addr()+`"], cache_size: 1, timeout: 100ms}`, 1) + "  rotate: {delay: 1h}\n")
	return k
}

func (k *keyed) generate(selector string) {
	k.t.Helper()
	at := time.Now().AddDate(0, 0, 1) // younger than the first
	if _, err := keys.Generate(filepath.Join(k.dir, "keys"), "example.com", keys.GenerateOptions{Selector: selector}); err != nil {
		k.t.Fatal(err)
	}
	for _, s := range []string{selector, selector + "e"} {
		if err := os.Chtimes(filepath.Join(k.dir, "keys/example.com", s+".pem"), at, at); err != nil {
			k.t.Fatal(err)
		}
	}
}

func (k *keyed) show(selectors string, yes bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range strings.Fields(selectors) {
		k.shown[s] = yes
	}
}

func (k *keyed) silence(yes bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.silent = yes
	k.ahead.Add(int64(muteEvery)) // it is asked again
}

// settle waits for two whole rounds, and for the keys to be read again.
func (k *keyed) settle() {
	k.t.Helper()
	for range 2 { // what is not known is asked at once; the keys are read again before the second
		if r, err := k.admin.Reload(k.t.Context()); err != nil || !r.OK {
			k.t.Fatal(r, err)
		}
		for end := k.rounds.Load() + 3; k.rounds.Load() < end; {
			time.Sleep(time.Millisecond)
		}
	}
}

// signedBy says who signs, or why nobody does.
func (k *keyed) signedBy() string {
	k.t.Helper()
	k.signs()
	_, line, _ := strings.Cut(k.wait("msg=message"), "msg=message")
	if _, why, ok := strings.Cut(line, " unsigned="); ok {
		why, _, _ = strings.Cut(why, " ")
		return why
	}
	_, line, _ = strings.Cut(line, " signed=")
	names, _, _ := strings.Cut(line, " ")
	return strings.ReplaceAll(names, "._domainkey.example.com", "")
}

func (k *keyed) want(who string) {
	k.t.Helper()
	k.settle()
	if got := k.signedBy(); got != who {
		k.t.Errorf("signed by %s, want %s", got, who)
	}
}

// TestFirstKeysWaitForTheDNS: what the DNS does not answer stops no key; that it lacks
// one does, and everybody says so.
func TestFirstKeysWaitForTheDNS(t *testing.T) {
	k := newKeyed(t)
	k.silence(true)
	k.start()
	k.want("s1,s1e")
	k.silence(false)
	k.wait("the DNS does not have the record of a key")
	k.want("unpublished")
	s, err := k.admin.Status(t.Context())
	if err != nil || !slices.Equal(s.Unpublished, []string{"example.com"}) || s.Keys[0].DNS != "absent" || s.Keys[0].State != keys.New || s.Keys[0].Signs || !s.Keys[0].Waits {
		t.Errorf("%+v %v", s, err)
	}
	k.show("s1", true)
	k.want("s1")
	k.show("s1e", true)
	k.want("s1,s1e")
	if s, err := k.admin.Status(t.Context()); err != nil || len(s.Unpublished) != 0 || s.Keys[0].DNS != "shown" || s.Keys[0].State != keys.Active || !s.Healthy() {
		t.Errorf("%+v %v", s, err)
	}
}

// TestNewKeySignsWhenItIsPublished: keys made beside others, a reload, a restart: the
// published ones sign, until the DNS shows the new ones and the delay is over. A DNS
// that does not answer shows nothing.
func TestNewKeySignsWhenItIsPublished(t *testing.T) {
	k := newKeyed(t, "s2")
	k.show("s1 s1e", true)
	k.start()
	k.want("s1,s1e")
	k.silence(true)
	k.show("s2 s2e", true)
	k.want("s1,s1e")
	k.silence(false)
	k.wait("signs_from")
	k.want("s1,s1e") // not yet
	k.ahead.Add(int64(time.Hour))
	if got := k.signedBy(); got != "s2,s2e" { // by the clock alone
		t.Errorf("signed by %s", got)
	}
	k.want("s2,s2e")
	s, err := k.admin.Status(t.Context())
	for _, v := range s.Keys {
		if old := strings.HasPrefix(v.Selector, "s1"); err != nil || old != (v.State == keys.Retiring) || old == v.Signs || old && (v.Next != "its record may go" || v.NextAt == nil) {
			t.Errorf("%+v %v", v, err)
		}
	}
}

// TestGoneRecordIsAnAlarm: what was shown once goes on signing, and everybody hears of it.
func TestGoneRecordIsAnAlarm(t *testing.T) {
	k := newKeyed(t)
	k.show("s1 s1e", true)
	k.start()
	k.want("s1,s1e")
	k.show("s1", false)
	k.ahead.Add(int64(2 * shownEvery))
	k.settle()
	if s, err := k.admin.Status(t.Context()); err != nil || !s.Healthy() {
		t.Errorf("after one look: %+v %v", s, err)
	}
	k.ahead.Add(int64(2 * secondLook))
	k.wait("the record of a key that signs is gone")
	k.want("s1,s1e")
	if s, err := k.admin.Status(t.Context()); err != nil || s.Healthy() || s.Counters[`key_published{example.com,s1}`] != 0 || !slices.ContainsFunc(s.Keys, func(v admin.Key) bool { return v.Alarm && v.Selector == "s1" }) {
		t.Errorf("gone: %+v %v", s, err)
	}
	k.show("s1", true)
	k.ahead.Add(int64(2 * goneEvery))
	k.wait("the DNS shows the record of a key again")
	k.settle()
	if s, err := k.admin.Status(t.Context()); err != nil || !s.Healthy() {
		t.Errorf("again: %+v %v", s, err)
	}
}

// TestFollowerWritesNothing: the master writes down what follows from the DNS, and the
// follower does as the folder says, without being told.
func TestFollowerWritesNothing(t *testing.T) {
	k := newKeyed(t, "s2")
	k.show("s1 s1e s2 s2e", true)
	text, err := os.ReadFile(filepath.Join(k.dir, "milter.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	k.write(string(text) + "  role: follower\n")
	after := k.opt.After
	k.opt.After = func(wait time.Duration) <-chan time.Time {
		if wait >= folderEvery && wait != lifeEvery {
			wait = 10 * time.Millisecond
		}
		return after(wait)
	}
	k.start()
	k.want("s1,s1e")
	dir := filepath.Join(k.dir, "keys")
	if names, _ := filepath.Glob(filepath.Join(dir, "example.com/s1*.state")); len(names) != 0 {
		t.Errorf("it wrote %q", names)
	}
	past := time.Now().Add(-time.Hour)
	for _, s := range []string{"s2", "s2e"} {
		if err := keys.SetLife(dir, "example.com", s, keys.Life{Waits: true}, keys.Life{Waits: true, Shown: past, Activate: past}); err != nil {
			t.Fatal(err)
		}
	}
	for range 1000 {
		if got := k.signedBy(); got == "s2,s2e" {
			return
		}
	}
	t.Error("a change of the folder was not noticed")
}

// TestRotationMakesKeys: old keys get successors, which wait.
func TestRotationMakesKeys(t *testing.T) {
	k := newKeyed(t)
	k.show("s1 s1e", true)
	text, err := os.ReadFile(filepath.Join(k.dir, "milter.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	k.write(strings.Replace(string(text), "{delay: 1h}", "{delay: 1h, every: 30d}", 1))
	k.start()
	k.want("s1,s1e")
	k.ahead.Add(int64(31 * 24 * time.Hour))
	k.wait("made the next key of a domain")
	k.want("s1,s1e")
	s, err := k.admin.Status(t.Context())
	if err != nil || len(s.Keys) != 4 {
		t.Fatalf("%+v %v", s.Keys, err)
	}
	for _, v := range s.Keys {
		if young := !strings.HasPrefix(v.Selector, "s1") || len(v.Selector) > 3; young && (!v.Waits || v.State != keys.New || v.Signs) {
			t.Errorf("%+v", v)
		}
	}
}

// TestSilentServersAreSaid: what a key waits for is said once a day.
func TestSilentServersAreSaid(t *testing.T) {
	log := &syncBuffer{}
	l := &lives{service: &service{log: slog.New(slog.NewTextHandler(log, nil))}, asked: map[string]*sight{}}
	made, err := keys.Generate(t.TempDir(), "example.com", keys.GenerateOptions{Selector: "s1"})
	if err != nil {
		t.Fatal(err)
	}
	l.asked[made[0].Name()] = &sight{}
	now := time.Now()
	for _, c := range []struct {
		after time.Duration
		lines int
	}{{0, 1}, {remindEvery - 1, 1}, {remindEvery, 2}} {
		l.waitsFor(made[0], []string{"ns2.example.com"}, now.Add(c.after))
		if got := strings.Count(log.String(), "ns2.example.com"); got != c.lines {
			t.Errorf("after %s: %d lines", c.after, got)
		}
	}
}

// TestWhoWaitedLongestIsFirst: keys whose servers hang, and were asked, come behind those
// that were not, and are asked less and less often; what is over for good is not asked.
func TestWhoWaitedLongestIsFirst(t *testing.T) {
	dir := t.TempDir()
	var specs []keys.DomainSpec
	for _, d := range []string{"a.example", "b.example", "c.example"} {
		if _, err := keys.Generate(dir, d, keys.GenerateOptions{Selector: "s1"}); err != nil {
			t.Fatal(err)
		}
		specs = append(specs, keys.DomainSpec{Name: d})
	}
	now := time.Now()
	if err := keys.SetLife(dir, "c.example", "s1", keys.Life{}, keys.Life{Retire: now.Add(-2 * time.Hour), Remove: now.Add(-time.Hour), Removed: now}); err != nil {
		t.Fatal(err)
	}
	store, _ := keys.Load(dir, specs, nil)
	r := &running{store: store}
	m := telemetry.NewMetrics("test")
	l := &lives{service: &service{metrics: m, state: newState(Options{Now: time.Now}, m.Snapshot, func(*admin.Status) {})}, asked: map[string]*sight{}}
	names := func(list []*keys.Key) string {
		var out []string
		for _, k := range list {
			out = append(out, k.Selector+"."+k.Domain)
		}
		return strings.Join(out, " ")
	}
	all := l.due(r, now)
	if len(all) != 5 {
		t.Fatalf("first: %s", names(all))
	}
	for _, k := range all[:2] { // both of a.example
		l.saw(k, rotate.Unknown, now)
	}
	if got := l.due(r, now); len(got) != 3 || got[0].Domain != "b.example" {
		t.Errorf("at once: %s", names(got))
	}
	if got := l.due(r, now.Add(lifeEvery)); len(got) != 5 || got[0].Domain != "b.example" || got[4].Domain != "a.example" {
		t.Errorf("later: %s", names(got))
	}
	for _, want := range []time.Duration{2 * lifeEvery, 4 * lifeEvery, 8 * lifeEvery, muteEvery, muteEvery} {
		l.saw(all[0], rotate.Unknown, now)
		if got := l.asked[all[0].Name()].due.Sub(now); got != want {
			t.Errorf("asked again after %s, want %s", got, want)
		}
	}
	l.saw(all[0], rotate.Absent, now)
	if got := l.asked[all[0].Name()].due.Sub(now); got != lifeEvery {
		t.Errorf("it answers: asked again after %s", got)
	}
}

// TestUnwrittenIsAskedAgain: a full disk, or a command that was faster, does not cost what
// the DNS said for an hour.
func TestUnwrittenIsAskedAgain(t *testing.T) {
	dir := t.TempDir()
	made, err := keys.Generate(dir, "example.com", keys.GenerateOptions{Selector: "s1"})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	l := &lives{service: &service{Options: Options{Now: func() time.Time { return now }}, log: slog.New(slog.DiscardHandler)}, asked: map[string]*sight{made[0].Name(): {due: now.Add(shownEvery)}}}
	if err := keys.SetLife(dir, "example.com", "s1", keys.Life{}, keys.Life{Absent: now}); err != nil {
		t.Fatal(err)
	}
	r := &running{cfg: &config.Config{Sign: config.Sign{Keys: dir}}}
	again := l.write(r, rotate.Change{Key: made[0], Life: keys.Life{Shown: now, Activate: now}})
	if got := l.asked[made[0].Name()].due.Sub(now); !again || got != lifeEvery {
		t.Errorf("%v, asked again after %s", again, got)
	}
}

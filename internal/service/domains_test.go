package service

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"modernc.org/sqlite"

	"github.com/sealmilter/sealmilter/internal/admin"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/internal/source"
	"github.com/sealmilter/sealmilter/internal/telemetry"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/milter/client"
)

// database is a real one, in a file.
type database struct {
	t    *testing.T
	path string
	db   *sql.DB
}

func newDatabase(t *testing.T, dir string, names ...string) *database {
	t.Helper()
	d := &database{t: t, path: filepath.Join(dir, "mail.sqlite")}
	c, err := sqlite.NewConnector(d.path)
	if err != nil {
		t.Fatal(err)
	}
	d.db = sql.OpenDB(c)
	t.Cleanup(func() { d.db.Close() })
	d.do("CREATE TABLE domains_table(DomainName)")
	d.add(names...)
	if err := os.WriteFile(filepath.Join(dir, "dsn"), []byte(d.path+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *database) do(text string, args ...any) {
	d.t.Helper()
	if _, err := d.db.Exec(text, args...); err != nil {
		d.t.Fatal(text, err)
	}
}

func (d *database) add(names ...string) {
	d.t.Helper()
	for _, n := range names {
		d.do("INSERT INTO domains_table VALUES (?)", n)
	}
}

const configDB = config1 + `  domains_from: {driver: sqlite, dsn_file: DIR/dsn, query: SELECT DomainName FROM domains_table, refresh: 1h}
`

// rounds has a daemon ask its database again when the test says so.
func rounds(d *daemon) (ask func()) {
	ticks := make(chan time.Time)
	d.opt.After = func(wait time.Duration) <-chan time.Time {
		if wait%time.Second != 0 { // all others are round
			return ticks
		}
		return time.After(wait)
	}
	return func() { ticks <- time.Time{} }
}

// signsFor reports whether a message of that domain is signed.
func (d *daemon) signsFor(domain string) bool {
	d.t.Helper()
	s := d.session()
	defer s.Close()
	a, err := s.Send(client.Message{MailFrom: "a@" + domain, RcptTo: []string{"b@example.net"}, QueueID: "4Q", Raw: "From: a@" + domain + "\n\nhello\n"})
	if err != nil || a.Code != 250 {
		d.t.Fatal(a, err)
	}
	return strings.Contains(a.Raw, "DKIM-Signature:")
}

// sees waits until a status has what the test asks for: the swap follows the log's line.
func (d *daemon) sees(what string, ok func(admin.Status) bool) admin.Status {
	d.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		s, err := admin.Client{Socket: filepath.Join(d.dir, "admin.sock")}.Status(d.t.Context())
		if err != nil {
			d.t.Fatal(err)
		}
		if ok(s) {
			return s
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("%s: %+v", what, s)
		}
	}
}

func has(domain string) func(admin.Status) bool {
	return func(s admin.Status) bool {
		return slices.ContainsFunc(s.Keys, func(k admin.Key) bool { return k.Domain == domain && k.Signs })
	}
}

func hasNot(domain string) func(admin.Status) bool {
	return func(s admin.Status) bool { return !has(domain)(s) }
}

// TestDomainsOfADatabase: a row, and the domain's mail is signed; the row goes, and it
// is not; a database that is gone, empty or half changes nothing, nor does a restart
// without it.
func TestDomainsOfADatabase(t *testing.T) {
	d := newDaemon(t, configDB)
	base := newDatabase(t, d.dir, "One.example.", "two.example", "bad name", "localhost", "example.com")
	ask := rounds(d)
	d.start()
	d.sees("keys of both", func(s admin.Status) bool { return has("one.example")(s) && has("two.example")(s) })
	for _, name := range []string{"example.com", "one.example", "two.example", "sub.two.example"} {
		if !d.signsFor(name) {
			t.Errorf("%s is not signed", name)
		}
	}
	if d.signsFor("three.example") {
		t.Error("signed for a domain that nobody listed")
	}
	s := d.sees("an answer", func(s admin.Status) bool { return s.DomainsFrom != nil && s.DomainsFrom.Answered != nil })
	if s.DomainsFrom.Names != 3 || s.DomainsFrom.Skipped != 2 || !strings.Contains(strings.Join(s.DomainsFrom.Rows, ";"), `row 3, "bad name": not a domain name;row 4, "localhost": no dot`) {
		t.Errorf("%+v", s.DomainsFrom)
	}

	base.add("three.example")
	ask()
	d.sees("keys of the new one", has("three.example"))
	base.do("DELETE FROM domains_table WHERE DomainName = 'two.example'")
	ask()
	d.sees("none of the old one", hasNot("two.example"))
	if d.signsFor("two.example") {
		t.Error("signed without a row")
	}
	if list, _ := filepath.Glob(filepath.Join(d.dir, "keys/two.example/*.pem")); len(list) != 2 {
		t.Errorf("keys were lost: %q", list)
	}

	wrong := func(what, want string) {
		t.Helper()
		ask()
		s := d.sees(what, func(s admin.Status) bool {
			return s.DomainsFrom.Problem != "" && strings.Contains(s.DomainsFrom.Problem, want)
		})
		if !has("one.example")(s) || !has("three.example")(s) || s.DomainsFrom.Names != 3 || len(s.Problems) == 0 || !strings.HasSuffix(s.Problems[len(s.Problems)-1].Place, "milter.yaml:8") {
			t.Errorf("%s: %+v", what, s)
		}
	}
	base.do("DELETE FROM domains_table WHERE DomainName NOT LIKE 'one%'")
	wrong("less than half", "gives 1 names, after 3")
	base.do("DELETE FROM domains_table")
	wrong("empty", "gives no names, after 3")
	base.do("ALTER TABLE domains_table RENAME TO gone")
	wrong("no table", "no such table")
	if err := os.Chmod(filepath.Join(d.dir, "dsn"), 0o644); err != nil {
		t.Fatal(err)
	}
	wrong("a DSN that others read", "every user of this host")

	// A restart without the database.
	d.signals <- os.Interrupt
	if err := <-d.end; err != nil {
		t.Fatal(err)
	}
	d.end <- nil
	again := &daemon{t: t, dir: d.dir, log: make(lines, 10000), signals: make(chan os.Signal, 4), told: make(chan string, 100), end: make(chan error, 1), opt: d.opt}
	again.opt.Stderr, again.opt.Signals, again.opt.Notify = again.log, again.signals, func(string) {}
	ask = rounds(again)
	again.start()
	for _, name := range []string{"one.example", "three.example"} {
		if !again.signsFor(name) {
			t.Errorf("%s is not signed after a restart without the database", name)
		}
	}
	s = again.sees("the reason", func(s admin.Status) bool { return s.DomainsFrom != nil && s.DomainsFrom.Problem != "" })
	if s.DomainsFrom.Names != 3 || s.DomainsFrom.Answered != nil || s.DomainsFrom.Last == nil {
		t.Errorf("%+v", s.DomainsFrom)
	}

	// It comes back with one name, and somebody says that this is meant.
	if err := os.Chmod(filepath.Join(d.dir, "dsn"), 0o600); err != nil {
		t.Fatal(err)
	}
	base.do("ALTER TABLE gone RENAME TO domains_table")
	base.add("one.example")
	if err := os.Remove(source.Path(filepath.Join(d.dir, "state"))); err != nil {
		t.Fatal(err)
	}
	ask()
	s = again.sees("one name", func(s admin.Status) bool { return s.DomainsFrom.Names == 1 && hasNot("three.example")(s) })
	if s.DomainsFrom.Problem != "" || !has("one.example")(s) || source.Gone(filepath.Join(d.dir, "state")) {
		t.Errorf("%+v", s)
	}

	// The query is taken away.
	again.write(config1)
	again.signals <- syscall.SIGHUP
	s = again.sees("no database", func(s admin.Status) bool { return s.DomainsFrom == nil })
	if again.signsFor("one.example") {
		t.Error("signed without domains_from")
	}
}

// TestFollowerMakesNoKeys: nor does anybody in a folder that is not there.
func TestFollowerMakesNoKeys(t *testing.T) {
	for name, change := range map[string]func(text string) string{
		"follower":  func(text string) string { return text + "  role: follower\n" },
		"no folder": func(text string) string { return strings.Replace(text, "keys: DIR/keys", "keys: DIR/none", 1) },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDaemon(t, change(configDB))
			newDatabase(t, d.dir, "one.example")
			d.start()
			s := d.sees("the name", func(s admin.Status) bool { return slices.Contains(s.Keyless, "one.example") })
			if s.DomainsFrom.Names != 1 {
				t.Errorf("%+v", s.DomainsFrom)
			}
			if r, err := (admin.Client{Socket: filepath.Join(d.dir, "admin.sock")}).Reload(t.Context()); err != nil || !r.OK {
				t.Error(r, err)
			}
			if name == "no folder" {
				d.wait("no keys can be made")
			}
			if _, err := os.Stat(filepath.Join(d.dir, "keys/one.example")); err == nil {
				t.Error("keys were made")
			}
			if _, err := os.Stat(filepath.Join(d.dir, "none")); err == nil {
				t.Error("a key folder was made")
			}
		})
	}
}

// TestLackKeys: keys are made for names of the database alone, and where there is none.
func TestLackKeys(t *testing.T) {
	dir := t.TempDir()
	if _, err := keys.Generate(dir, "has.example", keys.GenerateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Generate(dir, "broken.example", keys.GenerateOptions{Selector: "s1"}); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"s1", "s1e"} {
		if err := os.Chmod(filepath.Join(dir, "broken.example", n+".pem"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cfg := config.Default()
	cfg.Sign.Keys = dir
	cfg.Sign.Domains = []config.SignDomain{{Name: "own.example", Subdomains: true}}
	list := []string{"a.own.example", "broken.example", "has.example", "new.example"}
	r, err := build(cfg, list, nil, slog.New(slog.DiscardHandler), telemetry.NewMetrics("test"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.resolver.Close()
	if got := lackKeys(r); !slices.Equal(got, []string{"a.own.example", "new.example"}) {
		t.Errorf("%q", got)
	}
	cfg.Sign.Role = "follower"
	if got := lackKeys(r); len(got) != 0 {
		t.Errorf("%q", got)
	}
	s := &service{Options: Options{Now: time.Now}, log: slog.New(slog.DiscardHandler)}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if n := s.makeKeys(ended, cfg, []string{"new.example"}); n != 0 {
		t.Errorf("%d made after the end", n)
	}
	if n := s.makeKeys(t.Context(), cfg, []string{"new.example"}); n != 1 {
		t.Errorf("%d made", n)
	}
	if n := s.makeKeys(t.Context(), cfg, []string{"new.example"}); n != 1 {
		t.Errorf("%d there already", n)
	}
}

// part runs the part of a database that is asked by hand.
func part(t *testing.T, answer func() (source.Read, error)) (d *domains, waits chan time.Duration, tick chan time.Time, log lines) {
	t.Helper()
	log = make(lines, 1000)
	logger := slog.New(slog.NewTextHandler(log, nil))
	waits, tick = make(chan time.Duration, 100), make(chan time.Time)
	s := &service{Options: Options{State: t.TempDir(), Now: time.Now, After: func(w time.Duration) <-chan time.Time { waits <- w; return tick }}, log: logger, metrics: telemetry.NewMetrics("test")}
	d = newDomains(s)
	d.jitter = func(w time.Duration) time.Duration { return w }
	d.ask = func(context.Context, config.DomainsFrom) (source.Read, error) { return answer() }
	return d, waits, tick, log
}

// TestPausesOfADatabase: soon again after a failure, later each time; its reason is
// logged once.
func TestPausesOfADatabase(t *testing.T) {
	err := problem.Fail("a hint", "down")
	d, waits, tick, log := part(t, func() (source.Read, error) {
		if err != nil {
			return source.Read{}, err
		}
		return source.Read{Names: []string{"a.example"}}, nil
	})
	p := d.part()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	cfg := config.Default()
	p.Reload(&running{cfg: cfg}) // asks nobody
	r := &running{cfg: config.Default()}
	r.cfg.Sign.DomainsFrom = config.DomainsFrom{Driver: "mysql", DSNFile: "/d", Query: "SELECT a FROM t", Refresh: time.Minute}
	p.Reload(r)
	var got []time.Duration
	for i := range 6 {
		got = append(got, <-waits)
		if i == 4 {
			err = nil
		}
		tick <- time.Time{}
		if i == 4 {
			<-d.fresh
		}
	}
	if want := []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second, time.Minute, time.Minute}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	<-waits
	p.Reload(&running{cfg: r.cfg}) // keys were read again: no question
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if len(waits) != 0 {
		t.Error("asked for a reload of keys")
	}
	said := 0
	for len(log) > 0 {
		if strings.Contains(<-log, "err=down") {
			said++
		}
	}
	if said != 1 {
		t.Errorf("said %d times", said)
	}
}

// TestAnotherQuery: what the old one gave serves until the new one is answered, which is
// not measured against it.
func TestAnotherQuery(t *testing.T) {
	names := []string{"a.example", "b.example", "c.example"}
	d, _, _, _ := part(t, func() (source.Read, error) { return source.Read{Names: names}, nil })
	f := config.DomainsFrom{Driver: "mysql", DSNFile: "/d", Query: "SELECT a FROM t", Refresh: time.Minute}
	round := func(taken bool) {
		t.Helper()
		got := make(chan bool, 1)
		go func() { got <- d.round(t.Context(), f) }()
		if taken {
			d.take(<-d.fresh)
		}
		if ok := <-got; ok != taken {
			t.Errorf("an answer of use: %v", ok)
		}
	}
	round(true)
	names = names[:1]
	round(false)
	if len(d.listed) != 3 {
		t.Errorf("%q", d.listed)
	}
	f.Query += " WHERE b"
	round(true)
	if !slices.Equal(d.listed, names) {
		t.Errorf("%q", d.listed)
	}
	names = nil
	f.Query += " AND c"
	round(false)
	if len(d.listed) != 1 {
		t.Errorf("empty is never taken: %q", d.listed)
	}
	k, err := source.Load(d.service.State, config.SignableName)
	if err != nil || len(k.Names) != 1 {
		t.Errorf("%+v, %v", k, err)
	}
	// No folder to keep it in: the half rule holds all the same.
	d.service.State = filepath.Join(d.service.State, "none")
	d.saved = false
	f.Query = "SELECT x FROM t"
	names = []string{"a.example", "b.example", "c.example"}
	round(true)
	names = names[:1]
	round(false)
}

// TestKeptIsBroken: it is named, and the daemon starts without it.
func TestKeptIsBroken(t *testing.T) {
	d := newDaemon(t, configDB)
	newDatabase(t, d.dir, "one.example")
	if err := os.WriteFile(source.Path(filepath.Join(d.dir, "state")), []byte("a.example\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.start()
	d.sees("the name of the database, and that it is kept", func(s admin.Status) bool {
		k, err := source.Load(filepath.Join(d.dir, "state"), config.SignableName)
		return s.DomainsFrom != nil && s.DomainsFrom.Names == 1 && err == nil && len(k.Names) == 1
	})
}

// TestDatabaseThatHangs: mail is served, and the daemon stops, while a question is open.
func TestDatabaseThatHangs(t *testing.T) {
	d, _, _, _ := part(t, nil)
	asked := make(chan struct{})
	d.ask = func(ctx context.Context, _ config.DomainsFrom) (source.Read, error) {
		close(asked)
		<-ctx.Done()
		return source.Read{}, ctx.Err()
	}
	p := d.part()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	r := &running{cfg: config.Default()}
	r.cfg.Sign.DomainsFrom = config.DomainsFrom{Driver: "mysql", DSNFile: "/d", Query: "SELECT a FROM t", Refresh: time.Minute}
	p.Reload(r)
	<-asked
	p.Reload(r)
	p.Reload(r)
	var s admin.Status
	d.uses(r)
	d.status(&s)
	if s.DomainsFrom == nil || s.DomainsFrom.Problem != "" {
		t.Errorf("%+v", s.DomainsFrom)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestSomeOf(t *testing.T) {
	var many []string
	for i := range 12 {
		many = append(many, fmt.Sprint(i))
	}
	if got := someOf(many); got != "0,1,2,3,4,5,6,7,8,9 and 2 more" {
		t.Error(got)
	}
	if got := someOf(many[:2]); got != "0,1" {
		t.Error(got)
	}
	if got := difference([]string{"a", "b", "d"}, []string{"b", "c"}); !slices.Equal(got, []string{"a", "d"}) {
		t.Error(got)
	}
	for range 100 {
		if got := aTenth(time.Minute); got <= 53*time.Second || got > time.Minute {
			t.Error(got)
		}
	}
}

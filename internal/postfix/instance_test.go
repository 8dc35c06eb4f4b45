package postfix

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakePostfix answers as postconf does, from main.cf as it stands.
type fakePostfix struct {
	t     *testing.T
	dir   string
	bad   string // this command fails
	more  string // lines that postconf prints besides
	calls []string
}

func (f *fakePostfix) run(_ context.Context, name string, args ...string) (string, error) {
	call := strings.Join(append([]string{name}, args...), " ")
	f.calls = append(f.calls, strings.ReplaceAll(call, f.dir, "DIR"))
	if f.bad != "" && strings.HasSuffix(call, f.bad) {
		return "", errors.New(f.bad + " failed")
	}
	if name != "postconf" {
		return "", nil
	}
	data, err := os.ReadFile(filepath.Join(f.dir, "main.cf"))
	if err != nil {
		f.t.Fatal(err)
	}
	var out strings.Builder
	for k, v := range defaults(ParseMain(string(data))) {
		out.WriteString(k + " = " + v + "\n")
	}
	return out.String() + f.more, nil
}

func instance(t *testing.T, fixtureDir string) (*fakePostfix, func() *Instance) {
	t.Helper()
	f := &fakePostfix{t: t, dir: t.TempDir()}
	for _, n := range []string{"main.cf", "master.cf"} {
		if err := os.WriteFile(filepath.Join(f.dir, n), []byte(fixture(t, fixtureDir, n)), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	return f, func() *Instance {
		in, err := Open(context.Background(), f.dir, f.run)
		if err != nil {
			t.Fatal(err)
		}
		return in
	}
}

func (f *fakePostfix) file(name string) string {
	data, err := os.ReadFile(filepath.Join(f.dir, name))
	if err != nil {
		f.t.Fatal(err)
	}
	return string(data)
}

// The way of a set-up: proving, final, once more with another wish, back.
func TestInstanceThereAndBack(t *testing.T) {
	for _, fixture := range fixtures {
		t.Run(fixture.name, func(t *testing.T) { thereAndBack(t, fixture.name, fixture.e) })
	}
}

func thereAndBack(t *testing.T, dir string, e Endpoint) {
	f, open := instance(t, dir)
	main, master := f.file("main.cf"), f.file("master.cf")
	in := open()
	if in.SetUp() {
		t.Fatal("a set-up before the first")
	}
	proving := want(e)
	proving.DefaultAction, proving.Witness = "accept", witness
	for _, w := range []Want{proving, want(e)} {
		if err := in.Write(in.Host.Plan(w), e); err != nil {
			t.Fatal(err)
		}
	}
	if st, err := os.Stat(filepath.Join(f.dir, "main.cf")); err != nil || st.Mode().Perm() != 0o640 {
		t.Errorf("mode of main.cf: %v, %v", st.Mode(), err)
	}
	again := open()
	if !again.SetUp() || len(again.Host.Plan(want(e)).Changes) > 0 {
		t.Errorf("after a set-up: %+v", again.Host.Plan(want(e)).Changes)
	}
	other := want(e)
	other.DefaultAction = "accept"
	if err := again.Write(again.Host.Plan(other), e); err != nil {
		t.Fatal(err)
	}
	back := open()
	if diff, kept := back.Undone(); diff == "" || len(kept) > 0 {
		t.Errorf("undo: %q, %q", diff, kept)
	}
	if err := back.Undo(); err != nil {
		t.Fatal(err)
	}
	if f.file("main.cf") != main || f.file("master.cf") != master {
		t.Errorf("not as before:\n%s", f.file("main.cf"))
	}
	if open().SetUp() {
		t.Error("a record stays")
	}
}

// An edit between two set-ups is no part of either.
func TestInstanceEditBetween(t *testing.T) {
	f, open := instance(t, "debian12")
	main := f.file("main.cf")
	in := open()
	if err := errors.Join(in.Write(in.Host.Plan(want(inQueue)), inQueue), in.Commit()); err != nil {
		t.Fatal(err)
	}
	edited := f.file("main.cf") + "mine = 1\n"
	if err := os.WriteFile(filepath.Join(f.dir, "main.cf"), []byte(edited), 0o640); err != nil {
		t.Fatal(err)
	}
	in = open()
	more := want(inQueue)
	more.Bounces = true
	if err := errors.Join(in.Write(in.Host.Plan(more), inQueue), in.Commit()); err != nil {
		t.Fatal(err)
	}
	if err := open().Undo(); err != nil {
		t.Fatal(err)
	}
	if got := f.file("main.cf"); got != main+"mine = 1\n" {
		t.Errorf("got\n%s", Diff("main.cf", main, got))
	}
}

func (in *Instance) rollback() error {
	kept, err := in.Recover()
	if len(kept) > 0 {
		err = errors.Join(err, fmt.Errorf("kept %q", kept))
	}
	return err
}

// Recover puts back what Open found: nothing, or the set-up before.
func TestInstanceRollback(t *testing.T) {
	f, open := instance(t, "debian12")
	main := f.file("main.cf")
	in := open()
	if err := errors.Join(in.Write(in.Host.Plan(want(inQueue)), inQueue), in.rollback()); err != nil {
		t.Fatal(err)
	}
	if f.file("main.cf") != main || open().SetUp() {
		t.Error("the first set-up is not rolled back")
	}
	in = open()
	if err := errors.Join(in.Write(in.Host.Plan(want(inQueue)), inQueue), in.Commit()); err != nil {
		t.Fatal(err)
	}
	first := f.file("main.cf")
	in = open()
	more := want(inQueue)
	more.Bounces = true
	if err := errors.Join(in.Write(in.Host.Plan(more), inQueue), in.rollback()); err != nil {
		t.Fatal(err)
	}
	if f.file("main.cf") != first {
		t.Error("the second set-up is not rolled back")
	}
	if err := open().Undo(); err != nil || f.file("main.cf") != main {
		t.Errorf("undo after a rollback: %v\n%s", err, f.file("main.cf"))
	}
}

func TestReload(t *testing.T) {
	for _, c := range []struct {
		bad     string
		running bool
		calls   int
		err     bool
	}{{"", true, 3, false}, {"status", false, 2, false}, {"check", false, 1, true}, {"reload", true, 3, true}} {
		f, open := instance(t, "debian12")
		in := open()
		f.calls, f.bad = nil, c.bad
		running, err := in.Reload(context.Background())
		if running != c.running || len(f.calls) != c.calls || (err != nil) != c.err {
			t.Errorf("%q fails: running %v, %q, %v", c.bad, running, f.calls, err)
		}
	}
}

// TestReloadCutOff: a status that was not found out is not "stopped", after which
// the new files would stand unproved.
func TestReloadCutOff(t *testing.T) {
	_, open := instance(t, "debian12")
	ctx, cancel := context.WithCancel(t.Context())
	for _, c := range []struct {
		name string
		run  Command
	}{
		{"deadline", func(_ context.Context, _ string, args ...string) (string, error) {
			if args[len(args)-1] == "status" {
				return "", fmt.Errorf("postfix: %w", context.DeadlineExceeded)
			}
			return "", nil
		}},
		{"interrupted", func(_ context.Context, _ string, args ...string) (string, error) {
			if args[len(args)-1] == "status" {
				cancel()
				return "", errors.New("killed")
			}
			return "", nil
		}},
	} {
		in := open()
		in.Run = c.run
		if running, err := in.Reload(ctx); running || err == nil {
			t.Errorf("%s: running %v, %v", c.name, running, err)
		}
	}
}

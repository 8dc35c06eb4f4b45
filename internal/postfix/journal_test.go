package postfix

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// proof is the first of the two plans that set-up writes.
func proof(e Endpoint) Want {
	w := want(e)
	w.DefaultAction, w.Witness = "accept", witness
	return w
}

func (f *fakePostfix) put(name, text string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o640); err != nil {
		f.t.Fatal(err)
	}
}

// cut is a set-up that is killed at one of its steps.
type cut struct {
	name string
	wire func(f *fakePostfix, in *Instance) error
}

func cuts(e Endpoint) []cut {
	write := func(in *Instance, w Want) error { return in.Write(in.Host.Plan(w), e) }
	return []cut{
		{"before the first edit", func(f *fakePostfix, in *Instance) error {
			before := map[string]string{}
			paths := []string{filepath.Join(f.dir, fileMain), filepath.Join(f.dir, fileMaster), in.undo(fileMain), in.undo(fileMaster), in.undo(recordName)}
			for _, p := range paths {
				if data, err := os.ReadFile(p); err == nil {
					before[p] = string(data)
				}
			}
			err := write(in, proof(e))
			for _, p := range paths {
				if text, was := before[p]; was {
					err = errors.Join(err, os.WriteFile(p, []byte(text), 0o600))
				} else {
					err = errors.Join(err, os.Remove(p))
				}
			}
			return err
		}},
		{"between main.cf and master.cf", func(f *fakePostfix, in *Instance) error {
			master := f.file("master.cf")
			err := write(in, proof(e))
			f.put("master.cf", master)
			return err
		}},
		{"while it proves itself", func(_ *fakePostfix, in *Instance) error { return write(in, proof(e)) }},
		{"with the final main.cf and the proof's master.cf", func(f *fakePostfix, in *Instance) error {
			err := write(in, proof(e))
			master := f.file("master.cf")
			err = errors.Join(err, write(in, want(e)))
			f.put("master.cf", master)
			return err
		}},
		{"before it is done", func(_ *fakePostfix, in *Instance) error {
			return errors.Join(write(in, proof(e)), write(in, want(e)))
		}},
		{"while it puts back", func(_ *fakePostfix, in *Instance) error {
			return errors.Join(write(in, proof(e)), in.put(in.main, in.master))
		}},
	}
}

// TestRecover: whenever a set-up is killed, the next one finds what was there, byte
// for byte, and with it whether a set-up stood before.
func TestRecover(t *testing.T) {
	for _, dir := range fixtures {
		if !slices.Contains([]string{"debian12", "centos7", "amazon2", "ubuntu2404"}, dir.name) { // each case takes a few dozen fsync
			continue
		}
		for _, again := range []bool{false, true} {
			for _, c := range cuts(dir.e) {
				name := dir.name + ", " + c.name
				if again {
					name += ", a second set-up"
				}
				t.Run(name, func(t *testing.T) {
					f, open := instance(t, dir.name)
					original := f.file("main.cf") + f.file("master.cf")
					if again {
						first := open()
						other := want(dir.e)
						other.DefaultAction = "accept"
						if err := errors.Join(first.Write(first.Host.Plan(other), dir.e), first.Commit()); err != nil || open().HalfDone() {
							t.Fatalf("%v", err)
						}
					}
					before := f.file("main.cf") + f.file("master.cf")
					if err := c.wire(f, open()); err != nil {
						t.Fatal(err)
					}
					for _, n := range []string{journalName} {
						if st, err := os.Stat(filepath.Join(f.dir, undoDir, n)); err != nil || st.Mode().Perm() != 0o600 {
							t.Errorf("%s: %v, %v", n, st, err)
						}
					}
					if st, err := os.Stat(filepath.Join(f.dir, undoDir)); err != nil || st.Mode().Perm() != 0o700 {
						t.Errorf("%v, %v", st, err)
					}
					cutOff := open()
					if !cutOff.HalfDone() {
						t.Fatal("nothing says that it is half done")
					}
					if kept, err := cutOff.Recover(); err != nil || len(kept) > 0 {
						t.Fatalf("%v, %q", err, kept)
					}
					if now := f.file("main.cf") + f.file("master.cf"); now != before {
						t.Errorf("not as before:\n%s", Diff("files", before, now))
					}
					now := open()
					if now.HalfDone() || now.SetUp() != again {
						t.Errorf("half done %v, set up %v", now.HalfDone(), now.SetUp())
					}
					if _, err := os.Stat(filepath.Join(f.dir, undoDir)); !again && err == nil {
						t.Error("the folder stays")
					}
					if !again {
						return
					}
					if err := now.Undo(); err != nil || f.file("main.cf")+f.file("master.cf") != original {
						t.Errorf("undo of the first: %v", err)
					}
				})
			}
		}
	}
}

// TestRecoverKeepsEdits: what somebody has written since the kill stays, and ours goes.
func TestRecoverKeepsEdits(t *testing.T) {
	for _, dir := range fixtures {
		if dir.name != "el9" && dir.name != "ubuntu2404" {
			continue
		}
		for _, c := range cuts(dir.e) {
			t.Run(dir.name+", "+c.name, func(t *testing.T) {
				f, open := instance(t, dir.name)
				main, master := f.file("main.cf"), f.file("master.cf")
				if err := c.wire(f, open()); err != nil {
					t.Fatal(err)
				}
				f.put("main.cf", ended(f.file("main.cf"))+"mine = 1\n")
				if _, err := open().Recover(); err != nil {
					t.Fatal(err)
				}
				if got := f.file("main.cf"); got != ended(main)+"mine = 1\n" || f.file("master.cf") != master {
					t.Errorf("%s", Diff("main.cf", main, got)+Diff("master.cf", master, f.file("master.cf")))
				}
				if strings.Contains(f.file("main.cf"), "witness") || open().HalfDone() {
					t.Error("something of ours stays")
				}
			})
		}
	}
}

// TestJournalOfAnother: what cannot be read is not put back, and not passed over.
func TestJournalOfAnother(t *testing.T) {
	for _, text := range []string{"", "{", `{"version": 2}`, `{"version": 1}`,
		`{"version": 1, "files": {"main.cf": ""}, "sha256": {"main.cf": ["x"]}}`} {
		f, open := instance(t, "el9")
		in := open()
		if err := in.Write(in.Host.Plan(want(inRun)), inRun); err != nil {
			t.Fatal(err)
		}
		f.put(filepath.Join(undoDir, journalName), text)
		if _, err := Open(t.Context(), f.dir, f.run); err == nil || !strings.Contains(err.Error(), journalName) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestInstanceKnowsItsFolder: from 3.8 on postconf names another one for a moment.
func TestInstanceKnowsItsFolder(t *testing.T) {
	f, open := instance(t, "el9")
	f.more = "config_directory = /etc/postfix\n"
	if got := open().Host.Values.Get("config_directory"); got != f.dir {
		t.Errorf("%s, want %s", got, f.dir)
	}
}

// TestNobodysEditIsLost: an edit between the reading and the writing, or while
// set-up proves itself, ends the set-up and stays.
func TestNobodysEditIsLost(t *testing.T) {
	const mine = "mine = 1\n"
	f, open := instance(t, "debian12")
	main, master := f.file("main.cf"), f.file("master.cf")
	in := open()
	f.put("main.cf", main+mine)
	if err := in.Write(in.Host.Plan(proof(inQueue)), inQueue); err == nil || !strings.Contains(err.Error(), "main.cf in the meantime") {
		t.Errorf("before the first edit: %v", err)
	}
	if err := in.rollback(); err != nil || f.file("main.cf") != main+mine {
		t.Errorf("%v\n%s", err, Diff("main.cf", main+mine, f.file("main.cf")))
	}

	f.put("main.cf", main)
	in = open()
	if err := in.Write(in.Host.Plan(proof(inQueue)), inQueue); err != nil {
		t.Fatal(err)
	}
	f.put("main.cf", f.file("main.cf")+mine)
	if err := in.Write(in.Host.Plan(want(inQueue)), inQueue); err == nil {
		t.Error("overwritten")
	}
	if err := in.rollback(); err != nil || f.file("main.cf") != main+mine || f.file("master.cf") != master {
		t.Errorf("%v\n%s", err, Diff("main.cf", main+mine, f.file("main.cf")))
	}
	if in := open(); in.HalfDone() || in.SetUp() {
		t.Error("something is left")
	}
}

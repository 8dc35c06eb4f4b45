package postfix

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/internal/wholefile"
)

// journal is what a set-up at work would have to put back. It is on the disk
// before the first edit and goes when the last one stands, so that whoever comes
// after a kill finds it. It lies with the record, in root's folder.
type journal struct {
	Version int                 `json:"version"`
	Files   map[string]string   `json:"files"`            // main.cf and master.cf as they were
	Record  *Record             `json:"record,omitempty"` // of a set-up before; nil for none
	Sums    map[string][]string `json:"sha256"`           // of what we wrote since
	Edits   []Record            `json:"edits"`            // the same as changes, in order
}

const journalName = "at-work.json"

// readJournal looks for what a set-up that did not end left.
func (in *Instance) readJournal() error {
	data, err := os.ReadFile(in.undo(journalName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		in.journal = &journal{}
		err = json.Unmarshal(data, in.journal)
	}
	if err == nil {
		err = in.journal.check()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", in.undo(journalName), err)
	}
	return nil
}

// check keeps half a journal from emptying a file.
func (j *journal) check() error {
	if j.Version != 1 {
		return fmt.Errorf("version %d, from a newer sealmilter", j.Version)
	}
	for _, name := range []string{fileMain, fileMaster} {
		if _, there := j.Files[name]; !there || len(j.Sums[name]) == 0 {
			return fmt.Errorf("nothing about %s", name)
		}
	}
	return nil
}

// HalfDone reports whether a set-up was cut off here: see Recover.
func (in *Instance) HalfDone() bool { return in.journal != nil }

// intend puts down what is about to be written, and before the first edit what
// is there.
func (in *Instance) intend(r Record) error {
	j := in.journal
	if j == nil {
		j = &journal{Version: 1, Files: map[string]string{fileMain: in.main, fileMaster: in.master}, Record: in.record, Sums: map[string][]string{}}
	}
	for name, s := range r.Sums {
		j.Sums[name] = append(j.Sums[name], s)
	}
	j.Edits = append(j.Edits, r)
	data, err := json.MarshalIndent(j, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(in.UndoDir(), 0o700); err != nil {
		return err
	}
	if err := wholefile.Replace(in.undo(journalName), append(data, '\n'), 0o600); err != nil {
		return err
	}
	in.journal = j
	return nil
}

// Commit says that what is written stays.
func (in *Instance) Commit() error {
	if in.journal == nil {
		return nil
	}
	if err := os.Remove(in.undo(journalName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := wholefile.SyncDir(in.UndoDir()); err != nil {
		return err
	}
	in.journal = nil
	return nil
}

// restore has the record say again what it said before, and ends the journal:
// last, so that a restoration that is cut off is done again.
func (in *Instance) restore(r *Record) error {
	if r != nil {
		if err := in.writeRecord(r); err != nil {
			return err
		}
		return in.Commit()
	}
	for _, name := range []string{recordName, fileMain, fileMaster} {
		if err := os.Remove(in.undo(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := in.Commit(); err != nil {
		return err
	}
	return os.RemoveAll(in.UndoDir())
}

// Recover puts back what was there before a set-up that was cut off, or failed:
// byte for byte, or, where somebody has edited a file since, by taking our edits
// out of it. kept names what stays because it is no longer ours. To go on, the
// instance is to be opened again.
func (in *Instance) Recover() (kept []string, err error) {
	j := in.journal
	if j == nil {
		return nil, nil // nothing was written
	}
	now, err := in.read()
	if err != nil {
		return nil, err
	}
	main, master := ParseMain(now[fileMain]), ParseMaster(now[fileMaster])
	for _, e := range slices.Backward(j.Edits) {
		kept = append(kept, Revert(main, master, e.Changes, e.Milter, e.Queue)...)
	}
	reverted := map[string]string{fileMain: main.String(), fileMaster: master.String()}
	back, edited := map[string]string{}, false
	for name, text := range now {
		back[name] = j.Files[name]
		if text != j.Files[name] && !slices.Contains(j.Sums[name], sum(text)) {
			back[name], edited = reverted[name], true
		}
	}
	if !edited {
		kept = nil
	}
	if err := in.put(back[fileMain], back[fileMaster]); err != nil {
		return kept, err
	}
	return kept, in.restore(j.Record)
}

// read returns main.cf and master.cf as they are now.
func (in *Instance) read() (map[string]string, error) {
	now := map[string]string{}
	for _, name := range []string{fileMain, fileMaster} {
		data, err := os.ReadFile(filepath.Join(in.Dir, name))
		if err != nil {
			return nil, err
		}
		now[name] = string(data)
	}
	return now, nil
}

// unedited reports as an error that somebody has written main.cf or master.cf since
// we last did, or read them: a plan is for the files as they were.
func (in *Instance) unedited() error {
	now, err := in.read()
	if err != nil {
		return err
	}
	for name, text := range now {
		known := text == map[string]string{fileMain: in.main, fileMaster: in.master}[name]
		if in.journal != nil {
			sums := in.journal.Sums[name]
			known = sum(text) == sums[len(sums)-1]
		}
		if !known {
			return fmt.Errorf("somebody has edited %s in the meantime: run this again", filepath.Join(in.Dir, name))
		}
	}
	return nil
}

// dropWitness takes a proof's second milter out of a list.
func dropWitness(items []string) []string {
	return slices.DeleteFunc(items, func(i string) bool { return strings.HasSuffix(address(i), WitnessSocket) })
}

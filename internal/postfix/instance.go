package postfix

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sealmilter/sealmilter/internal/wholefile"
)

// Instance is a configuration directory that is read and written. It is used by
// one goroutine.
type Instance struct {
	Dir  string
	Host Host
	Run  Command

	main, master string // as read
	record       *Record
	journal      *journal  // of edits that do not stand yet
	backup       [2]string // the files without our edits
}

// Command runs a program and returns what it printed.
type Command func(ctx context.Context, name string, args ...string) (string, error)

// Record is what undo needs. It lies with the backups in a folder of root's
// next to main.cf: what root puts back must not come from the daemon's user.
type Record struct {
	Version int               `json:"version"`
	Milter  Endpoint          `json:"milter"`
	Queue   string            `json:"queue_directory"`
	Changes []Change          `json:"changes"`
	Sums    map[string]string `json:"sha256"` // of the files as we left them
}

const (
	undoDir    = "sealmilter-undo"
	recordName = "undo.json"
)

// Open reads the files of a configuration directory, asks postconf for the
// values in force, and looks whether a set-up was here before.
func Open(ctx context.Context, dir string, run Command) (*Instance, error) {
	in := &Instance{Dir: dir, Run: run}
	for name, to := range map[string]*string{fileMain: &in.main, fileMaster: &in.master} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		*to = string(data)
	}
	out, err := run(ctx, "postconf", "-c", dir)
	if err != nil {
		return nil, err
	}
	in.Host = Host{ParseMain(in.main), ParseMaster(in.master), ParseValues(out)}
	// From Postfix 3.8 on `postconf -c DIR` names the folder that was compiled in
	// while main.cf is younger than about two seconds.
	in.Host.Values["config_directory"] = dir
	if err := in.readJournal(); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(in.undo(recordName))
	if errors.Is(err, fs.ErrNotExist) {
		in.backup = [2]string{in.main, in.master}
		return in, nil
	}
	if err == nil {
		in.record = &Record{}
		err = json.Unmarshal(data, in.record)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", in.undo(recordName), err)
	}
	return in, in.without()
}

func (in *Instance) undo(name string) string { return filepath.Join(in.Dir, undoDir, name) }

// UndoDir is where backups and the record lie.
func (in *Instance) UndoDir() string { return filepath.Join(in.Dir, undoDir) }

// SetUp reports whether a set-up of ours stands.
func (in *Instance) SetUp() bool { return in.record != nil }

// without works out the files without our edits: the backup where nobody has
// edited since, else the file with our edits taken out.
func (in *Instance) without() error {
	main, master := in.Host.Main.Clone(), in.Host.Master.Clone()
	Revert(main, master, in.record.Changes, in.record.Milter, in.record.Queue)
	in.backup = [2]string{main.String(), master.String()}
	for i, f := range []struct{ name, now string }{{fileMain, in.main}, {fileMaster, in.master}} {
		if sum(f.now) != in.record.Sums[f.name] {
			continue
		}
		data, err := os.ReadFile(in.undo(f.name))
		if err != nil {
			return err
		}
		in.backup[i] = string(data)
	}
	return nil
}

func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

// Diff shows what the plan changes.
func (in *Instance) Diff(p *Plan) string {
	return Diff(filepath.Join(in.Dir, fileMain), in.main, p.Main.String()) +
		Diff(filepath.Join(in.Dir, fileMaster), in.master, p.Master.String())
}

// Write puts a plan into the files: first the way back, then the change. Until
// Commit it is half done.
func (in *Instance) Write(p *Plan, milter Endpoint) error {
	if err := in.unedited(); err != nil {
		return err
	}
	main, master := p.Main.String(), p.Master.String()
	r := Record{Version: 1, Milter: milter, Queue: in.Host.Values.Get("queue_directory"), Changes: p.Changes,
		Sums: map[string]string{fileMain: sum(main), fileMaster: sum(master)}}
	if in.record != nil {
		r.Changes = Merge(in.record.Changes, p.Changes)
	}
	if err := in.intend(Record{Version: 1, Milter: milter, Queue: r.Queue, Changes: p.Changes, Sums: r.Sums}); err != nil {
		return err
	}
	if err := wholefile.Replace(in.undo(fileMain), []byte(in.backup[0]), 0o600); err != nil {
		return err
	}
	if err := wholefile.Replace(in.undo(fileMaster), []byte(in.backup[1]), 0o600); err != nil {
		return err
	}
	if err := in.writeRecord(&r); err != nil {
		return err
	}
	return in.put(main, master)
}

func (in *Instance) writeRecord(r *Record) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return wholefile.Replace(in.undo(recordName), []byte(string(data)+"\n"), 0o600)
}

// put writes the files that differ from what they hold.
func (in *Instance) put(main, master string) error {
	for _, f := range []struct{ name, text string }{{fileMain, main}, {fileMaster, master}} {
		path := filepath.Join(in.Dir, f.name)
		if now, err := os.ReadFile(path); err == nil && string(now) == f.text {
			continue
		}
		if err := wholefile.Replace(path, []byte(f.text), 0); err != nil {
			return err
		}
	}
	return nil
}

// Undone is what undo would do: the diff, and what stays because somebody has
// changed it since.
func (in *Instance) Undone() (diff string, kept []string) {
	kept = Revert(in.Host.Main.Clone(), in.Host.Master.Clone(), in.record.Changes, in.record.Milter, in.record.Queue)
	return Diff(filepath.Join(in.Dir, fileMain), in.main, in.backup[0]) +
		Diff(filepath.Join(in.Dir, fileMaster), in.master, in.backup[1]), kept
}

// Undo takes our edits out of the files and forgets them.
func (in *Instance) Undo() error {
	if err := in.put(in.backup[0], in.backup[1]); err != nil {
		return err
	}
	return os.RemoveAll(in.UndoDir())
}

// Running reports whether the instance's master is up. An error says that this
// could not be found out in time: that is not "no".
func (in *Instance) Running(ctx context.Context) (bool, error) {
	_, err := in.Run(ctx, "postfix", "-c", in.Dir, "status")
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return false, err
	}
	return err == nil, nil
}

// Reload makes Postfix take the files. running is false when it is stopped; then
// they are only checked.
func (in *Instance) Reload(ctx context.Context) (running bool, err error) {
	if _, err := in.Run(ctx, "postfix", "-c", in.Dir, "check"); err != nil {
		return false, err
	}
	if running, err := in.Running(ctx); !running {
		return false, err
	}
	_, err = in.Run(ctx, "postfix", "-c", in.Dir, "reload")
	return true, err
}

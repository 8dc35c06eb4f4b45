package inspect

import (
	"context"
	"strings"
	"time"

	"github.com/sealmilter/sealmilter/internal/admin"
	"github.com/sealmilter/sealmilter/internal/assemble"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/internal/proof"
	"github.com/sealmilter/sealmilter/internal/socket"
	"github.com/sealmilter/sealmilter/keys"
)

// Checked is what check found. Its JSON is the command's.
type Checked struct {
	File     string            `json:"file"`
	Errors   int               `json:"errors"`
	Warnings int               `json:"warnings"`
	Problems []problem.Problem `json:"problems"`
	Keys     []admin.Key       `json:"keys"`
	Database *Database         `json:"domains_from,omitempty"` // nil where none answered

	// Config is nil where the file cannot be used.
	Config *config.Config `json:"-"`
}

// Check reads the configuration at path, loads every key and has each prove
// itself. keyHint makes the command that makes a domain's key, for a
// configuration at another place than the usual one; state is the daemon's folder. A
// database with domains is asked once.
func Check(path, state string, keyHint func(command string) string) *Checked {
	r := &Checked{File: path, Problems: []problem.Problem{}, Keys: []admin.Key{}}
	cfg, problems := config.Load(path)
	r.add(Problems(problems, nil)...)
	if cfg == nil {
		return r
	}
	r.Config = cfg
	if _, err := socket.NewPeers(cfg.Socket.Peers); err != nil {
		r.add(problem.Problem{Severity: problem.Fault, Place: path, Message: err.Error(), Hint: problem.Hint(err)})
	}
	listed, unknown := Listed(cfg, state)
	if unknown != nil {
		r.add(*unknown)
	}
	r.askDatabase(path, cfg)
	r.askSenders(path, cfg)
	store, broken := Keys(listed)
	for _, p := range broken {
		if p.Hint == "sealmilter keys new "+p.Domain {
			p.Hint = keyHint(p.Hint)
		}
		r.add(ofKey(p))
	}
	list := admin.Sorted(store)
	var failed []problem.Problem
	r.Keys, failed = ProveKeys(cfg, store, list)
	if err := publishes(cfg); err != nil {
		r.add(problem.Problem{Severity: problem.Fault, Place: path, Message: "sign.rotate.publish: " + err.Error(), Hint: problem.Hint(err)})
	}
	r.add(failed...)
	r.askDaemon(path, cfg.Admin.Addr)
	return r
}

// askDaemon warns of mail that waits since the running daemon could not read keys
// the last time that it did: the files may be mended since.
func (r *Checked) askDaemon(path, socket string) {
	if socket == "" || r.Errors > 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), askFor)
	defer cancel()
	s, err := admin.Client{Socket: socket}.Status(ctx)
	if err != nil || s.Config != path || len(s.Waiting) == 0 {
		return // none runs, or it is not for us to ask
	}
	r.add(problem.Problem{Severity: problem.Warning, Place: path,
		Message: "the running daemon read keys that it cannot use: mail of " + strings.Join(s.Waiting, ", ") + " waits with 451", Hint: "sealmilter reload"})
}

// ProveKeys describes keys and has each prove itself.
func ProveKeys(cfg *config.Config, store *keys.Store, list []*keys.Key) (all []admin.Key, failed []problem.Problem) {
	all = admin.Describe(list)
	now := time.Now()
	for i, k := range list {
		all[i].Signs, all[i].Proof = store.Signs(k), admin.Proved
		all[i].Tell(now, k, assemble.Rotation(cfg, k.Domain))
		if err := proof.Key(k); err != nil {
			all[i].Proof = err.Error()
			failed = append(failed, problem.Problem{Severity: problem.Fault, Place: k.Path(), Message: err.Error(), Hint: "make another: sealmilter keys new " + k.Domain})
		}
	}
	return all, failed
}

func (r *Checked) add(list ...problem.Problem) {
	for _, p := range list {
		if p.Severity == problem.Fault {
			r.Errors++
		} else {
			r.Warnings++
		}
		r.Problems = append(r.Problems, p)
	}
}

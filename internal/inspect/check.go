package inspect

import (
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

	// Config is nil where the file cannot be used.
	Config *config.Config `json:"-"`
}

// Check reads the configuration at path, loads every key and has each prove
// itself. keyHint makes the command that makes a domain's key, for a
// configuration at another place than the usual one.
func Check(path string, keyHint func(command string) string) *Checked {
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
	store, broken := assemble.Keys(cfg, nil)
	for _, p := range broken {
		if p.Hint == "sealmilter keys new "+p.Domain {
			p.Hint = keyHint(p.Hint)
		}
		r.add(ofKey(p))
	}
	list := admin.Sorted(store)
	var failed []problem.Problem
	r.Keys, failed = ProveKeys(store, list)
	r.add(failed...)
	return r
}

// ProveKeys describes keys and has each prove itself.
func ProveKeys(store *keys.Store, list []*keys.Key) (all []admin.Key, failed []problem.Problem) {
	all = admin.Describe(list)
	for i, k := range list {
		all[i].Signs, all[i].Proof = admin.Signs(store, k), admin.Proved
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

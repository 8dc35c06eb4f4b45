package service

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/sealmilter/sealmilter/internal/admin"
	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/keys"
)

// state is what the daemon tells about itself, and the way in for a reload: the
// admin socket's Source.
type state struct {
	now      func() time.Time
	counters func() map[string]float64
	domains  func(*admin.Status) // adds what the database is like

	mu     sync.Mutex
	report admin.Status
	proofs map[string]string // by path of the key

	// reloads reach the goroutine that serves the signals; stopping ends the wait.
	reloads  chan chan admin.Reload
	rekeys   chan struct{} // as reloads, for the keys alone
	stopping chan struct{}
}

func newState(o Options, counters func() map[string]float64, domains func(*admin.Status)) *state {
	return &state{
		now: o.Now, counters: counters, domains: domains,
		report: admin.Status{Version: o.Version, PID: os.Getpid(), Started: o.Now(), Config: o.Config,
			Listeners: []string{}, Keys: []admin.Key{}, Keyless: []string{}, Waiting: []string{}, Problems: []problem.Problem{}},
		proofs:  map[string]string{},
		reloads: make(chan chan admin.Reload), rekeys: make(chan struct{}), stopping: make(chan struct{}),
	}
}

// runs notes what is in use from now on.
func (s *state) runs(r *running) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &s.report
	p.AuthservID, p.Running, p.Degraded, p.Loaded = r.cfg.AuthservID, r.path, r.degraded, s.now()
	p.Keys = admin.Describe(r.store.All())
	for i, k := range r.store.All() {
		p.Keys[i].Signs = admin.Signs(r.store, k)
	}
	p.Keyless, p.Waiting = withoutKey(r.store)
	maps.DeleteFunc(s.proofs, func(path, _ string) bool { // of keys that are gone
		return !slices.ContainsFunc(p.Keys, func(k admin.Key) bool { return k.Path == path })
	})
}

// withoutKey lists the domains whose mail goes out unsigned, since there is no key,
// and those whose mail waits, since none can be used.
func withoutKey(store *keys.Store) (none, waiting []string) {
	none, waiting = []string{}, []string{}
	for _, d := range store.Domains() {
		switch _, _, err := store.Pick(d); {
		case errors.Is(err, keys.ErrBroken):
			waiting = append(waiting, d)
		case err != nil:
			none = append(none, d)
		}
	}
	return none, waiting
}

// failed notes that a reload changed nothing.
func (s *state) failed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report.Degraded = true
}

// proved notes what a key's proof came to.
func (s *state) proved(k *keys.Key, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proofs[k.Path()] = admin.Proved
	if err != nil {
		s.proofs[k.Path()] = err.Error()
	}
}

// problems notes what was wrong with the files when they were read.
func (s *state) problems(list []problem.Problem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report.Problems = list
}

func (s *state) listeners(addrs []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report.Listeners = addrs
}

// Status is a copy of the report as of now.
func (s *state) Status() admin.Status {
	counters := s.counters()
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.report
	r.Uptime = int64(s.now().Sub(r.Started) / time.Second)
	r.Counters = counters
	s.domains(&r)
	r.Keys = slices.Clone(r.Keys)
	for i := range r.Keys {
		if r.Keys[i].Proof = s.proofs[r.Keys[i].Path]; r.Keys[i].Proof == "" {
			r.Keys[i].Proof = admin.ProofPending
		}
	}
	return r
}

var errStopping = errors.New("the daemon is stopping")

// Reload hands the wish to the goroutine that serves signals.
func (s *state) Reload(ctx context.Context) (admin.Reload, error) {
	done := make(chan admin.Reload, 1)
	select {
	case s.reloads <- done:
		return <-done, nil
	case <-s.stopping:
		return admin.Reload{}, errStopping
	case <-ctx.Done():
		return admin.Reload{}, ctx.Err()
	}
}

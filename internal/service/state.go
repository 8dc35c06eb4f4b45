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
	"github.com/sealmilter/sealmilter/internal/rotate"
	"github.com/sealmilter/sealmilter/keys"
)

// state is what the daemon tells about itself, and the way in for a reload: the
// admin socket's Source.
type state struct {
	now      func() time.Time
	counters func() map[string]float64
	domains  func(*admin.Status) // adds what the database is like

	mu      sync.Mutex
	report  admin.Status
	running *running
	proofs  map[string]keyProof // by path of the key
	seen    map[string]seen     // by name of the record

	// reloads reach the goroutine that serves the signals; stopping ends the wait.
	reloads  chan chan admin.Reload
	rekeys   chan struct{} // as reloads, for the keys alone
	stopping chan struct{}
}

func newState(o Options, counters func() map[string]float64, domains func(*admin.Status)) *state {
	return &state{
		now: o.Now, counters: counters, domains: domains,
		report: admin.Status{Version: o.Version, PID: os.Getpid(), Started: o.Now(), Config: o.Config,
			Listeners: []string{}, Keys: []admin.Key{}, Keyless: []string{}, Unpublished: []string{}, Waiting: []string{}, Problems: []problem.Problem{}},
		proofs: map[string]keyProof{}, seen: map[string]seen{},
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
	s.running = r
	paths, names := map[string]bool{}, map[string]bool{}
	for _, k := range r.store.All() {
		paths[k.Path()], names[k.Name()] = true, true
	}
	maps.DeleteFunc(s.proofs, func(path string, _ keyProof) bool { return !paths[path] }) // of keys that are gone
	maps.DeleteFunc(s.seen, func(name string, _ seen) bool { return !names[name] })
}

// withoutKey lists the domains whose mail goes out unsigned, since there is no key, or
// since none is published, and those whose mail waits, since none can be used.
func withoutKey(store *keys.Store) (none, unpublished, waiting []string) {
	none, unpublished, waiting = []string{}, []string{}, []string{}
	for _, d := range store.Domains() {
		switch _, _, err := store.Pick(d); {
		case errors.Is(err, keys.ErrBroken):
			waiting = append(waiting, d)
		case errors.Is(err, keys.ErrUnpublished):
			unpublished = append(unpublished, d)
		case err != nil:
			none = append(none, d)
		}
	}
	return none, unpublished, waiting
}

// seen is what the DNS answered last about the record of a key.
type seen struct {
	answer rotate.Answer
	at     time.Time
	alarm  bool
}

// saw notes what the DNS answered.
func (s *state) saw(k *keys.Key, a rotate.Answer, alarm bool, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[k.Name()] = seen{a, at, alarm}
}

// failed notes that a reload changed nothing.
func (s *state) failed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report.Degraded = true
}

// keyProof is what the proof of a key came to, and of which: a file may be another one.
type keyProof struct{ result, record string }

// proved notes what a key's proof came to.
func (s *state) proved(k *keys.Key, record string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proofs[k.Path()] = keyProof{admin.Proved, record}
	if err != nil {
		s.proofs[k.Path()] = keyProof{err.Error(), record}
	}
}

// provedAs reports whether the key with this record has proved itself.
func (s *state) provedAs(k *keys.Key, record string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proofs[k.Path()] == keyProof{admin.Proved, record}
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
	if s.running == nil {
		return r
	}
	now, store := s.now(), s.running.store
	r.Keyless, r.Unpublished, r.Waiting = withoutKey(store)
	for i, k := range store.All() {
		v := &r.Keys[i]
		if v.Proof = s.proofs[v.Path].result; v.Proof == "" {
			v.Proof = admin.ProofPending
		}
		v.Signs = store.Signs(k)
		v.Tell(now, k, s.running.rotation(k.Domain))
		if at, ok := s.seen[k.Name()]; ok {
			v.DNS, v.Asked, v.Alarm = at.answer.Word(), &at.at, at.alarm
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

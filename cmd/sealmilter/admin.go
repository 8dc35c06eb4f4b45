package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/socket"
	"github.com/sealmilter/sealmilter/keys"
)

// The admin socket speaks HTTP over a unix socket whose mode, 0600, is its only
// protection: GET /status and POST /reload, both answered in JSON.

// statusReport is the answer to GET /status.
type statusReport struct {
	Version    string    `json:"version"`
	PID        int       `json:"pid"`
	Started    time.Time `json:"started"`
	Uptime     int64     `json:"uptime_seconds"`
	AuthservID string    `json:"authserv_id"`
	Config     string    `json:"config"`  // the file that was asked for
	Running    string    `json:"running"` // the file that is in use: another one when degraded
	// Degraded: the file at Config is bad, and something older is in use.
	Degraded  bool           `json:"degraded"`
	Loaded    time.Time      `json:"loaded"` // when what is in use was read
	Listeners []string       `json:"listeners"`
	Keys      []keyInfo      `json:"keys"`
	Keyless   []string       `json:"domains_without_key"`
	Problems  []checkProblem `json:"problems"` // of the last time that files were read
	// Counters since the start, those that are not zero.
	Counters map[string]float64 `json:"counters"`
}

// reloadReport is the answer to POST /reload.
type reloadReport struct {
	OK       bool           `json:"ok"`
	Problems []checkProblem `json:"problems"`
}

const (
	proofPending = "pending"
	// reloadTime bounds reading the files; keys of some thousand domains take a
	// few seconds.
	reloadTime = time.Minute
)

// admin is what the daemon tells about itself, and the way in for a reload.
type admin struct {
	mu     sync.Mutex
	report statusReport
	proofs map[string]string // by path of the key

	// reloads reach the goroutine that serves the signals; stopping ends the wait.
	reloads  chan chan reloadReport
	stopping chan struct{}
}

func newAdmin(path string, now time.Time) *admin {
	return &admin{
		report:  statusReport{Version: version, PID: os.Getpid(), Started: now, Config: path, Listeners: []string{}, Keys: []keyInfo{}, Keyless: []string{}, Problems: []checkProblem{}},
		proofs:  map[string]string{},
		reloads: make(chan chan reloadReport), stopping: make(chan struct{}),
	}
}

// running notes what is in use from now on.
func (a *admin) running(cfg *config.Config, path string, degraded bool, store *keys.Store, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := &a.report
	r.AuthservID, r.Running, r.Degraded, r.Loaded = cfg.AuthservID, path, degraded, now
	r.Keys = describeKeys(store.All())
	for i, k := range store.All() {
		r.Keys[i].Signs = signs(store, k)
	}
	r.Keyless = []string{}
	for _, d := range store.Domains() {
		if len(store.Keys(d)) == 0 {
			r.Keyless = append(r.Keyless, d)
		}
	}
	maps.DeleteFunc(a.proofs, func(path, _ string) bool { // of keys that are gone
		return !slices.ContainsFunc(r.Keys, func(k keyInfo) bool { return k.Path == path })
	})
}

// failed notes that a reload changed nothing.
func (a *admin) failed() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.report.Degraded = true
}

// proved notes what a key's proof came to.
func (a *admin) proved(k *keys.Key, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.proofs[k.Path()] = "ok"
	if err != nil {
		a.proofs[k.Path()] = err.Error()
	}
}

// problems notes what was wrong with the files when they were read.
func (a *admin) problems(list []checkProblem) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.report.Problems = list
}

func (a *admin) listeners(addrs []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.report.Listeners = addrs
}

// status is a copy of the report as of now.
func (a *admin) status(now time.Time, counters map[string]float64) statusReport {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.report
	r.Uptime = int64(now.Sub(r.Started) / time.Second)
	r.Counters = maps.Clone(counters)
	r.Keys = append([]keyInfo{}, r.Keys...)
	for i := range r.Keys {
		if r.Keys[i].Proof = a.proofs[r.Keys[i].Path]; r.Keys[i].Proof == "" {
			r.Keys[i].Proof = proofPending
		}
	}
	return r
}

// listProblems puts the problems of the configuration and of the keys into one
// list.
func listProblems(cfg config.Problems, broken []keys.Problem) []checkProblem {
	c := checked{Problems: []checkProblem{}}
	for _, p := range cfg {
		place := p.File
		if p.Line > 0 {
			place = fmt.Sprintf("%s:%d", p.File, p.Line)
		}
		c.add(p.Severity == config.Error, place, p.Message, p.Hint)
	}
	for _, p := range broken {
		c.add(p.Severity == keys.Error, p.Path, p.Message, p.Hint)
	}
	return c.Problems
}

// handler serves the socket. counters is asked at each status.
func (a *admin) handler(counters func() map[string]float64) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, a.status(time.Now(), counters()))
	})
	mux.HandleFunc("POST /reload", func(w http.ResponseWriter, r *http.Request) {
		done := make(chan reloadReport, 1)
		select {
		case a.reloads <- done:
			answer(w, <-done)
		case <-a.stopping:
			http.Error(w, "the daemon is stopping", http.StatusServiceUnavailable)
		case <-r.Context().Done():
		}
	})
	return mux
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	// The client may be gone; there is nobody else to tell.
	_ = json.NewEncoder(w).Encode(v)
}

// serveAdmin opens the admin socket. Without it the daemon does its work all
// the same, so that a failure is a warning.
func (s *service) serveAdmin(at config.Address) (stop func()) {
	if at.Addr == "" {
		return func() {}
	}
	l, err := socket.Listen(at.Network, at.Addr, socket.Options{Mode: 0o600})
	if err != nil {
		var hint string
		if e := (*socket.Error)(nil); errors.As(err, &e) {
			hint = e.Hint
		}
		s.app.log.Warn("no admin socket: `sealmilter status` and `sealmilter reload` do not work", "err", err, "hint", hint)
		return func() {}
	}
	srv := &http.Server{
		Handler:           s.admin.handler(s.app.metrics.Snapshot),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: reloadTime, IdleTimeout: time.Minute,
		MaxHeaderBytes: 16 << 10,
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := srv.Serve(socket.Limit(l)); !errors.Is(err, http.ErrServerClosed) {
			s.app.log.Error("admin socket ended", "err", err)
		}
	}()
	return func() { srv.Close(); <-done }
}

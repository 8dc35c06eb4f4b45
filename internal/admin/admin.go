// Package admin is how a running daemon is asked about itself: HTTP over a unix
// socket whose mode, 0600, is its only protection. GET /status and POST /reload
// are answered in JSON. It has the types of the answers, the daemon's side, and the
// client's.
package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/sealmilter/sealmilter/internal/problem"
)

// Status is the answer to GET /status.
type Status struct {
	Version    string    `json:"version"`
	PID        int       `json:"pid"`
	Started    time.Time `json:"started"`
	Uptime     int64     `json:"uptime_seconds"`
	AuthservID string    `json:"authserv_id"`
	Config     string    `json:"config"`  // the file that was asked for
	Running    string    `json:"running"` // the file that is in use: another one when degraded
	// Degraded: the file at Config is bad, and something older is in use.
	Degraded  bool      `json:"degraded"`
	Loaded    time.Time `json:"loaded"` // when what is in use was read
	Listeners []string  `json:"listeners"`
	Keys      []Key     `json:"keys"`
	Keyless   []string  `json:"domains_without_key"`
	// Waiting are the domains whose keys are there and cannot be used: their mail
	// gets a 451.
	Waiting  []string          `json:"domains_waiting"`
	Problems []problem.Problem `json:"problems"` // of the last time that files were read
	// DomainsFrom is nil where no database is asked.
	DomainsFrom *DomainsFrom `json:"domains_from,omitempty"`
	// Counters since the start, those that are not zero.
	Counters map[string]float64 `json:"counters"`
}

// DomainsFrom is how the database of sign.domains_from is.
type DomainsFrom struct {
	Names    int        `json:"names"`              // that are in use
	Last     *time.Time `json:"last,omitempty"`     // when they were given; before the start, they are the kept ones
	Answered *time.Time `json:"answered,omitempty"` // when it answered last, since the start
	Skipped  int        `json:"skipped,omitempty"`  // rows that are no names
	Rows     []string   `json:"skipped_rows,omitempty"`
	Problem  string     `json:"problem,omitempty"` // why the last question was of no use
	Hint     string     `json:"hint,omitempty"`
}

// Healthy: what is in use is what was asked for, no mail waits for its key, and
// every key proves itself.
func (s *Status) Healthy() bool {
	return !s.Degraded && len(s.Waiting) == 0 && !slices.ContainsFunc(s.Keys, func(k Key) bool { return k.Proof != Proved && k.Proof != ProofPending })
}

// Reload is the answer to POST /reload.
type Reload struct {
	OK       bool              `json:"ok"`
	Waiting  []string          `json:"domains_waiting"` // as in Status
	Problems []problem.Problem `json:"problems"`
}

// Source is what the daemon's side answers from.
type Source interface {
	Status() Status
	// Reload has the files read again and waits for what came of it. An error
	// says that nobody did: the daemon is stopping, or ctx ended.
	Reload(ctx context.Context) (Reload, error)
}

// Patience bounds one answer: keys of some thousand domains take a few seconds
// to read.
const Patience = time.Minute

// Server serves a Source to whatever listener it is given.
func Server(src Source) *http.Server {
	return &http.Server{
		Handler:           handler(src),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: Patience, IdleTimeout: time.Minute,
		MaxHeaderBytes: 16 << 10,
	}
}

func handler(src Source) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { answer(w, src.Status()) })
	mux.HandleFunc("POST /reload", func(w http.ResponseWriter, r *http.Request) {
		switch a, err := src.Reload(r.Context()); {
		case err == nil:
			answer(w, a)
		case r.Context().Err() == nil:
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	return mux
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	// The client may be gone; there is nobody else to tell.
	_ = json.NewEncoder(w).Encode(v)
}

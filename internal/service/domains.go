package service

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sealmilter/sealmilter/internal/admin"
	"github.com/sealmilter/sealmilter/internal/assemble"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/internal/source"
)

const (
	// askAgain is the first pause after a database that did not answer: at a boot it
	// comes up soon after us. Each further one is twice as long, up to refresh.
	askAgain = 5 * time.Second
	// maxTold is how many names a line of the log has.
	maxTold = 10
)

// domains are the names of sign.domains_from. Nothing waits for the database: what
// it gave last is in use, from the kept file on.
type domains struct {
	service *service
	ask     func(ctx context.Context, f config.DomainsFrom) (source.Read, error)
	jitter  func(d time.Duration) time.Duration // hosts with one database ask it one after the other
	fresh   chan source.Kept                    // to Run's goroutine

	listed []string // of Run's goroutine: what is in use
	saved  bool     // of the part: the kept file has what was answered last, or had

	mu     sync.Mutex
	asked  string // FILE:LINE of who is asked, "" for nobody
	kept   source.Kept
	report admin.DomainsFrom
}

func newDomains(s *service) *domains {
	d := &domains{service: s, ask: assemble.Ask, jitter: aTenth, fresh: make(chan source.Kept)}
	k, err := source.Load(s.State, config.SignableName)
	if err != nil {
		s.log.Warn("domains of the database: what was kept cannot be used", "err", err, "hint", problem.Hint(err))
	}
	d.kept, d.saved, d.listed = k, err == nil && len(k.Names) > 0, k.Names
	return d
}

// aTenth takes away up to a tenth.
func aTenth(d time.Duration) time.Duration { return d - rand.N(d/10+1) }

// of are the names that cfg is about. Those of another query serve until the new
// one is answered.
func (d *domains) of(cfg *config.Config) []string {
	if !cfg.Sign.DomainsFrom.Asked() {
		return nil
	}
	return d.listed
}

// part asks the database, at once and then every refresh.
func (d *domains) part() *Part {
	newest := make(latest, 1)
	return &Part{
		Name:   "domains from a database",
		Reload: newest.tell,
		Run: func(ctx context.Context) error {
			var r *running
			var again <-chan time.Time
			for failures := 0; ; {
				select {
				case <-ctx.Done():
					return nil
				case next := <-newest:
					if r != nil && next.cfg == r.cfg && again != nil {
						continue // keys were read again, no more
					}
					r, failures = next, 0
				case <-again:
				}
				again = nil
				f := r.cfg.Sign.DomainsFrom
				if !f.Asked() {
					continue
				}
				pause := f.Refresh
				if d.round(ctx, f) {
					failures = 0
				} else {
					pause = min(pause, askAgain<<min(failures, 20))
					failures++
				}
				again = d.service.After(d.jitter(pause))
			}
		},
	}
}

// round asks once, and reports whether there was an answer of use.
func (d *domains) round(ctx context.Context, f config.DomainsFrom) bool {
	read, err := d.ask(ctx, f)
	if ctx.Err() != nil {
		return false
	}
	dir, old := d.service.State, d.last()
	next := source.Kept{Origin: assemble.Origin(f), Names: read.Names, At: d.service.Now()}
	before, gone := len(old.Names), source.Gone(dir)
	if old.Origin != next.Origin || d.saved && gone {
		before = 0 // another question, or somebody means it
	}
	if err == nil {
		err = source.Shrunk(before, len(read.Names), source.Path(dir))
	}
	if err != nil {
		d.failed(err)
		return false
	}
	d.answered(read, next)
	same := slices.Equal(old.Names, next.Names)
	if !same || old.Origin != next.Origin || !d.saved || gone {
		d.save(next)
	}
	if same {
		return true
	}
	d.changed(old.Names, next.Names)
	select {
	case d.fresh <- next:
	case <-ctx.Done():
	}
	return true
}

// last is what was answered last.
func (d *domains) last() source.Kept {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.kept
}

// failed notes why there is no answer of use; the log hears of each reason once.
func (d *domains) failed(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	was := d.report.Problem
	if d.report.Problem, d.report.Hint = err.Error(), problem.Hint(err); d.report.Problem != was {
		d.service.log.Warn("domains of the database: those of before stay in use", "names", len(d.kept.Names), "err", err, "hint", d.report.Hint)
	}
}

func (d *domains) answered(read source.Read, next source.Kept) {
	d.mu.Lock()
	defer d.mu.Unlock()
	was := d.report
	d.kept, d.report = next, admin.DomainsFrom{Answered: &next.At, Skipped: read.Skipped}
	for _, r := range read.Rows {
		d.report.Rows = append(d.report.Rows, r.String())
	}
	if was.Problem != "" {
		d.service.log.Info("domains of the database: it answers again", "names", len(next.Names))
	}
	if read.Skipped > 0 && !slices.Equal(was.Rows, d.report.Rows) {
		d.service.log.Warn("domains of the database: rows that are no names are skipped", "rows", read.Skipped, "first", strings.Join(d.report.Rows, "; "))
	}
	d.service.metrics.DomainsFrom(next.At, len(next.Names))
}

func (d *domains) save(k source.Kept) {
	if err := source.Save(d.service.State, k); err != nil {
		d.service.log.Warn("domains of the database cannot be kept over a restart", "err", err, "hint", problem.Hint(err))
		return
	}
	d.saved = true
}

// changed tells the log which names came and went. What went keeps its keys, and
// signs no more.
func (d *domains) changed(old, now []string) {
	came, went := difference(now, old), difference(old, now)
	d.service.log.Info("domains of the database", "names", len(now), "new", someOf(came), "gone", someOf(went))
}

// difference are those of a that b lacks; both are sorted.
func difference(a, b []string) (out []string) {
	for _, s := range a {
		if _, found := slices.BinarySearch(b, s); !found {
			out = append(out, s)
		}
	}
	return out
}

// someOf is a line for a list of any length.
func someOf(names []string) string {
	if more := len(names) - maxTold; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxTold], ","), more)
	}
	return strings.Join(names, ",")
}

// take puts a new set into use. Run's goroutine calls it, and reads the keys again.
func (d *domains) take(k source.Kept) { d.listed = k.Names }

// uses notes which configuration is in force.
func (d *domains) uses(r *running) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = ""
	if f := r.cfg.Sign.DomainsFrom; f.Asked() {
		d.asked = fmt.Sprintf("%s:%d", r.path, f.Line)
	}
}

// status adds what there is to tell about the database.
func (d *domains) status(to *admin.Status) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.asked == "" {
		return
	}
	out := d.report
	out.Names = len(d.kept.Names)
	if !d.kept.At.IsZero() {
		at := d.kept.At
		out.Last = &at
	}
	to.DomainsFrom = &out
	if out.Problem != "" {
		to.Problems = append(slices.Clip(to.Problems), problem.Problem{Severity: problem.Warning, Place: d.asked, Message: "domains of the database: " + out.Problem, Hint: out.Hint})
	}
}

package observe

import (
	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/internal/telemetry"
	"github.com/sealmilter/sealmilter/internal/transaction"
)

// Metrics counts. It waits for nothing.
type Metrics struct{ To *telemetry.Metrics }

// Decided implements transaction.Observer.
func (m Metrics) Decided(d *transaction.Decision) {
	m.To.Message(string(d.Direction), string(d.Action()))
	m.results(&d.Results)
	if d.Unsigned.Why != "" {
		m.To.Unsigned(string(d.Unsigned.Why))
	}
	for _, o := range d.Verdict.Observed {
		m.To.Observed(o.Rule, string(o.Action))
	}
}

// Panicked implements transaction.Observer.
func (m Metrics) Panicked(where string) { m.To.Panic(where) }

func (m Metrics) results(r *auth.Results) {
	for method, word := range map[string]string{
		"spf": spfWord(r), "dmarc": dmarcWord(r), "iprev": iprevWord(r),
	} {
		if word != "" {
			m.To.Result(method, word)
		}
	}
	for _, d := range r.DKIM {
		m.To.Result("dkim", string(d.Status))
	}
	if r.DKIMRan && len(r.DKIM) == 0 {
		m.To.Result("dkim", "none")
	}
}

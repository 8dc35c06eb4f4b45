package observe

import (
	"maps"
	"testing"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/dmarc"
	"github.com/sealmilter/sealmilter/auth/iprev"
	"github.com/sealmilter/sealmilter/auth/spf"
	"github.com/sealmilter/sealmilter/internal/telemetry"
	"github.com/sealmilter/sealmilter/internal/transaction"
	"github.com/sealmilter/sealmilter/policy"
)

func TestMetricsOfADecision(t *testing.T) {
	for name, c := range map[string]struct {
		d    transaction.Decision
		want map[string]float64
	}{
		"checked": {
			transaction.Decision{
				Direction: auth.Inbound,
				Results: auth.Results{
					SPF: &spf.Result{Status: spf.Pass}, IPRev: &iprev.Result{Status: iprev.Fail}, DMARC: &dmarc.Result{Status: dmarc.Pass},
					DKIM: []dkim.Result{{Status: dkim.Pass}, {Status: dkim.Fail}, {Status: dkim.Pass}}, DKIMRan: true,
				},
				Verdict: policy.Verdict{Action: policy.Tag, Observed: []policy.Observation{{Rule: "r", Action: policy.Reject}}},
			},
			map[string]float64{
				"messages_total{tag,inbound}": 1, "results_total{spf,pass}": 1, "results_total{iprev,fail}": 1, "results_total{dmarc,pass}": 1,
				"results_total{dkim,pass}": 2, "results_total{dkim,fail}": 1, "observed_total{reject,r}": 1,
			},
		},
		"without a signature": {
			transaction.Decision{Direction: auth.Relayed, Results: auth.Results{DKIMRan: true}, Verdict: policy.Verdict{Action: policy.Reject}},
			map[string]float64{"messages_total{reject,relayed}": 1, "results_total{dkim,none}": 1},
		},
		"not signed": {
			transaction.Decision{Direction: auth.Outbound, Verdict: policy.Verdict{Action: policy.Accept}, Unsigned: transaction.Unsigned{Why: transaction.NoKey}},
			map[string]float64{"messages_total{accept,outbound}": 1, "unsigned_total{no_key}": 1},
		},
		"an error of ours": {
			transaction.Decision{Direction: auth.Outbound, Err: errTest, Unsigned: transaction.Unsigned{Why: transaction.SignError}},
			map[string]float64{"messages_total{tempfail,outbound}": 1, "unsigned_total{error}": 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := telemetry.NewMetrics("")
			Metrics{m}.Decided(&c.d)
			if got := m.Snapshot(); !maps.Equal(got, c.want) {
				t.Errorf("%v\nwant %v", got, c.want)
			}
		})
	}
	m := telemetry.NewMetrics("")
	Metrics{m}.Panicked("session")
	if got := m.Snapshot(); !maps.Equal(got, map[string]float64{"panics_total{session}": 1}) {
		t.Error(got)
	}
}

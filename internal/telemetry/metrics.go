package telemetry

import (
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics counts what the daemon does, in a registry of its own. A nil
// *Metrics counts nothing.
//
// Labels are words of the program and names of the configuration, never text
// of a message: each distinct one stays in memory for good.
type Metrics struct {
	registry *prometheus.Registry

	messages  *prometheus.CounterVec
	results   *prometheus.CounterVec
	unsigned  *prometheus.CounterVec
	observed  *prometheus.CounterVec
	missed    *prometheus.CounterVec
	panics    *prometheus.CounterVec
	dns       *prometheus.HistogramVec
	inFlight  *prometheus.GaugeVec
	questions *prometheus.CounterVec
	reloaded  prometheus.Gauge
	published *prometheus.GaugeVec
	answered  prometheus.Gauge
	names     prometheus.Gauge
}

const namespace = "sealmilter"

// NewMetrics returns metrics that are all zero. Version is the program's, for
// sealmilter_build_info.
func NewMetrics(version string) *Metrics {
	m := &Metrics{
		registry:  prometheus.NewRegistry(),
		messages:  counter("messages_total", "Messages by direction and final action.", "direction", "action"),
		results:   counter("results_total", "Results of the checks, by method and result word.", "method", "result"),
		unsigned:  counter("unsigned_total", "Outbound messages that were not signed, by reason.", "reason"),
		observed:  counter("observed_total", "Matches of rules in observe mode, by rule and the action that was not taken.", "rule", "action"),
		missed:    counter("unobserved_total", "Messages that an observer was not told of, by observer and reason: it did not keep up, or panicked.", "observer", "reason"),
		panics:    counter("panics_total", "Panics that were caught, by place. Each is a bug; the log has its stack.", "where"),
		inFlight:  gauge("dns_in_flight", "DNS questions that are asked at present, or wait for their client's turn.", "state"),
		questions: counter("dns_questions_total", "DNS questions that were asked, and of these the ones that had to wait for their client's turn.", "state"),
		published: gauge("key_published", "1 when the DNS shows the key's record, 0 when it does not.", "domain", "selector"),
		dns: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "dns_seconds", Help: "DNS look-ups by record type and outcome.",
			Buckets: []float64{.001, .003, .01, .03, .1, .3, 1, 3, 10},
		}, []string{"type", "outcome"}),
		reloaded: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Name: "config_last_reload_successful", Help: "1 when the configuration file was good the last time it was read.",
		}),
	}
	m.answered = prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "domains_from_last_success_timestamp_seconds", Help: "When the database of sign.domains_from gave names that were taken; 0 for not since the start.",
	})
	m.names = prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "domains_from_names", Help: "Names of sign.domains_from that are in use.",
	})
	build := gauge("build_info", "Always 1.", "version")
	build.WithLabelValues(label(version)).Set(1)
	m.registry.MustRegister(m.messages, m.results, m.unsigned, m.observed, m.missed, m.panics, m.published, m.dns, m.inFlight, m.questions, m.reloaded, m.answered, m.names, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	// An alert on the first panic needs the zero before it.
	for _, where := range []string{"session", "message", "check"} {
		m.panics.WithLabelValues(where)
	}
	for _, state := range []string{"waiting", "asked"} {
		m.DNSState(state, 0)
		m.questions.WithLabelValues(state)
	}
	return m
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

// maxLabel bounds a label, in bytes; the longest that we have is a domain.
const maxLabel = 253

// label makes s fit for a label: the library panics at bytes that are no UTF-8.
func label(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), maxLabel)], "?")
}

// Message counts a message that is done: inbound, outbound or relayed, and the
// policy's action or "sign".
func (m *Metrics) Message(direction, action string) {
	if m != nil {
		m.messages.WithLabelValues(label(direction), label(action)).Inc()
	}
}

// Result counts what one method found, in the words of RFC 8601 §2.7.
func (m *Metrics) Result(method, result string) {
	if m != nil {
		m.results.WithLabelValues(label(method), label(result)).Inc()
	}
}

// Unsigned counts an outbound message without a signature. Reason is one of a
// few words, such as no_key.
func (m *Metrics) Unsigned(reason string) {
	if m != nil {
		m.unsigned.WithLabelValues(label(reason)).Inc()
	}
}

// Observed counts a match of a rule with observe: true.
func (m *Metrics) Observed(rule, action string) {
	if m != nil {
		m.observed.WithLabelValues(label(rule), label(action)).Inc()
	}
}

// Unobserved counts a message that an observer missed.
func (m *Metrics) Unobserved(observer, reason string) {
	if m != nil {
		m.missed.WithLabelValues(label(observer), label(reason)).Inc()
	}
}

// Panic counts a panic that was caught at a place of the program.
func (m *Metrics) Panic(where string) {
	if m != nil {
		m.panics.WithLabelValues(label(where)).Inc()
	}
}

// DNS takes the time of one look-up; its shape is dnsclient's Observe.
func (m *Metrics) DNS(qtype, outcome string, d time.Duration) {
	if m != nil {
		m.dns.WithLabelValues(label(qtype), label(outcome)).Observe(d.Seconds())
	}
}

// DNSState counts the questions in flight; its shape is dnsclient's State.
func (m *Metrics) DNSState(state string, delta int) {
	if m == nil {
		return
	}
	m.inFlight.WithLabelValues(label(state)).Add(float64(delta))
	if delta > 0 {
		m.questions.WithLabelValues(label(state)).Add(float64(delta))
	}
}

// ConfigLoaded says whether the configuration file was good when it was last read.
func (m *Metrics) ConfigLoaded(ok bool) {
	if m != nil {
		m.reloaded.Set(number(ok))
	}
}

// KeyPublished says whether the DNS shows a key's record.
func (m *Metrics) KeyPublished(domain, selector string, ok bool) {
	if m != nil {
		m.published.WithLabelValues(label(domain), label(selector)).Set(number(ok))
	}
}

// ForgetKey ends the series of a key that is gone.
func (m *Metrics) ForgetKey(domain, selector string) {
	if m != nil {
		m.published.DeleteLabelValues(label(domain), label(selector))
	}
}

// DomainsFrom says how many names the database of sign.domains_from gave, and when.
func (m *Metrics) DomainsFrom(at time.Time, names int) {
	if m != nil {
		m.answered.Set(float64(at.Unix()))
		m.names.Set(float64(names))
	}
}

func number(ok bool) float64 {
	if ok {
		return 1
	}
	return 0
}

// Handler serves GET /metrics in Prometheus's text form, and nothing else.
func (m *Metrics) Handler() http.Handler {
	if m == nil {
		return http.NotFoundHandler()
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	return mux
}

// Server serves Handler to whatever listener it is given, with time-outs such
// that idle or slow clients cannot pile up, and one request a connection. The
// caller shuts it down.
func (m *Metrics) Server() *http.Server {
	s := &http.Server{
		Handler:           m.Handler(),
		ReadHeaderTimeout: 2 * time.Second,
		ReadTimeout:       5 * time.Second,
		WriteTimeout:      15 * time.Second,
		MaxHeaderBytes:    16 << 10,
	}
	s.SetKeepAlivesEnabled(false)
	return s
}

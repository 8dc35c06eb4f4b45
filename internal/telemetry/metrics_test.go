package telemetry

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

func scrape(t *testing.T, h http.Handler, method, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w.Code, w.Body.String()
}

// record uses each method once.
func record(m *Metrics) {
	m.Message("inbound", "accept")
	m.Result("spf", "pass")
	m.Unsigned("no_key")
	m.Observed("try-this", "reject")
	m.Panic("message")
	m.DNS("TXT", "answer", 20*time.Millisecond)
	m.ConfigLoaded(true)
	m.KeyPublished("example.com", "s1", true)
	m.KeyPublished("example.com", "s2", false)
	m.KeyPublished("example.com", "old", true)
	m.ForgetKey("example.com", "old")
}

func TestMetricsHaveTheirNames(t *testing.T) {
	m := NewMetrics("1.2.3")
	record(m)
	code, text := scrape(t, m.Handler(), "GET", "/metrics")
	if code != http.StatusOK {
		t.Fatal(code, text)
	}
	for _, want := range []string{
		`sealmilter_messages_total{action="accept",direction="inbound"} 1`,
		`sealmilter_results_total{method="spf",result="pass"} 1`,
		`sealmilter_unsigned_total{reason="no_key"} 1`,
		`sealmilter_observed_total{action="reject",rule="try-this"} 1`,
		`sealmilter_panics_total{where="message"} 1`,
		`sealmilter_panics_total{where="session"} 0`,
		`sealmilter_dns_seconds_bucket{outcome="answer",type="TXT",le="0.01"} 0`,
		`sealmilter_dns_seconds_bucket{outcome="answer",type="TXT",le="0.03"} 1`,
		`sealmilter_config_last_reload_successful 1`,
		`sealmilter_key_published{domain="example.com",selector="s1"} 1`,
		`sealmilter_key_published{domain="example.com",selector="s2"} 0`,
		`sealmilter_build_info{version="1.2.3"} 1`,
		`go_goroutines `,
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("no line %s", want)
		}
	}
	if strings.Contains(text, `selector="old"`) {
		t.Error("a forgotten key is still there")
	}
}

func TestMetricsServeNothingElse(t *testing.T) {
	h := NewMetrics("").Handler()
	for path, want := range map[string]int{"/": 404, "/metrics/x": 404, "/debug/pprof/": 404} {
		if code, _ := scrape(t, h, "GET", path); code != want {
			t.Errorf("%s: %d, want %d", path, code, want)
		}
	}
	if code, _ := scrape(t, h, "POST", "/metrics"); code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", code)
	}
}

func TestNilMetricsDoNothing(t *testing.T) {
	var m *Metrics
	record(m)
	if code, _ := scrape(t, m.Server().Handler, "GET", "/metrics"); code != http.StatusNotFound {
		t.Errorf("nil metrics answered %d", code)
	}
}

func TestAnyLabelIsTaken(t *testing.T) {
	m := NewMetrics("\xff")
	for _, s := range []string{"", "\xff\xfe", strings.Repeat("é", 1000), "a\n\"b\"", "\x00"} {
		m.Message(s, s)
		m.Result(s, s)
		m.Unsigned(s)
		m.Observed(s, s)
		m.Panic(s)
		m.DNS(s, s, -time.Second)
		m.KeyPublished(s, s, true)
	}
	code, text := scrape(t, m.Handler(), "GET", "/metrics")
	if code != http.StatusOK || len(text) > 100<<10 {
		t.Errorf("%d, %d bytes", code, len(text))
	}
}

func TestMetricsAreSafeForConcurrentUse(t *testing.T) {
	m := NewMetrics("")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				record(m)
			}
		})
	}
	wg.Wait()
	if _, text := scrape(t, m.Handler(), "GET", "/metrics"); !strings.Contains(text, `sealmilter_unsigned_total{reason="no_key"} 800`) {
		t.Error("counts were lost")
	}
}

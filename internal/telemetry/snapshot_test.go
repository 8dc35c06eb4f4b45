package telemetry

import (
	"maps"
	"testing"
	"time"
)

func TestSnapshot(t *testing.T) {
	m := NewMetrics("1.0")
	m.Message("inbound", "accept")
	m.Message("inbound", "accept")
	m.Unsigned("no_key")
	m.ConfigLoaded(true)
	m.DNS("TXT", "ok", time.Millisecond)
	want := map[string]float64{
		"messages_total{accept,inbound}": 2, "unsigned_total{no_key}": 1, "config_last_reload_successful{}": 1, "dns_seconds{ok,TXT}": 1,
	}
	if got := m.Snapshot(); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := (*Metrics)(nil).Snapshot(); len(got) != 0 {
		t.Errorf("nil: %v", got)
	}
}

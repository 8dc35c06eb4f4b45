package inspect

import (
	"net/netip"
	"testing"

	"github.com/sealmilter/sealmilter/internal/config"
)

// TestDoctorViaSES: what this host's own addresses are does not matter.
func TestDoctorViaSES(t *testing.T) {
	cfg := config.Default()
	cfg.Sign.Via = "ses"
	if got := (&Examination{}).addresses(cfg); len(got) != 0 {
		t.Errorf("%v", got)
	}
	if got := (&Examination{Egress: []netip.Addr{netip.MustParseAddr("192.0.2.25")}}).addresses(cfg); len(got) != 1 {
		t.Errorf("%v", got)
	}
}

package inspect

import (
	"net/netip"
	"testing"

	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/doctor"
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

// TestUnlistedDomain: what to paste is a command, since the file has a sign: already.
func TestUnlistedDomain(t *testing.T) {
	for mta, want := range map[string]string{"postfix": "sealmilter setup postfix --domain example.org", "sendmail": "sealmilter setup sendmail --domain example.org"} {
		_, cfg := house(t)
		cfg.MTA = mta
		f := loadKeys(cfg, &doctor.Domain{Name: "example.org", SDID: "example.org"})
		if len(f) == 0 || f[0].Level != doctor.Fail || f[0].Paste.String() != want {
			t.Errorf("%s: %+v", mta, f)
		}
	}
}

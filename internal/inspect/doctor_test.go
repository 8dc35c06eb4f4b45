package inspect

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/doctor"
	"github.com/sealmilter/sealmilter/internal/doctor/words"
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

// TestKeyProblemsInKorean: what the safe says in English is known to doctor.
func TestKeyProblemsInKorean(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"no folder":     func(path string) error { return os.RemoveAll(filepath.Dir(filepath.Dir(path))) },
		"no key":        func(path string) error { return os.RemoveAll(filepath.Dir(path)) },
		"cut":           func(path string) error { return os.Truncate(path, 100) },
		"empty":         func(path string) error { return os.Truncate(path, 0) },
		"others' too":   func(path string) error { return os.Chmod(path, 0o644) },
		"a folder":      func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
		"folder of all": func(path string) error { return os.Chmod(filepath.Dir(path), 0o777) },
	} {
		t.Run(name, func(t *testing.T) {
			_, cfg := house(t)
			if err := spoil(filepath.Join(cfg.Sign.Keys, "example.com", "s1.pem")); err != nil {
				t.Fatal(err)
			}
			bad := 0
			for _, f := range loadKeys(cfg, &doctor.Domain{Name: "example.com", SDID: "example.com"}) {
				if f.Level == doctor.Pass {
					continue
				}
				bad++
				if message := f.In(words.Korean).Message; !strings.ContainsFunc(message, func(r rune) bool { return unicode.Is(unicode.Hangul, r) }) {
					t.Errorf("%s", message)
				}
			}
			if bad == 0 {
				t.Error("no finding")
			}
		})
	}
}

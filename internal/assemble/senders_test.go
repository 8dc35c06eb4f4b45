package assemble

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/signing"
)

type anyDirectory struct{}

func (anyDirectory) Addresses(context.Context, string) (*signing.Addresses, error) { return nil, nil }

// TestSendersLand: each rule of the file is asked, and nobody is where there is none.
func TestSendersLand(t *testing.T) {
	set := Setup(ruled(t), Parts{Directory: anyDirectory{}})
	if set.Senders == nil || set.Senders.OnMismatch != signing.Log || set.Senders.Directory != (anyDirectory{}) {
		t.Fatalf("%+v", set.Senders)
	}
	kim, client, local := signing.Principal{User: "kim@example.com"}, signing.Principal{Client: netip.MustParseAddr("192.168.5.1")}, signing.Principal{Local: true}
	for _, c := range []struct {
		who     signing.Principal
		address string
		ok      bool
	}{
		{kim, "kim@example.com", true}, {kim, "info@example.com", true}, {kim, "lee@example.com", false}, {kim, "any@example.org", true}, {kim, "any@example.net", false},
		{client, "any@example.net", true}, {client, "any@example.com", false}, {local, "any@a.example.net", true}, {local, "any@example.net", false},
	} {
		name, domain, _ := strings.Cut(c.address, "@")
		if _, ok := set.Senders.Rules.Denied(c.who, nil, []auth.Address{{Local: name, Domain: domain}}); ok != c.ok {
			t.Errorf("%+v as %s: %v", c.who, c.address, ok)
		}
	}
	if set := Setup(config.Default(), Parts{}); set.Senders != nil {
		t.Errorf("by default: %+v", set.Senders)
	}
	// Not asked is not forbidden.
	set = Setup(ruled(t), Parts{})
	if more, err := set.Senders.Directory.Addresses(t.Context(), "kim@example.com"); err == nil {
		t.Errorf("a database that nobody asks says %v", more)
	}
}

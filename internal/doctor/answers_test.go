package doctor

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/keys"
)

// TestNoDNSIsOneFinding: a resolver that answers nothing is one failure, which names it,
// and not a warning for each question; one that answers something is none.
func TestNoDNSIsOneFinding(t *testing.T) {
	made, err := keys.Generate(t.TempDir(), "example.com", keys.GenerateOptions{Selector: "s1"})
	if err != nil {
		t.Fatal(err)
	}
	d := Domain{Name: "example.com", SDID: "example.com", Keys: made, Helo: "mail.example.com", Servers: "192.0.2.53:53",
		Egress: []netip.Addr{netip.MustParseAddr("192.0.2.25")}, Foreign: []string{"news"}}
	var silent string
	for _, name := range []string{"example.com", "_dmarc.example.com", "mail.example.com", "s1._domainkey.example.com", "s1e._domainkey.example.com", "news._domainkey.example.com"} {
		for _, typ := range []string{"TXT", "A", "AAAA", "MX"} {
			silent += name + " " + typ + " !timeout\n"
		}
	}
	silent += "192.0.2.25 PTR !timeout\n_dmarc.com TXT !timeout\n"
	all := DNS(t.Context(), resolve.MustZone(silent), d)
	if len(all) != 1 || all[0].Level != Fail || all[0].Check != "dns" || all[0].Subject != "192.0.2.53:53" || !strings.Contains(all[0].Want.String(), "/etc/resolv.conf") {
		t.Errorf("%+v", all)
	}
	// What needs no DNS to be wrong is still said.
	d.Helo = "vm"
	if all := DNS(t.Context(), resolve.MustZone(silent), d); len(all) != 2 || all[0].Check != "dns" || all[1].Check != "helo" {
		t.Errorf("%+v", all)
	}
	some := strings.Replace(silent, "s1._domainkey.example.com TXT !timeout\n", "", 1)
	for _, f := range DNS(t.Context(), resolve.MustZone(some), d) {
		if f.Check == "dns" {
			t.Errorf("one question was answered: %+v", f)
		}
	}
}

// TestMailThroughARelay: this host's own addresses and its HELO name are not what the
// world sees; the record has to include the relay's operator, whom nobody here knows.
func TestMailThroughARelay(t *testing.T) {
	for record, want := range map[string]struct {
		level Level
		text  string
	}{
		"":                                  {Fail, "there is no SPF record"},
		"v=spf1 mx ~all":                    {Warn, "includes nobody's"},
		"v=spf1 include:relay.example ~all": {Pass, "includes others"},
		"v=spf1 redirect=relay.example":     {Pass, "includes others"},
	} {
		zone := "example.com MX 10 mail.example.com\nmail.example.com A 192.0.2.25\n_dmarc.example.com TXT \"v=DMARC1; p=none; rua=mailto:d@example.com\"\n"
		if record != "" {
			zone += "example.com TXT \"" + record + "\"\n"
		}
		d := Domain{Name: "example.com", SDID: "example.com", Helo: "vm", Relay: "smtp.relay.example", Egress: []netip.Addr{netip.MustParseAddr("192.0.2.25")}}
		found := false
		for _, f := range DNS(t.Context(), resolve.MustZone(zone), d) {
			switch f.Check {
			case "spf":
				found = true
				if f.Level != want.level || !strings.Contains(f.Message.String(), want.text) || strings.ContainsAny(f.Paste.String()+f.Want.String(), "<>") {
					t.Errorf("%q: %+v", record, f)
				}
			case "helo", "ptr":
				t.Errorf("%q: %+v", record, f)
			}
		}
		if !found {
			t.Errorf("%q: nothing about SPF", record)
		}
	}
}

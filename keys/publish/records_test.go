package publish

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/keys"
)

// TestRecordEd25519 is RFC 8463 appendix A.2.
func TestRecordEd25519(t *testing.T) {
	got := Record(fixedKeys(t)[0])
	if want := "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestRecordsOrder(t *testing.T) {
	records := Publication{Domain: "example.com", Keys: fixedKeys(t)}.Records() // Ed25519 first
	var got []string
	for _, r := range records {
		got = append(got, string(r.Need)+" "+r.Name)
		if i := strings.IndexFunc(r.Name+r.Value+r.Why, func(c rune) bool { return c < ' ' || c > '~' }); i >= 0 {
			t.Errorf("not ASCII: %+v", r)
		}
	}
	want := "required s20261121._domainkey.example.com, optional s20261121e._domainkey.example.com, advice example.com, advice _dmarc.example.com"
	if strings.Join(got, ", ") != want {
		t.Errorf("got %s", strings.Join(got, ", "))
	}
}

func TestSPF(t *testing.T) {
	for _, tc := range []struct {
		name        string
		egress      []netip.Addr
		want        string
		placeholder bool
	}{
		{"unknown", nil, "v=spf1 mx ~all", true},
		{"v4 and v6", addrs("192.0.2.1", "2001:db8::1"), "v=spf1 mx ip4:192.0.2.1 ip6:2001:db8::1 ~all", false},
		{"v4-mapped, twice", addrs("::ffff:192.0.2.1", "192.0.2.1"), "v=spf1 mx ip4:192.0.2.1 ~all", false},
		{"invisible ones only", addrs("192.168.5.2", "10.0.0.1", "100.64.1.1", "127.0.0.1", "fe80::1%eth0", "fd00::1", "0.0.0.0"), "v=spf1 mx ~all", true},
		{"one visible", addrs("192.168.5.2", "203.0.113.9"), "v=spf1 mx ip4:203.0.113.9 ~all", false},
		{"invalid", []netip.Addr{{}}, "v=spf1 mx ~all", true},
	} {
		got := Publication{Domain: "example.com", Egress: tc.egress}.spf()
		if got.Value != tc.want || got.Placeholder != tc.placeholder || strings.Contains(got.Why, "behind NAT") != tc.placeholder {
			t.Errorf("%s: %+v", tc.name, got)
		}
	}
}

func TestSPFViaSES(t *testing.T) {
	for want, egress := range map[string][]netip.Addr{
		"v=spf1 include:amazonses.com ~all":                  addrs("10.0.0.1"),
		"v=spf1 mx ip4:192.0.2.1 include:amazonses.com ~all": addrs("192.0.2.1"),
	} {
		got := Publication{Domain: "example.com", Egress: egress, ViaSES: true}.spf()
		if got.Value != want || got.Placeholder || !strings.Contains(got.Why, "MAIL FROM domain needs") {
			t.Errorf("%+v, want %s", got, want)
		}
	}
}

// TestSPFThroughARelay: the world sees the relay's addresses; no value holds what is
// to be filled in, since it is pasted as it stands.
func TestSPFThroughARelay(t *testing.T) {
	for _, egress := range [][]netip.Addr{nil, addrs("192.0.2.1")} {
		got := Publication{Domain: "example.com", Egress: egress, Relay: "smtp.relay.example"}.spf()
		if got.Value != "v=spf1 mx ~all" || !got.Placeholder || !strings.Contains(got.Why, "leaves through smtp.relay.example: put the include: term") || strings.Contains(got.Why, "behind NAT") {
			t.Errorf("%+v", got)
		}
	}
	for _, p := range []Publication{{Domain: "a.example"}, {Domain: "a.example", Relay: "r.example"}, {Domain: "a.example", ViaSES: true}} {
		for _, r := range p.Records() {
			if strings.ContainsAny(r.Value, "<>") {
				t.Errorf("%+v", r)
			}
		}
	}
}

func TestRecordOfNothing(t *testing.T) {
	if got := Record(&keys.Key{}); got != "" {
		t.Errorf("the zero Key has the record %q", got)
	}
}

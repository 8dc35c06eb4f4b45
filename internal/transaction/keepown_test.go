package transaction

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/sealmilter/sealmilter/auth/header"
)

// TestWhatStaysOfMailHandedBack: a program of this host has our results where we
// put them, above the field of the hop that brought the message in; of another
// host's mail nothing stays that speaks for the message.
func TestWhatStaysOfMailHandedBack(t *testing.T) {
	set := newSetup(t)
	set.Rules.Networks = []netip.Prefix{netip.MustParsePrefix("192.168.5.0/24")}
	results := func(text string) header.Field {
		return header.Field{Name: "Authentication-Results", Value: " mail.good.example; " + text}
	}
	fail, label := results("dmarc=fail header.from=good.example"), header.Field{Name: "X-Quarantine", Value: " dmarc"}
	hop := header.Field{Name: "Received", Value: " from x (unknown [203.0.113.66]) by mail.good.example with ESMTP"}
	hiding := header.Field{Name: "Received", Value: hop.Value + "\rAuthentication-Results:" + fail.Value}
	for _, c := range []struct {
		name   string
		client string
		fields header.Fields
		gone   []string
	}{
		{"above the hop and below it", "127.0.0.1", header.Fields{fail, label, hop, fail, label}, []string{"Authentication-Results 2", "X-Quarantine 2"}},
		{"hidden in the field of the hop", "127.0.0.1", header.Fields{fail, hiding}, []string{"Received 1"}},
		{"no hop", "127.0.0.1", header.Fields{fail, label}, nil},
		{"another host, against the message", "192.168.5.9", header.Fields{fail, label, hop, fail, label}, nil},
		{"another host, for it", "192.168.5.9", header.Fields{fail, results("dmarc=pass header.from=good.example")}, []string{"Authentication-Results 2"}},
		{"another host, not about it", "192.168.5.9", header.Fields{fail, results("spf=fail"), results("dmarc=fail header.from=x.example")},
			[]string{"Authentication-Results 2", "Authentication-Results 3"}},
		{"another host, hidden", "192.168.5.9", header.Fields{fail, hiding}, []string{"Received 1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := Begin(t.Context(), set, Offer{Hints: Hints{Client: Client{Family: '4', IP: netip.MustParseAddr(c.client), Port: 25000}}})
			defer m.Close()
			for _, f := range append(slices.Clone(c.fields), header.Field{Name: "From", Value: " ceo@good.example"}) {
				m.Field(f.Name, f.Value, true)
			}
			d := m.Finish("")
			var gone []string
			for _, e := range d.Edits {
				gone = append(gone, e.Name+" "+string(rune('0'+e.Index)))
			}
			slices.Sort(gone)
			if d.Unsigned.Why != Reinjection || !slices.Equal(gone, c.gone) {
				t.Errorf("%q is gone, want %q; %+v", gone, c.gone, d.Unsigned)
			}
		})
	}
}

package transaction

import (
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/policy"
)

// unpublished has keys for messages that only show whether signing works.
type unpublished struct{ KeyStore }

func (unpublished) Pick(d string) ([]*keys.Key, string, error) {
	return nil, d, &keys.PickError{Domain: d, Err: keys.ErrUnpublished, Hint: "publish it"}
}

func (u unpublished) PickTrial(d string) ([]*keys.Key, string, error) { return u.KeyStore.Pick(d) }

// TestUnpublished: without a key that the DNS shows mail goes out unsigned, and the
// admin hears why; set-up's own messages are signed.
func TestUnpublished(t *testing.T) {
	for field, signed := range map[string]bool{"": false, "X-Other": false, "X-Trial": true, "x-trial": true} {
		set := newSetup(t)
		set.Keys, set.TrialField = unpublished{set.Keys}, "X-Trial"
		m := Begin(t.Context(), set, Offer{Hints: ours})
		m.Field("From", " a@good.example", true)
		if field != "" {
			m.Field(field, " x", true)
		}
		d := m.Finish("")
		m.Close()
		u := d.Unsigned
		if (len(d.Signed) > 0) != signed || d.Err != nil || d.Action() != policy.Accept {
			t.Errorf("%q: signed %v, %v", field, d.Signed, d.Err)
		}
		if !signed && (u.Why != Unpublished || !u.Warn || !strings.Contains(u.Text, "good.example: no key is published; hint: publish it")) {
			t.Errorf("%q: %+v", field, u)
		}
	}
}

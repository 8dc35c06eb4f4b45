package publish

import "testing"

func TestRevoked(t *testing.T) {
	var got []string
	for _, k := range fixedKeys(t) {
		got = append(got, Revoked(k))
		if Shows(k, []string{Revoked(k)}) {
			t.Errorf("%s: a revoked record passes for the key", k)
		}
	}
	if len(got) != 2 || got[0] != "v=DKIM1; k=ed25519; p=" || got[1] != "v=DKIM1; k=rsa; p=" {
		t.Errorf("%q", got)
	}
}

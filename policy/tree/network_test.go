package tree

import "testing"

func TestParsePrefix(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1": "192.0.2.1/32", "::ffff:192.0.2.1": "192.0.2.1/32", "10.0.0.0/8": "10.0.0.0/8", "2001:db8::/32": "2001:db8::/32",
		"::ffff:10.0.0.0/104": "10.0.0.0/8", "::ffff:0.0.0.0/96": "0.0.0.0/0", "::/0": "::/0",
		"fe80::1%eth0": "", "10.0.0.1/8": "", "192.0.2.0/33": "", "x": "", "": "",
	} {
		got, err := ParsePrefix(in)
		if want == "" && err == nil || want != "" && (err != nil || got.String() != want) {
			t.Errorf("%q: %s, %v", in, got, err)
		}
	}
}

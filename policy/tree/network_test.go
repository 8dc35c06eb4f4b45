package tree

import (
	"net/netip"
	"strings"
	"testing"
)

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

// TestNetworkHint: what others write, and ours. Each network of a hint that says
// "write" is one.
func TestNetworkHint(t *testing.T) {
	for in, want := range map[string]string{
		"192.168.5.*": "write 192.168.5.0/24", "10.*": "write 10.0.0.0/8", "10.1.*.*": "write 10.1.0.0/16",
		"192.168.5": "write 192.168.5.0/24", "192.168.5.": "write 192.168.5.0/24", "10/8": "write 10.0.0.0/8", "10.1/16": "write 10.1.0.0/16",
		"192.168.5.0/255.255.255.0": "write 192.168.5.0/24", "192.168.5.7/255.255.255.0": "write 192.168.5.0/24", "192.168.5.7/255.255.255.255": "write 192.168.5.7/32",
		"192.168.5.0/0.0.0.255": "write 192.168.5.0/24", "192.168.5.0/255.0.255.0": "this mask is no network: its ones must stand before its zeros",
		"192.168.5.0/0.0.0.0":     "write a number from 0 to 32 behind the /, without sign and leading zeros",
		"192.168.5.1-192.168.5.9": "write 192.168.5.1, 192.168.5.2/31, 192.168.5.4/30, 192.168.5.8/31", "192.168.5.1 - 9": "write 192.168.5.1, 192.168.5.2/31, 192.168.5.4/30, 192.168.5.8/31",
		"192.168.4.0-192.168.5.255": "write 192.168.4.0/23", "192.168.5.7-192.168.5.7": "write 192.168.5.7", "0.0.0.0-255.255.255.255": "write 0.0.0.0/0",
		"192.168.5.9-192.168.5.1": "a range begins with its lowest address; write networks, such as 192.0.2.0/24",
		"0.0.0.1-255.255.255.254": "a range is written as networks, and this one is 62 of them; is a network such as 0.0.0.0/24 meant?",
		"192.168.5.0/33":          "the number behind / is at most 32 here; 192.168.5.0 alone is the one address",
		"2001:db8::/129":          "the number behind / is at most 128 here; 2001:db8:: alone is the one address",
		"192.168.5.0/024":         "write a number from 0 to 32 behind the /, without sign and leading zeros",
		"192.168.005.0/24":        "write 192.168.5.0/24", "192.168.5.0 /24": "write 192.168.5.0/24", "[::1]/128": "write \"::1/128\"", "[2001:db8::1]": "write 2001:db8::1/128",
		"!192.168.5.0/24": "nothing is taken out of a network; list the networks that are meant",
		"localhost":       "write 127.0.0.0/8 for IPv4 and \"::1\" for IPv6", "mail.example.com": "names are not looked up; write the address",
		"7": "write 192.0.2.0/24 or 192.0.2.1", "": "write 192.0.2.0/24 or 192.0.2.1", "256.1.*": "write 192.0.2.0/24 or 192.0.2.1", strings.Repeat("1.", 500): "write 192.0.2.0/24 or 192.0.2.1",
	} {
		_, err := ParsePrefix(in)
		if err == nil {
			t.Errorf("%q is a network", in)
			continue
		}
		_, hint, _ := strings.Cut(err.Error(), "\n")
		if hint != want {
			t.Errorf("%q: %q, want %q", in, hint, want)
		}
		if list, ok := strings.CutPrefix(hint, "write "); ok && list[0] >= '0' && list[0] <= '9' {
			for _, n := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' }) {
				if _, err := ParsePrefix(n); err != nil && n[0] >= '0' && n[0] <= '9' {
					t.Errorf("%q: the hint %q is none: %v", in, n, err)
				}
			}
		}
	}
}

func TestNoMask(t *testing.T) {
	for in, want := range map[string]string{
		"192.168.5.0": "192.168.5.0/24", "172.16.0.0": "172.16.0.0/16", "10.0.0.0": "10.0.0.0/8",
		"2001:db8::": "2001:db8::/32", "2001:db8:1::": "2001:db8:1::/48", "2001:db8:1:2::": "2001:db8:1:2::/64",
		"192.168.5.0/32": "192.168.5.0/24", "192.168.5.1": "", "192.168.5.0/24": "", "::1": "", "0.0.0.0": "", "::": "", "2001:db8::1": "",
	} {
		p, err := ParsePrefix(in)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if meant, ok := NoMask(p); ok {
			got = meant.String()
		}
		if got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if _, ok := NoMask(netip.Prefix{}); ok {
		t.Error("no network")
	}
}

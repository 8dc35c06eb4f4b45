package address

import (
	"net/netip"
	"testing"
)

func TestPublic(t *testing.T) {
	for in, want := range map[string]bool{
		"192.0.2.1": true, "2001:db8::1": true, "::ffff:192.0.2.1": true,
		"100.63.255.255": true, "100.64.0.0": false, "100.127.255.255": false, "100.128.0.0": true, "::ffff:100.64.1.1": false,
		"10.0.0.1": false, "172.16.0.1": false, "192.168.5.2": false, "fd00::1": false, "::ffff:10.0.0.1": false,
		"127.0.0.1": false, "::1": false, "169.254.1.1": false, "fe80::1%eth0": false, "0.0.0.0": false, "::": false,
		"224.0.0.1": false, "ff02::1": false, "255.255.255.255": false,
	} {
		if got := Public(netip.MustParseAddr(in)); got != want {
			t.Errorf("%s: %v", in, got)
		}
	}
	if Public(netip.Addr{}) {
		t.Error("no address is public")
	}
}

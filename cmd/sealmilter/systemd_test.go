package main

import (
	"testing"

	"github.com/sealmilter/sealmilter/auth"
)

func TestNamesOfInheritedSockets(t *testing.T) {
	for name, want := range map[string]auth.Direction{
		"outbound": auth.Outbound, "inbound": auth.Inbound, "sealmilter.socket": "", "relayed": "", "": "",
	} {
		if got := namedDirection(name); got != want {
			t.Errorf("%q: direction %q, want %q", name, got, want)
		}
	}
}

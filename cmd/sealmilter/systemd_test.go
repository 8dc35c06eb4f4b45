package main

import (
	"net"
	"path/filepath"
	"testing"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/milter"
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

func TestSystemdsSocketIsTheConfiguredOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	inherited := milter.Listener{Listener: l}
	if !opened(inherited, "unix", path) {
		t.Error("the same socket is not recognised")
	}
	if opened(inherited, "unix", path+"2") || opened(inherited, "tcp", path) {
		t.Error("another socket is taken for it")
	}
}

package service

import (
	"net"
	"path/filepath"
	"testing"

	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/milter"
)

func TestRoom(t *testing.T) {
	for _, c := range []struct {
		name        string
		descriptors uint64
		connections int
		want        int
	}{
		{"the unit's", 65536, 1000, 1000},
		{"unlimited", 1<<64 - 1, 100000, 100000},
		{"just enough", 1000 + 2048 + 128, 1000, 1000},
		{"one too few", 1000 + 2048 + 127, 1000, 1000}, // half of it is enough
		{"an old default", 1024, 1000, 448},
		{"hardly any", 64, 1000, 1},
	} {
		if got := room(c.descriptors, c.connections, 2048); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
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
	if !opened(inherited, config.Address{Network: "unix", Addr: path}) {
		t.Error("the same socket is not recognised")
	}
	if opened(inherited, config.Address{Network: "unix", Addr: path + "2"}) || opened(inherited, config.Address{Network: "tcp", Addr: path}) {
		t.Error("another socket is taken for it")
	}
}

package main

import "testing"

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

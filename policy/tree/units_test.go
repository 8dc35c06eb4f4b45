package tree

import (
	"strings"
	"testing"
	"time"
)

func TestParseSize(t *testing.T) {
	for in, want := range map[string]int64{
		"0": 0, "512": 512, "1KiB": 1024, "64 KiB": 64 << 10, "10MiB": 10 << 20, "1GiB": 1 << 30,
		"9223372036854775807": 1<<63 - 1, "8589934591GiB": 8589934591 << 30,
		"": -1, "KiB": -1, "+1": -1, "-1": -1, "1kb": -1, "1.5MiB": -1, "8589934592GiB": -1, "9223372036854775808": -1,
	} {
		got, err := ParseSize(in)
		if want < 0 && err == nil || want >= 0 && (err != nil || got != want) {
			t.Errorf("%q: %d, %v", in, got, err)
		}
	}
}

func TestParseDuration(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"500ms": 500 * time.Millisecond, "2h": 2 * time.Hour, "7d": 7 * 24 * time.Hour, "0s": 0, "65535d": 65535 * 24 * time.Hour,
	} {
		if got, err := ParseDuration(in); err != nil || got != want {
			t.Errorf("%q: %s, %v", in, got, err)
		}
	}
	for in, hint := range map[string]string{"3": "write 3s for seconds", "65536d": "500ms", "-1d": "500ms", "d": "500ms", "soon": "500ms"} {
		_, err := ParseDuration(in)
		if err == nil {
			t.Errorf("%q is a duration", in)
			continue
		}
		if _, h, _ := strings.Cut(err.Error(), "\n"); !strings.Contains(h, hint) {
			t.Errorf("%q: hint %q", in, h)
		}
	}
}

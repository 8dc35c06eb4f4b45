package assemble

import (
	"slices"
	"testing"

	"github.com/sealmilter/sealmilter/internal/config"
)

func TestViaSESLeavesOutWhatSESRewrites(t *testing.T) {
	cfg := config.Default()
	if h := signedHeaders(cfg); !slices.Contains(h, "Date") || !slices.Contains(h, "Message-ID") {
		t.Fatalf("by default: %v", h)
	}
	cfg.Sign.Via = "ses"
	if h := signedHeaders(cfg); slices.Contains(h, "Date") || slices.Contains(h, "Message-ID") || len(h) != len(cfg.Sign.Headers)-2 {
		t.Errorf("via ses: %v", h)
	}
}

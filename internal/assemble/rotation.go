package assemble

import (
	"slices"

	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/rotate"
)

// Rotation is how the keys of a domain follow each other.
func Rotation(cfg *config.Config, domain string) rotate.Settings {
	r := cfg.Sign.Rotate
	listed := slices.ContainsFunc(cfg.Sign.Domains, func(d config.SignDomain) bool { return d.Name == domain && len(d.Selectors) > 0 })
	set := rotate.Settings{Every: r.Every, Overlap: r.Overlap, Delay: r.Delay, Turns: r.Turns, Publishes: r.Publish != "none", Listed: listed}
	if cfg.Sign.Role == "follower" {
		set.Every = 0
	}
	return set
}

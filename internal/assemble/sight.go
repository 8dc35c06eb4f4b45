package assemble

import (
	"context"
	"slices"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/authoritative"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/dnsclient"
	"github.com/sealmilter/sealmilter/internal/rotate"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/keys/publish"
)

// Sight sees what the DNS has of keys, past all caches.
type Sight struct {
	checker authoritative.Checker
	now     *dnsclient.Client
}

// sightResolver finds name servers with what the daemon knows of them, and asks anew
// for records.
type sightResolver struct {
	*dnsclient.Client
	now *dnsclient.Client
}

func (r sightResolver) LookupTXT(ctx context.Context, name string) (resolve.Answer[string], error) {
	return r.now.LookupTXT(ctx, name)
}

// NewSight asks the name servers of each domain, or those of sign.published_via; where none of
// them can be reached, the servers of r. Close ends it.
func NewSight(cfg *config.Config, r *dnsclient.Client) (*Sight, error) {
	made := resolverConfig(cfg.DNS)
	made.Forgets = true
	now, err := dnsclient.New(made)
	if err != nil {
		return nil, err
	}
	return &Sight{authoritative.Checker{Resolver: sightResolver{r, now}, Via: cfg.Sign.PublishedVia}, now}, nil
}

// Close ends what is asked.
func (s *Sight) Close() { s.now.Close() }

// Look asks for the record of one key; ctx needs a deadline. silent are the servers for
// whose answer alone it is not known to be shown.
func (s *Sight) Look(ctx context.Context, k *keys.Key) (a rotate.Answer, silent []string) {
	if ctx.Err() != nil {
		return rotate.Unknown, nil
	}
	shows := func(records []string) bool { return publish.Shows(k, records) }
	r := s.checker.TXT(ctx, k.Name())
	switch r.Verdict(shows) {
	case authoritative.Shown:
		return rotate.Shown, nil
	case authoritative.Missing:
		return rotate.Absent, nil
	}
	if slices.ContainsFunc(r.Answers, func(a authoritative.Answer) bool { return a.Err == nil && shows(a.Records) }) {
		for _, a := range r.Silent() {
			silent = append(silent, a.String())
		}
	}
	return rotate.Unknown, silent
}

package service

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/sealmilter/sealmilter/internal/asuser"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/keys"
)

// newKeysAtOnce bounds the domains that get keys in one go: an RSA key takes a
// third of a second of a core, and mail needs that core too.
const newKeysAtOnce = 100

// newKeysPart makes keys for the names of a database that have none, of many a
// part each refresh: their mail is signed as soon as somebody has published the records.
// What a follower signs with is made elsewhere.
func (s *service) newKeysPart() *Part {
	newest := make(latest, 1)
	return &Part{
		Name:   "keys for new domains",
		Reload: newest.tell,
		Run: func(ctx context.Context) error {
			var r *running
			var pause <-chan time.Time // no go before it ends
			for {
				select {
				case <-ctx.Done():
					return nil
				case r = <-newest:
				case <-pause:
					pause = nil
				}
				if r == nil || pause != nil {
					continue
				}
				list := lackKeys(r)
				if len(list) == 0 {
					continue
				}
				made := s.makeKeys(ctx, r.cfg, list[:min(len(list), newKeysAtOnce)])
				if made < len(list) {
					pause = s.After(r.cfg.Sign.DomainsFrom.Refresh)
				}
				if made == 0 {
					continue
				}
				select {
				case s.state.rekeys <- struct{}{}:
				case <-ctx.Done():
				}
			}
		},
	}
}

// lackKeys are the names of the database for which keys are ours to make.
func lackKeys(r *running) (list []string) {
	if r.cfg.Sign.Role != "master" {
		return nil
	}
	for _, name := range r.listed {
		if _, sdid, err := r.store.Pick(name); sdid == name && errors.Is(err, keys.ErrNoKey) && len(r.store.Keys(name)) == 0 {
			list = append(list, name)
		}
	}
	return list
}

// makeKeys makes the keys of some domains, one after the other, and counts those
// that have keys now.
func (s *service) makeKeys(ctx context.Context, cfg *config.Config, list []string) (made int) {
	dir := cfg.Sign.Keys
	// A folder that is not there may be a file system that is not mounted.
	if err := asuser.In(dir, func() error { _, err := os.Stat(dir); return err }); err != nil {
		s.log.Error("no keys can be made for the domains of the database", "domains", len(list), "err", err, "hint", "sealmilter keys new "+list[0]+" makes the key folder; or mount it")
		return 0
	}
	for i, name := range list {
		if ctx.Err() != nil {
			return made
		}
		var pair []*keys.Key
		err := asuser.In(dir, func() (err error) {
			pair, err = keys.Generate(dir, name, keys.GenerateOptions{Now: s.Now, Waits: true})
			return err
		})
		switch {
		case errors.Is(err, keys.ErrExists): // somebody was faster
		case err != nil:
			// What stops one, a full disk or a folder that is not ours, stops the others.
			s.log.Error("no keys can be made for a domain of the database: its mail goes out unsigned", "domain", name, "and", len(list)-i-1, "err", err, "hint", "sealmilter keys new "+name)
			return made
		default:
			s.log.Info("made keys for a domain of the database: publish what `sealmilter dns "+name+"` prints", "domain", name, "selectors", selectors(pair))
		}
		made++
	}
	return made
}

func selectors(pair []*keys.Key) []string {
	out := make([]string, 0, len(pair))
	for _, k := range pair {
		out = append(out, k.Selector)
	}
	return slices.Clip(out)
}

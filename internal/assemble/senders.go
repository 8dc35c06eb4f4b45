package assemble

import (
	"context"
	"errors"
	"strings"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/signing"
	"github.com/sealmilter/sealmilter/internal/transaction"
)

// senders is who may sign as whom; nil: whoever sends may, as everybody.
func senders(cfg config.Senders, d transaction.Directory) *transaction.Senders {
	if !cfg.Asked() {
		return nil
	}
	s := &transaction.Senders{OnMismatch: signing.Action(cfg.OnMismatch)}
	rules := make([]signing.Rule, len(cfg.Rules))
	for i, r := range cfg.Rules {
		rules[i] = signing.Rule{User: r.User, Client: r.Client, Local: r.Local, From: r.From}
	}
	s.Rules = signing.Compile(rules)
	if cfg.Query.Asked() {
		if s.Directory = d; d == nil {
			s.Directory = noDirectory{}
		}
	}
	return s
}

// LocalMay reports whether a program of this host gets its mail signed as that
// address, as far as cfg's senders are concerned.
func LocalMay(cfg *config.Config, address string) bool {
	s := senders(cfg.Sign.Senders, nil)
	if s == nil || s.OnMismatch == signing.Log {
		return true
	}
	at := strings.LastIndexByte(address, '@')
	_, ok := s.Rules.Denied(signing.Principal{Local: true}, nil, []auth.Address{{Local: address[:at], Domain: address[at+1:]}})
	return ok
}

// noDirectory stands for a database that is not asked: what it would allow is not
// known, which is not the same as forbidden.
type noDirectory struct{}

func (noDirectory) Addresses(context.Context, string) (*signing.Addresses, error) {
	return nil, errors.New("the database of sign.senders.query is not asked")
}

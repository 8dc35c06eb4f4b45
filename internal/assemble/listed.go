package assemble

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sealmilter/sealmilter/internal/asuser"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/source"
	"github.com/sealmilter/sealmilter/internal/sqldb"
	"github.com/sealmilter/sealmilter/keys"
)

// Listed is cfg with names that a database gave in sign.domains, behind its own:
// what the file says of a domain stays. cfg is left as it is.
func Listed(cfg *config.Config, names []string) *config.Config {
	if len(names) == 0 {
		return cfg
	}
	own := make(map[string]bool, len(cfg.Sign.Domains))
	for _, d := range cfg.Sign.Domains {
		own[d.Name] = true
	}
	all := make([]config.SignDomain, 0, len(cfg.Sign.Domains)+len(names))
	all = append(all, cfg.Sign.Domains...)
	for _, n := range names {
		if !own[n] {
			all = append(all, config.SignDomain{Name: n, Subdomains: true})
		}
	}
	out := *cfg
	out.Sign.Domains = all
	return &out
}

// Origin is who is asked what by f.
func Origin(f config.DomainsFrom) string { return source.Origin(f.Driver, f.DSNFile, f.Query) }

// Ask asks the database of f for its names, once. The file with the DSN is read
// each time: a new password needs no reload.
func Ask(ctx context.Context, f config.DomainsFrom) (source.Read, error) {
	return ask(ctx, f, func(open func() error) error { return open() })
}

// AskAs is Ask for the eyes of user uid, the daemon's; only root can. Their rights
// are for the file alone.
func AskAs(ctx context.Context, uid, gid int, f config.DomainsFrom) (source.Read, error) {
	return ask(ctx, f, func(open func() error) error { return asuser.As(uid, gid, open) })
}

func ask(ctx context.Context, f config.DomainsFrom, as func(open func() error) error) (source.Read, error) {
	var db *sqldb.DB
	err := as(func() (err error) {
		db, err = sqldb.Open(sqldb.Config{Driver: f.Driver, DSNFile: f.DSNFile})
		return err
	})
	if err != nil {
		return source.Read{}, err
	}
	defer db.Close()
	rows, err := db.Column(ctx, f.Query)
	if err != nil {
		return source.Read{}, err
	}
	return source.Rows(rows, config.SignableName), nil
}

// WrongDatabase reports whether what Ask said is for somebody to correct; else the
// database may only be down.
func WrongDatabase(err error) bool { return sqldb.Wrong(err) }

// maxKeyless is how many domains without a key are told one by one.
const maxKeyless = 10

// foldKeyless makes one problem of many domains without a key: a hundred thousand
// lines hide all others.
func foldKeyless(store *keys.Store, dir string, problems []keys.Problem) []keys.Problem {
	var names []string
	rest := make([]keys.Problem, 0, len(problems))
	for _, p := range problems {
		if p.Severity == keys.Warning && p.Domain != "" && p.Hint == "sealmilter keys new "+p.Domain {
			if _, sdid, err := store.Pick(p.Domain); sdid == p.Domain && errors.Is(err, keys.ErrNoKey) {
				names = append(names, p.Domain)
				continue
			}
		}
		rest = append(rest, p)
	}
	if len(names) <= maxKeyless {
		return problems
	}
	return append(rest, keys.Problem{Path: dir, Severity: keys.Warning,
		Message: fmt.Sprintf("no key for %d domains, %s and more: their mail goes out unsigned", len(names), strings.Join(names[:maxKeyless], ", ")),
		Hint:    "sealmilter keys new " + names[0] + ", and so on; for the names of sign.domains_from the daemon makes them"})
}

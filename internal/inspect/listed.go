package inspect

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/sealmilter/sealmilter/internal/assemble"
	"github.com/sealmilter/sealmilter/internal/asuser"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/internal/source"
)

// databasePatience is how long check waits for a database.
const databasePatience = 10 * time.Second

// Listed is cfg with the names that its database gave last in sign.domains: those
// which the daemon keeps in the folder state. Nobody is asked. The problem, where
// there is one, is why they are not known.
func Listed(cfg *config.Config, state string) (*config.Config, *problem.Problem) {
	if !cfg.Sign.DomainsFrom.Asked() {
		return cfg, nil
	}
	var kept source.Kept
	err := asuser.In(state, func() (err error) {
		kept, err = source.Load(state, config.SignableName)
		return err
	})
	if err == nil {
		return assemble.Listed(cfg, kept.Names), nil
	}
	p := &problem.Problem{Severity: problem.Warning, Place: source.Path(state), Message: "the domains of the database are not known: " + err.Error(), Hint: problem.Hint(err)}
	if errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0 {
		p.Hint = asRoot
	}
	return cfg, p
}

// Database is what came of asking the database of sign.domains_from once.
type Database struct {
	Names   int      `json:"names"`
	Skipped int      `json:"skipped"` // rows that are no names
	Rows    []string `json:"skipped_rows,omitempty"`
}

// askDatabase has check ask the database as the daemon will. A wrong DSN or query
// is an error; one that does not answer may only be down, and the daemon signs for
// what it gave before.
func (r *Checked) askDatabase(file string, cfg *config.Config) {
	f := cfg.Sign.DomainsFrom
	if !f.Asked() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), databasePatience)
	defer cancel()
	var read source.Read
	var err error
	if uid, gid := daemonUser(cfg.Admin.Addr); uid > 0 && os.Geteuid() == 0 {
		read, err = assemble.AskAs(ctx, uid, gid, f)
	} else {
		read, err = assemble.Ask(ctx, f)
	}
	p := problem.Problem{Severity: problem.Warning, Place: fmt.Sprintf("%s:%d", file, f.Line)}
	if err != nil {
		p.Message, p.Hint = "sign.domains_from: "+err.Error(), problem.Hint(err)
		if assemble.WrongDatabase(err) {
			p.Severity = problem.Fault
		} else if p.Hint == "" {
			p.Hint = "is the server running? the daemon signs for the names that it gave last"
		}
		r.add(p)
		return
	}
	r.Database = &Database{Names: len(read.Names), Skipped: read.Skipped}
	for _, row := range read.Rows {
		r.Database.Rows = append(r.Database.Rows, row.String())
	}
	if read.Skipped > 0 {
		p.Message = fmt.Sprintf("sign.domains_from: skipped is what is no name (%d), the first: %s", read.Skipped, r.Database.Rows[0])
		r.add(p)
	}
	if len(read.Names) == 0 {
		p.Message, p.Hint = "sign.domains_from: the query gives no names", "the daemon goes on with those of before"
		r.add(p)
	}
}

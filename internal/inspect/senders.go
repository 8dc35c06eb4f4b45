package inspect

import (
	"cmp"
	"context"
	"fmt"
	"os"

	"github.com/sealmilter/sealmilter/internal/assemble"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/problem"
)

// nobody is a user that no database has (RFC 6761 §6.4).
const nobody = "sealmilter-check@nobody.invalid"

// askSenders has check ask the database of sign.senders.query as the daemon will,
// for somebody who is not there: whoever gets something then has every user's.
func (r *Checked) askSenders(file string, cfg *config.Config) {
	q := cfg.Sign.Senders.Query
	if !q.Asked() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), databasePatience)
	defer cancel()
	var rows []string
	var err error
	if uid, gid := daemonUser(cfg.Admin.Addr); uid > 0 && os.Geteuid() == 0 {
		rows, err = assemble.AskSenderAs(ctx, uid, gid, q, nobody)
	} else {
		rows, err = assemble.AskSender(ctx, q, nobody)
	}
	p := problem.Problem{Severity: problem.Warning, Place: fmt.Sprintf("%s:%d", file, q.Line)}
	switch {
	case err != nil:
		p.Message, p.Hint = "sign.senders.query: "+err.Error(), problem.Hint(err)
		hint := "is the server running? who needs its addresses is told to try again, unless on_mismatch is log"
		if assemble.WrongDatabase(err) {
			p.Severity, hint = problem.Fault, "one column of addresses, such as SELECT source FROM alias_table WHERE destination = ?"
		}
		p.Hint = cmp.Or(p.Hint, hint)
	case len(rows) > 0:
		p.Message = fmt.Sprintf("sign.senders.query gives %.80q to a user who does not exist: everybody may write as that", rows[0])
		p.Hint = "the condition of the query must name the user, such as WHERE destination = ?"
	default:
		return
	}
	r.add(p)
}

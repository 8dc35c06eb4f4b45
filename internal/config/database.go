package config

import (
	"time"

	"github.com/sealmilter/sealmilter/internal/sqldb/query"
)

// defaultRefresh: a new customer waits a minute at most.
const defaultRefresh = time.Minute

func (d *decoder) checkDomainsFrom(f *DomainsFrom) {
	const path = "sign.domains_from"
	if *f == (DomainsFrom{}) {
		return
	}
	if !d.checkDatabase(path, f.Driver, f.DSNFile, f.Query, false) {
		return
	}
	if f.Refresh == 0 {
		f.Refresh = defaultRefresh
	}
	f.Line = d.lines[path+".dsn_file"]
}

// checkDatabase looks at a section with driver, dsn_file and query, whose query
// takes one argument or none.
func (d *decoder) checkDatabase(path, driver, dsnFile, text string, argument bool) bool {
	ok, such := true, `such as "SELECT DomainName FROM domains_table"`
	if argument {
		such = `such as "SELECT source FROM alias_table WHERE destination = ?"`
	}
	for _, x := range []struct{ name, value, hint string }{
		{"driver", driver, "mysql, postgres or sqlite; mysql is MariaDB's, too"},
		{"dsn_file", dsnFile, "the path of a file, mode 0640, with the one line that says how to reach the database"},
		{"query", text, such},
	} {
		if x.value != "" {
			continue
		}
		ok = false
		at := path + "." + x.name
		if d.lines[at] == 0 {
			d.failAt(path, path+" has no "+x.name, x.hint)
		} else if !d.failedAt(d.lines[at]) {
			d.failAt(at, at+" is empty", x.hint)
		}
	}
	if !ok {
		return false
	}
	if fault := query.Check(driver, text, argument); fault != nil {
		d.failAt(path+".query", path+".query: "+fault.Message, fault.Hint)
		return false
	}
	return true
}

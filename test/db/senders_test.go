package db

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/internal/assemble"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/signing"
	"github.com/sealmilter/sealmilter/internal/sqldb/query"
)

const aliases = "SELECT source FROM alias_table WHERE destination = ?"

// may says whether user may write as address by the directory alone: "yes", "no", or
// "?" where the database does not tell.
func may(t *testing.T, d *assemble.Directory, user, address string) string {
	t.Helper()
	more, err := d.Addresses(t.Context(), user)
	if err != nil {
		t.Log(err)
		return "?"
	}
	name, domain, _ := strings.Cut(address, "@")
	if _, ok := signing.Compile(nil).Denied(signing.Principal{User: user}, more, []auth.Address{{Local: name, Domain: domain}}); ok {
		return "yes"
	}
	return "no"
}

// TestAliases: an alias is its user's and nobody else's, whatever the name that logs
// in; a database that is killed is not noticed for an hour where the user was seen.
func TestAliases(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		table := strings.Replace(s.table(), "domains", "alias", 1)
		s.do("INSERT INTO " + table + " VALUES ('sales@x.example', 'kim@x.example'), ('info@y.example', 'lee@y.example'), ('@z.example', 'boss@y.example'), " +
			"('예@x.example', 'kim@x.example'), ('*@w.example', 'kim@x.example'), ('{user}', 'kim@x.example'), ('a@x.example, b@x.example', 'kim@x.example')")
		clock := time.Now()
		d := assemble.NewDirectory(config.SenderQuery{Driver: s.driver, DSNFile: s.Config.DSNFile, Query: aliases}, slog.New(slog.DiscardHandler))
		d.Now = func() time.Time { return clock }
		defer d.Close()
		for _, c := range []struct{ user, address, want string }{
			{"kim@x.example", "sales@x.example", "yes"}, {"KIM@X.example", "SALES@x.example", "yes"}, {"kim@x.example", "예@x.example", "yes"},
			{"kim@x.example", "info@y.example", "no"}, {"kim@x.example", "any@w.example", "no"}, {"kim@x.example", "b@x.example", "no"},
			{"lee@y.example", "info@y.example", "yes"}, {"lee@y.example", "sales@x.example", "no"}, {"lee@y.example", "any@z.example", "no"},
			{"boss@y.example", "any@z.example", "yes"}, {"boss@y.example", "any@a.z.example", "no"},
			{"' OR '1'='1", "sales@x.example", "no"}, {"%", "sales@x.example", "no"}, {"kim@x.example' -- ", "sales@x.example", "no"},
			{`kim@x.example\`, "sales@x.example", "no"}, {strings.Repeat("k", 1024), "sales@x.example", "no"}, {"김@x.example", "sales@x.example", "no"},
		} {
			if got := may(t, d, c.user, c.address); got != c.want {
				t.Errorf("%.40s as %s: %s, want %s", c.user, c.address, got, c.want)
			}
		}
		// PostgreSQL refuses what is no text; nobody else has trouble from it.
		if got := may(t, d, "\xff@x.example", "sales@x.example"); got != "no" && (s.driver != query.Postgres || got != "?") {
			t.Errorf("no UTF-8: %s", got)
		}
		if got := may(t, d, "lee@y.example", "info@y.example"); got != "yes" {
			t.Errorf("after that: %s", got)
		}
		s.kill()
		clock = clock.Add(30 * time.Minute)
		for user, want := range map[string]string{"lee@y.example": "yes", "stranger@y.example": "?"} {
			if got := may(t, d, user, "info@y.example"); got != want {
				t.Errorf("killed: %s: %s, want %s", user, got, want)
			}
		}
		s.begin()
		s.do("INSERT INTO " + table + " VALUES ('info@y.example', 'stranger@y.example')")
		clock = clock.Add(time.Minute)
		if got := may(t, d, "stranger@y.example", "info@y.example"); got != "yes" {
			t.Errorf("back: %s", got)
		}
	})
}

//go:build e2e

package e2e

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"
)

// sendersYAML goes on with the sign section of milter.yaml.
func sendersYAML(action string) string {
	return `  senders:
    on_mismatch: ` + action + `
    rules:
      - {user: "*", from: ["{user}", "{user}@lax.example"]}
      - {user: kim@good.example, from: [sales@good.example]}
      - {client: 192.168.5.0/24, from: ["@lax.example"]}
      - {local: true, from: ["@good.example"]}
`
}

// aliasQuery goes on with senders: a table as virtual_alias_maps reads it, in a database below dir.
func aliasQuery(t *testing.T, l *lab) string {
	t.Helper()
	path := filepath.Join(l.daemon.state(), "mail.sqlite")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, text := range []string{
		"CREATE TABLE IF NOT EXISTS alias_table (source TEXT, destination TEXT)", "DELETE FROM alias_table",
		"INSERT INTO alias_table VALUES ('info@lax.example', 'lee@lax.example'), ('help@good.example', 'kim@good.example')",
	} {
		if _, err := db.Exec(text); err != nil {
			t.Fatal(err)
		}
	}
	dsn := filepath.Join(l.daemon.dir, "dsn")
	if err := os.WriteFile(dsn, []byte(path+"\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{path, dsn} {
		if err := os.Chown(file, l.daemon.as.uid, l.daemon.as.gid); err != nil {
			t.Fatal(err)
		}
	}
	return "    query: {driver: sqlite, dsn_file: " + dsn + ", query: \"SELECT source FROM alias_table WHERE destination = ?\"}\n"
}

// TestSenders: with Dovecot's word for who logged in, each way to write as another is signed and logged, left unsigned,
// or refused, as configured; and what one may write is signed in all cases.
func TestSenders(t *testing.T) {
	l := need(t)
	l.daemon.restartAfter(t)
	query := aliasQuery(t, l)
	lan := from{"192.168.5.9", "[UNAVAILABLE]", "printer"}
	for _, action := range []string{"log", "sign_not", "reject"} {
		t.Run(action, func(t *testing.T) {
			l.daemon.reload(t, sendersYAML(action)+query, true)
			for _, tc := range []struct {
				name, login, author string
				more                []string
				domain              string // of the signature; where nobody may, what it would be
				ok                  bool
				says                string // in the reply and the log
			}{
				{"himself", saslUser, "Kim <kim@good.example>", nil, "good.example", true, ""},
				{"himself in upper case", saslUser, "KIM@GOOD.EXAMPLE", nil, "good.example", true, ""},
				{"an address of his", saslUser, "sales@good.example", []string{"Sender: kim@good.example\r\n"}, "good.example", true, ""},
				{"a name without domain", saslBare, "park@lax.example", nil, "lax.example", true, ""},
				{"an alias", saslTenant, "info@lax.example", nil, "lax.example", true, ""},
				{"another's alias", saslTenant, "help@good.example", nil, "good.example", false, "help@good.example (From)"},
				{"a colleague", saslUser, "boss@good.example", nil, "good.example", false, "boss@good.example (From)"},
				{"another tenant", saslUser, "lee@lax.example", nil, "lax.example", false, "lee@lax.example (From)"},
				{"another tenant's address", saslTenant, "sales@good.example", nil, "good.example", false, "sales@good.example (From)"},
				{"two authors", saslUser, "kim@good.example, lee@lax.example", nil, "good.example", false, "lee@lax.example (From)"},
				{"a group", saslUser, "board: lee@lax.example, kim@good.example;", nil, "lax.example", false, "lee@lax.example (From)"},
				{"a display name", saslUser, "=?utf-8?q?=3Clee=40lax=2Eexample=3E?= <kim@good.example>", nil, "good.example", false, "lee@lax.example (From)"},
				{"Sender", saslUser, "kim@good.example", []string{"Sender: lee@lax.example\r\n"}, "good.example", false, "lee@lax.example (Sender)"},
			} {
				t.Run(tc.name, func(t *testing.T) {
					to := remote("sender")
					since := l.daemon.logged(t)
					rep, err := submitAs(t, l, tc.login).send("<kim@good.example>", []string{to}, compose(tc.author, to, "hello", "text", tc.more...))
					if err != nil {
						t.Fatal(err)
					}
					switch {
					case !tc.ok && action == "reject":
						if rep.code != 550 || !strings.Contains(rep.String(), "5.7.1 this login may not send as "+tc.says) {
							t.Errorf("%v", rep)
						}
						wantAll(t, waitLine(t, since, "rule=sender"), "action=reject", "user="+tc.login, "user "+tc.login+" may not write as "+tc.says)
						return
					case rep.code != 250:
						t.Fatalf("%v", rep)
					}
					msg := l.sink.wait(t, to)
					if !tc.ok && action == "sign_not" {
						wantUnsigned(t, msg)
						wantAll(t, waitLine(t, since, "not signed"), "level=WARN", "user="+tc.login, "user "+tc.login+" may not write as "+tc.says)
						return
					}
					wantSigned(t, l, tc.domain, msg)
					if tc.ok {
						waitLine(t, since, "user="+tc.login)
						if said := line(since(), "sender not allowed"); said != "" {
							t.Errorf("the log: %s", said)
						}
						return
					}
					wantAll(t, waitLine(t, since, "sender not allowed"), "level=WARN", "user "+tc.login+" may not write as "+tc.says)
				})
			}
			t.Run("machines", func(t *testing.T) {
				to := box("printer") // XCLIENT's address is none of mynetworks
				dial(t, local(l.postfix.ports.smtp), lan).mustSendAs(t, action != "reject", "<scan@lax.example>", to, compose("scan@good.example", to, "scan", "text"))
				if action != "reject" {
					signedUnless(t, l, action == "sign_not", "good.example", l.mailbox(t, to))
				}
				to = box("printer")
				dial(t, local(l.postfix.ports.smtp), lan).mustSendAs(t, true, "<scan@lax.example>", to, compose("scan@lax.example", to, "scan", "text"))
				wantSigned(t, l, "lax.example", l.mailbox(t, to))
			})
			t.Run("programs", func(t *testing.T) {
				// PHP's mail(): Postfix takes it, and its bounce tells of a refusal.
				back, to := box("www-data"), remote("program")
				l.sendmail(t, back, to, []byte("From: lee@lax.example\nTo: "+to+"\nSubject: form\n\nx\n"))
				if action == "reject" {
					msg := l.mailbox(t, back)
					wantAll(t, string(msg), "Status: 5.7.1", "lee@lax.example (From)")
					wantUnsigned(t, msg) // from MAILER-DAEMON@host.good.example, which no rule has: it arrives all the same
				} else {
					signedUnless(t, l, action == "sign_not", "lax.example", l.sink.wait(t, to))
				}
				to = remote("program")
				l.sendmail(t, back, to, []byte("From: form@good.example\nTo: "+to+"\nSubject: form\n\nx\n"))
				wantSigned(t, l, "good.example", l.sink.wait(t, to))
			})
		})
	}
}

// waitLine waits until the log has a line with part; the log is written behind the answer to the MTA.
func waitLine(t *testing.T, since func() string, part string) string {
	t.Helper()
	eventually(t, 10*time.Second, part+" in the log", func() bool { return strings.Contains(since(), part) })
	return line(since(), part)
}

// mustSendAs expects 250, or a refusal for the sender.
func (c *client) mustSendAs(t *testing.T, ok bool, mailFrom, rcpt string, msg []byte) {
	t.Helper()
	rep, err := c.send(mailFrom, []string{rcpt}, msg)
	if err != nil || ok != (rep.code == 250) || !ok && rep.code != 550 {
		t.Fatalf("%v %v", rep, err)
	}
}

func signedUnless(t *testing.T, l *lab, not bool, domain string, msg []byte) {
	t.Helper()
	if not {
		wantUnsigned(t, msg)
		return
	}
	wantSigned(t, l, domain, msg)
}

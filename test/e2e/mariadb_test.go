//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// mariadbLab is a MariaDB with the tables of the set-up that most of our users have followed.
type mariadbLab struct {
	t    *testing.T
	dir  string
	proc *proc
}

const mariadbTables = `CREATE DATABASE servermail;
USE servermail;
CREATE TABLE domains_table (DomainId INT NOT NULL AUTO_INCREMENT, DomainName VARCHAR(50) NOT NULL, PRIMARY KEY (DomainId));
CREATE TABLE accounts_table (AccountId INT NOT NULL AUTO_INCREMENT, DomainId INT NOT NULL, password VARCHAR(300) NOT NULL, Email VARCHAR(100) NOT NULL,
  PRIMARY KEY (AccountId), UNIQUE KEY Email (Email), FOREIGN KEY (DomainId) REFERENCES domains_table(DomainId) ON DELETE CASCADE);
CREATE TABLE alias_table (AliasId INT NOT NULL AUTO_INCREMENT, DomainId INT NOT NULL, Source VARCHAR(100) NOT NULL, Destination VARCHAR(100) NOT NULL,
  PRIMARY KEY (AliasId), FOREIGN KEY (DomainId) REFERENCES domains_table(DomainId) ON DELETE CASCADE);
INSERT INTO domains_table (DomainName) VALUES ('one.example'), ('two.example'), ('three.example');
CREATE USER 'usermail'@'localhost' IDENTIFIED BY 'mail';
GRANT SELECT ON servermail.* TO 'usermail'@'localhost';
CREATE USER 'sealmilter'@'localhost' IDENTIFIED BY 'seal';
GRANT SELECT (DomainName) ON servermail.domains_table TO 'sealmilter'@'localhost';
GRANT SELECT (Source, Destination) ON servermail.alias_table TO 'sealmilter'@'localhost';
`

func newMariaDB(t *testing.T, as account) *mariadbLab {
	t.Helper()
	dir, err := os.MkdirTemp("", "maria") // short, for the socket's sake
	if err != nil {
		t.Fatal(err)
	}
	m := &mariadbLab{t: t, dir: dir}
	t.Cleanup(func() {
		m.stop()
		os.RemoveAll(dir)
	})
	if err := os.Chown(dir, as.uid, as.gid); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	install := exec.Command("mariadb-install-db", "--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db", "--datadir="+dir+"/data")
	install.SysProcAttr, install.Dir = m.attr(as), dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m.start(as)
	m.do(mariadbTables)
	return m
}

func (m *mariadbLab) attr(as account) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(as.uid), Gid: uint32(as.gid)}}
}

func (m *mariadbLab) socket() string { return m.dir + "/s" }

func (m *mariadbLab) start(as account) {
	m.t.Helper()
	var err error
	m.proc, err = startProc("mariadbd", m.dir+"/log", m.attr(as), "/usr/sbin/mariadbd", "--no-defaults", "--datadir="+m.dir+"/data", "--socket="+m.socket(), "--skip-networking",
		"--pid-file="+m.dir+"/pid", "--tmpdir="+m.dir, "--innodb-buffer-pool-size=32M")
	if err != nil {
		m.t.Fatal(err)
	}
	eventually(m.t, time.Minute, "MariaDB answers", func() bool { return m.try("SELECT 1") == nil })
}

func (m *mariadbLab) stop() {
	if m.proc != nil {
		m.proc.stop(30 * time.Second)
		m.proc = nil
	}
}

func (m *mariadbLab) try(sql string) error {
	cmd := exec.Command("mariadb", "--no-defaults", "-uroot", "--socket="+m.socket())
	cmd.Stdin = strings.NewReader(sql)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

func (m *mariadbLab) do(sql string) {
	m.t.Helper()
	if err := m.try(sql); err != nil {
		m.t.Fatal(err)
	}
}

// serve has Postfix read its virtual domains and aliases from the tables, until done.
func (m *mariadbLab) serve(l *lab) (done func()) {
	m.t.Helper()
	mainCF := filepath.Join(l.postfix.etc(), "main.cf")
	before, err := os.ReadFile(mainCF)
	if err != nil {
		m.t.Fatal(err)
	}
	text := string(before)
	for _, f := range []struct{ option, also, query string }{
		{"virtual_mailbox_domains", "good.example, lax.example, ", "SELECT 1 FROM domains_table WHERE DomainName='%s'"},
		{"virtual_alias_maps", "", "SELECT Destination FROM alias_table WHERE Source='%s'"},
	} {
		cf := filepath.Join(l.postfix.etc(), f.option+".cf")
		if err := os.WriteFile(cf, []byte(fmt.Sprintf("hosts = unix:%s\nuser = usermail\npassword = mail\ndbname = servermail\nquery = %s\n", m.socket(), f.query)), 0o644); err != nil {
			m.t.Fatal(err)
		}
		text = regexp.MustCompile("(?m)^"+f.option+" = .*\n").ReplaceAllString(text, "") + f.option + " = " + f.also + "proxy:mysql:" + cf + "\n"
	}
	write := func(text []byte) {
		if err := os.WriteFile(mainCF, text, 0o644); err != nil {
			m.t.Fatal(err)
		}
		if out, err := run(nil, "postfix", "-c", l.postfix.etc(), "reload"); err != nil {
			m.t.Fatalf("%v\n%s", err, out)
		}
	}
	write([]byte(text))
	done = sync.OnceFunc(func() { write(before) })
	m.t.Cleanup(done)
	return done
}

// TestVirtualDomains is the set-up of our users' document: Postfix with its virtual domains in MariaDB, logins by Dovecot.
// A row, its records in the DNS, and the domain's mail is signed without any command; the row goes, and it is not; MariaDB
// is down, the daemon restarted, and it is signed; an alias may write for its user and nobody else's.
func TestVirtualDomains(t *testing.T) {
	l := need(t)
	m := newMariaDB(t, l.daemon.as)
	withoutTables := m.serve(l)
	l.daemon.restartAfter(t)
	dsn := filepath.Join(l.daemon.dir, "maria.dsn")
	if err := os.WriteFile(dsn, []byte("sealmilter:seal@unix("+m.socket()+")/servermail\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dsn, l.daemon.as.uid, l.daemon.as.gid); err != nil {
		t.Fatal(err)
	}
	l.daemon.reload(t, `  domains_from: {driver: mysql, dsn_file: `+dsn+`, query: "SELECT DomainName FROM domains_table", refresh: 10s}
  senders:
    on_mismatch: sign_not
    rules: [{user: "*", from: ["{user}"]}, {local: true, from: ["@shop.example"]}]
    query: {driver: mysql, dsn_file: `+dsn+`, query: "SELECT Source FROM alias_table WHERE Destination = ?"}
`, true)

	outside := func() reply {
		t.Helper()
		rep, err := dial(t, local(l.postfix.ports.smtp), sender).send("<>", []string{"lee@shop.example"}, compose("kim@sender.example", "lee@shop.example", "hello", "text"))
		if err != nil {
			t.Fatal(err)
		}
		return rep
	}
	if rep := outside(); rep.code < 500 {
		t.Fatalf("before the row: %v", rep)
	}
	m.do(`USE servermail; INSERT INTO domains_table (DomainName) VALUES ('shop.example');
		INSERT INTO accounts_table (DomainId, password, Email) SELECT DomainId, 'x', 'lee@shop.example' FROM domains_table WHERE DomainName = 'shop.example';
		INSERT INTO alias_table (DomainId, Source, Destination) SELECT DomainId, 'info@shop.example', '` + saslTenant + `' FROM domains_table WHERE DomainName = 'shop.example';`)
	eventually(t, time.Minute, "keys of the new domain", func() bool {
		made, _ := filepath.Glob(filepath.Join(l.daemon.keys(), "shop.example", "*.pem"))
		return len(made) == 2
	})
	if rep := outside(); rep.code >= 500 {
		t.Errorf("Postfix does not know the row: %v", rep)
	}
	sessions := map[string]*client{saslTenant: submitAs(t, l, saslTenant), saslUser: submitAs(t, l, saslUser)}
	send := func(login, author string) []byte {
		t.Helper()
		to := remote("shop")
		sessions[login].mustSend(t, "<"+login+">", to, compose(author, to, "hello", "text"))
		return l.sink.wait(t, to)
	}
	since := l.daemon.logged(t)
	wantUnsigned(t, send(saslTenant, "info@shop.example"))
	waitLine(t, since, "unsigned=unpublished")

	text, err := l.daemon.cli("dns", "--config", l.daemon.config(), "--state", l.daemon.state(), "--format", "bind", "shop.example")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.dns.writeZone("shop.example.", string(text)); err != nil {
		t.Fatal(err)
	}
	l.dns.nsd.signal(syscall.SIGHUP)
	var signed []byte
	eventually(t, time.Minute, "mail of the new domain is signed", func() bool {
		signed = send(saslTenant, "info@shop.example")
		return len(named(signed, "DKIM-Signature")) == 2
	})
	wantSigned(t, l, "shop.example", signed)
	wantUnsigned(t, send(saslUser, "info@shop.example"))
	wantSigned(t, l, "good.example", send(saslUser, saslUser))

	withoutTables() // Postfix cannot do without them, and would let mail wait
	m.stop()
	l.daemon.stop()
	if err := l.daemon.start(); err != nil {
		t.Fatal(err)
	}
	to := remote("program") // aliases are the database's to know: a program may write for the domain
	l.sendmail(t, "www@shop.example", to, []byte("From: www@shop.example\nTo: "+to+"\nSubject: form\n\nx\n"))
	wantSigned(t, l, "shop.example", l.sink.wait(t, to))

	m.start(l.daemon.as)
	m.do("USE servermail; DELETE FROM domains_table WHERE DomainName = 'shop.example'")
	since = l.daemon.logged(t)
	eventually(t, time.Minute, "mail of the domain without a row is not signed", func() bool {
		to := remote("program")
		l.sendmail(t, "www@good.example", to, []byte("From: www@shop.example\nTo: "+to+"\nSubject: form\n\nx\n"))
		return len(named(l.sink.wait(t, to), "DKIM-Signature")) == 0
	})
	waitLine(t, since, "unsigned=not_listed")
	if made, _ := filepath.Glob(filepath.Join(l.daemon.keys(), "shop.example", "*.pem")); len(made) != 2 {
		t.Errorf("its keys are gone: %q", made)
	}
}

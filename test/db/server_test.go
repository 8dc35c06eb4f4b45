package db

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/sealmilter/sealmilter/internal/sqldb"
	"github.com/sealmilter/sealmilter/internal/sqldb/query"
)

// password is the daemon's user's, in a folder that ends with the test.
const password = "p/a:s@s w?rd"

// server is one that a test may kill.
type server struct {
	t      *testing.T
	driver string
	dir    string // its own: data, socket, log
	start  func() *exec.Cmd
	cmd    *exec.Cmd
	admin  *sql.DB
	Config sqldb.Config // how sealmilter reaches it
}

// each runs a test against both.
func each(t *testing.T, f func(t *testing.T, s *server)) {
	if testing.Short() {
		t.Skip("starts database servers")
	}
	t.Run(query.MySQL, func(t *testing.T) { f(t, mariadb(t)) })
	t.Run(query.Postgres, func(t *testing.T) { f(t, postgres(t)) })
}

func need(t *testing.T, programs ...string) []string {
	t.Helper()
	out := []string{}
	for _, p := range programs {
		name, pkg, _ := strings.Cut(p, " ")
		found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
		if path, perr := exec.LookPath(name); perr == nil {
			found, err = []string{path}, nil
		} else if path, perr := exec.LookPath("/usr/sbin/" + name); perr == nil {
			found, err = []string{path}, nil
		}
		if err != nil || len(found) == 0 {
			why := fmt.Sprintf("needs Debian's package %s (no %s): run test/e2e/install-packages.sh", pkg, name)
			if os.Getenv("SEALMILTER_CI") == "1" {
				t.Fatal(why)
			}
			t.Skip(why)
		}
		out = append(out, found[len(found)-1])
	}
	return out
}

// newServer makes a folder for it, in the hands of a user without rights.
func newServer(t *testing.T, driver string) (*server, *syscall.SysProcAttr) {
	t.Helper()
	// Short: a socket's path has 107 bytes.
	dir, err := os.MkdirTemp("", "db")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	as := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() == 0 {
		nobody, err := user.Lookup("nobody")
		if err != nil {
			t.Fatal(err)
		}
		uid, _ := strconv.Atoi(nobody.Uid)
		gid, _ := strconv.Atoi(nobody.Gid)
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
		as.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return &server{t: t, driver: driver, dir: dir}, as
}

// run runs a program of theirs to its end.
func (s *server) run(as *syscall.SysProcAttr, name string, args ...string) {
	s.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr, cmd.Dir = as, s.dir
	cmd.Env = append(os.Environ(), "HOME="+s.dir, "LC_ALL=C")
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// begin starts the server and waits until it answers.
func (s *server) begin() {
	s.t.Helper()
	s.cmd = s.start()
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.Env = append(os.Environ(), "HOME="+s.dir, "LC_ALL=C")
	s.cmd.Dir = s.dir
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if err = s.admin.Ping(); err == nil {
			return
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			s.t.Fatalf("it does not answer: %v\n%s", err, text)
		}
	}
}

// kill is what the kernel does when memory is short.
func (s *server) kill() {
	s.t.Helper()
	if s.cmd == nil {
		return
	}
	signal := syscall.SIGKILL
	if s.driver == query.Postgres {
		signal = syscall.SIGQUIT // without a word to anybody, and its children as well
	}
	if err := s.cmd.Process.Signal(signal); err != nil {
		s.t.Error(err)
	}
	_ = s.cmd.Wait() // it was killed
	s.cmd = nil
}

func (s *server) do(text string, args ...any) {
	s.t.Helper()
	if _, err := s.admin.Exec(text, args...); err != nil {
		s.t.Fatalf("%.200s: %v", text, err)
	}
}

// dsn writes the file that sealmilter reads, for a user and a password.
func (s *server) dsn(user, secret string) sqldb.Config {
	s.t.Helper()
	socket := filepath.Join(s.dir, "s")
	text := fmt.Sprintf("%s:%s@unix(%s)/servermail", user, secret, socket)
	if s.driver == query.Postgres {
		text = fmt.Sprintf("host=%s port=5432 user=%s password='%s' dbname=servermail", s.dir, user, secret)
	}
	path := filepath.Join(s.t.TempDir(), "dsn")
	if err := os.WriteFile(path, []byte("# made by a test\n"+text+"\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return sqldb.Config{Driver: s.driver, DSNFile: path}
}

func mariadb(t *testing.T) *server {
	paths := need(t, "mariadb-install-db mariadb-server", "mariadbd mariadb-server")
	s, as := newServer(t, query.MySQL)
	socket, data := filepath.Join(s.dir, "s"), filepath.Join(s.dir, "data")
	s.run(as, paths[0], "--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db", "--datadir="+data)
	s.start = func() *exec.Cmd {
		cmd := exec.Command(paths[1], "--no-defaults", "--datadir="+data, "--socket="+socket, "--skip-networking", "--pid-file="+filepath.Join(s.dir, "pid"),
			"--tmpdir="+s.dir, "--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=2", "--character-set-server=latin1")
		cmd.SysProcAttr = as
		return cmd
	}
	c := mysql.NewConfig()
	c.User, c.Net, c.Addr, c.Logger = "root", "unix", socket, &mysql.NopLogger{}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		t.Fatal(err)
	}
	s.opened(sql.OpenDB(connector))
	s.do("CREATE DATABASE servermail CHARACTER SET utf8mb4")
	s.do("CREATE TABLE servermail.domains_table (DomainId INT NOT NULL AUTO_INCREMENT, DomainName VARCHAR(500), PRIMARY KEY (DomainId))")
	s.do("CREATE TABLE servermail.alias_table (source VARCHAR(100), destination VARCHAR(100))")
	s.do("CREATE USER 'sealmilter'@'localhost' IDENTIFIED BY '" + password + "'")
	// As set-up prints it.
	s.do("GRANT SELECT (DomainName) ON servermail.domains_table TO 'sealmilter'@'localhost'")
	s.do("GRANT SELECT (source, destination) ON servermail.alias_table TO 'sealmilter'@'localhost'")
	return s
}

func postgres(t *testing.T) *server {
	paths := need(t, "initdb postgresql", "postgres postgresql")
	s, as := newServer(t, query.Postgres)
	data := filepath.Join(s.dir, "data")
	s.run(as, paths[0], "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
	return s.postgresAt(as, paths[1], data)
}

// opened waits for the server, and closes with the test what asks it.
func (s *server) opened(db *sql.DB) {
	s.t.Helper()
	s.admin = db
	s.t.Cleanup(func() {
		s.admin.Close()
		s.kill()
		if s.t.Failed() {
			text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			s.t.Logf("%.20000s", text)
		}
	})
	s.begin()
	s.Config = s.dsn("sealmilter", password)
}

// postgresAt starts the server of a data folder whose superuser needs no password
// over its socket.
func (s *server) postgresAt(as *syscall.SysProcAttr, program, data string) *server {
	s.t.Helper()
	hba := "local all postgres trust\nlocal all all scram-sha-256\n"
	if err := os.WriteFile(filepath.Join(data, "pg_hba.conf"), []byte(hba), 0o644); err != nil {
		s.t.Fatal(err)
	}
	s.start = func() *exec.Cmd {
		cmd := exec.Command(program, "-D", data, "-k", s.dir, "-h", "", "-c", "fsync=off", "-c", "shared_buffers=16MB")
		cmd.SysProcAttr = as
		return cmd
	}
	at := func(name string) *sql.DB {
		c, err := pgx.ParseConfig("host=" + s.dir + " user=postgres dbname=" + name)
		if err != nil {
			s.t.Fatal(err)
		}
		return stdlib.OpenDB(*c)
	}
	s.opened(at("postgres"))
	s.do("CREATE DATABASE servermail")
	s.do("CREATE USER sealmilter PASSWORD '" + password + "'")
	s.admin.Close()
	s.admin = at("servermail")
	s.do("CREATE TABLE domains_table (DomainId SERIAL, DomainName VARCHAR(500))")
	s.do("CREATE TABLE alias_table (source VARCHAR(100), destination VARCHAR(100))")
	s.do("GRANT SELECT (DomainName) ON domains_table TO sealmilter")
	s.do("GRANT SELECT (source, destination) ON alias_table TO sealmilter")
	return s
}

// table is the table of domains, as the admin calls it.
func (s *server) table() string {
	if s.driver == query.MySQL {
		return "servermail.domains_table"
	}
	return "domains_table"
}

func (s *server) add(names ...any) {
	s.t.Helper()
	mark := "?"
	if s.driver == query.Postgres {
		mark = "$1"
	}
	for _, n := range names {
		s.do("INSERT INTO "+s.table()+" (DomainName) VALUES ("+mark+")", n)
	}
}

// fill adds n names of its own.
func (s *server) fill(n int) {
	s.t.Helper()
	if s.driver == query.Postgres {
		s.do(fmt.Sprintf("INSERT INTO domains_table (DomainName) SELECT 'd' || i || '.example' FROM generate_series(1, %d) i", n))
		return
	}
	s.do(fmt.Sprintf("INSERT INTO servermail.domains_table (DomainName) SELECT CONCAT('d', seq, '.example') FROM servermail.seq_1_to_%d", n))
}

// lock keeps others from reading the table until unlock.
func (s *server) lock() (unlock func()) {
	s.t.Helper()
	c, err := s.admin.Conn(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	lock, end := []string{"LOCK TABLES " + s.table() + " WRITE"}, "UNLOCK TABLES"
	if s.driver == query.Postgres {
		lock, end = []string{"BEGIN", "LOCK TABLE domains_table IN ACCESS EXCLUSIVE MODE"}, "ROLLBACK"
	}
	for _, text := range lock {
		if _, err := c.ExecContext(context.Background(), text); err != nil {
			s.t.Fatal(err)
		}
	}
	return func() {
		s.t.Helper()
		if _, err := c.ExecContext(context.Background(), end); err != nil {
			s.t.Error(err)
		}
		c.Close()
	}
}

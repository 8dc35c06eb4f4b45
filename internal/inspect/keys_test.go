package inspect

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/internal/admin"
	"github.com/sealmilter/sealmilter/internal/assemble"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/doctor"
	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/keys"
)

// house is a folder that everybody can search, with keys of ours in it.
func house(t *testing.T) (dir string, cfg *config.Config) {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "inspect")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cfg = config.Default()
	cfg.Sign.Keys = filepath.Join(dir, "keys")
	cfg.Sign.Domains = []config.SignDomain{{Name: "example.com", Subdomains: true}}
	cfg.Admin = config.Address{Network: "unix", Addr: filepath.Join(dir, "admin.sock")}
	if _, err := keys.Generate(cfg.Sign.Keys, "example.com", keys.GenerateOptions{Selector: "s1"}); err != nil {
		t.Fatal(err)
	}
	return dir, cfg
}

// TestKeysOfRootAreNotTheDaemons: what root can read in a folder of root's is no
// use to the daemon, which answers 451.
func TestKeysOfRootAreNotTheDaemons(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can look with another's rights")
	}
	_, cfg := house(t)
	if _, problems := assemble.Keys(cfg, nil); len(problems) > 0 {
		t.Fatal(problems)
	}
	store, problems, err := assemble.KeysAs(4242, 4242, cfg)
	if err != nil || len(problems) != 1 || !problems[0].Denied || problems[0].Hint != "chown -Rh 4242: "+cfg.Sign.Keys || len(store.All()) != 0 {
		t.Errorf("%v %v", problems, err)
	}
	if err := filepath.Walk(cfg.Sign.Keys, func(path string, _ os.FileInfo, _ error) error { return os.Lchown(path, 4242, 4242) }); err != nil {
		t.Fatal(err)
	}
	if store, problems, err := assemble.KeysAs(4242, 4242, cfg); err != nil || len(problems) != 0 || len(store.All()) != 2 {
		t.Errorf("after chown: %v %v", problems, err)
	}
	if data, err := os.ReadFile(filepath.Join(cfg.Sign.Keys, "example.com", "s1.pem")); err != nil || len(data) == 0 {
		t.Errorf("root's own rights are gone: %v", err)
	}
}

// answers is a daemon that says always the same.
type answers struct {
	admin.Source
	status admin.Status
}

func (a answers) Status() admin.Status { return a.status }

func serveStatus(t *testing.T, socket string, s admin.Status) {
	t.Helper()
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	srv := admin.Server(answers{status: s})
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	t.Cleanup(func() {
		srv.Close()
		if err := <-done; err != http.ErrServerClosed {
			t.Error(err)
		}
	})
}

// TestRunningDaemonIsAsked: the files are good by now, and the daemon does not know.
func TestRunningDaemonIsAsked(t *testing.T) {
	for name, c := range map[string]struct {
		status admin.Status
		level  doctor.Level
		want   string
	}{
		"waiting":  {admin.Status{Waiting: []string{"example.com"}}, doctor.Fail, "waits with 451"},
		"keyless":  {admin.Status{Keyless: []string{"example.com"}}, doctor.Fail, "unsigned"},
		"degraded": {admin.Status{Degraded: true}, doctor.Fail, "what worked before"},
		"good":     {admin.Status{Waiting: []string{"example.org"}}, doctor.Pass, "runs with"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, cfg := house(t)
			serveStatus(t, cfg.Admin.Addr, c.status)
			f := runningDaemon(t.Context(), cfg.Admin.Addr, "example.com")
			if len(f) != 1 || f[0].Level != c.level || !strings.Contains(f[0].Message, c.want) {
				t.Errorf("%+v", f)
			}
			if f := runningDaemon(t.Context(), filepath.Join(dir, "no.sock"), "example.com"); len(f) != 0 {
				t.Errorf("%+v", f)
			}
		})
	}
}

func TestCheckAsksTheDaemon(t *testing.T) {
	dir, cfg := house(t)
	path := filepath.Join(dir, "milter.yaml")
	text := "authserv_id: mail.example.com\nadmin: unix:" + cfg.Admin.Addr + "\nsign: {keys: " + cfg.Sign.Keys + ", domains: [example.com]}\n"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	hint := func(s string) string { return s }
	if r := Check(path, dir, hint); r.Errors+r.Warnings > 0 {
		t.Fatalf("without a daemon: %+v", r.Problems)
	}
	serveStatus(t, cfg.Admin.Addr, admin.Status{Config: path, Waiting: []string{"example.com"}})
	r := Check(path, dir, hint)
	if r.Errors != 0 || len(r.Problems) != 1 || r.Problems[0].Severity != problem.Warning || !strings.Contains(r.Problems[0].Message, "mail of example.com waits with 451") {
		t.Errorf("%+v", r.Problems)
	}
}

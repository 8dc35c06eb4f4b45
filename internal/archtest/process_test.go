package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// starters start processes or give them rights; internal/child is their one user.
var starters = []string{"exec.Command", "exec.CommandContext", "exec.Cmd", "os.StartProcess", "syscall.StartProcess", "syscall.ForkExec",
	"syscall.Exec", "syscall.SysProcAttr", "syscall.Credential", "unix.Exec"}

// Whoever starts a process lends it an environment, open files and a terminal.
func TestOnePlaceStartsProcesses(t *testing.T) {
	const root, place = "../..", "internal/child"
	found := false
	eachSource(t, root, func(path string, file *ast.File) {
		ast.Inspect(file, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, ok := s.X.(*ast.Ident)
			if !ok {
				return true
			}
			for _, name := range starters {
				if x.Name+"."+s.Sel.Name != name {
					continue
				}
				if filepath.Dir(path) == place {
					found = found || name == "syscall.Credential"
				} else {
					t.Errorf("%s: %s belongs into %s", path, name, place)
				}
			}
			return true
		})
	})
	if !found {
		t.Errorf("%s gives nobody other rights: this test looks at the wrong place", place)
	}
}

// eachSource parses the program's Go files: tests and test/ apart.
func eachSource(t *testing.T, root string, look func(path string, file *ast.File)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		switch {
		case d.IsDir() && rel != "." && (rel == "test" || rel == "tools" || rel == "bin" || strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return filepath.SkipDir
		case d.IsDir(), !strings.HasSuffix(rel, ".go"), strings.HasSuffix(rel, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err == nil {
			look(rel, file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

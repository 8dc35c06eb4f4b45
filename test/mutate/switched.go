package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// variable chooses the mutant of a test binary that has many.
const variable = "SEALMILTER_MUTANT"

// helper is put into each package that has mutants.
const helper = `
import (
	"cmp"
	"os"
	"strconv"
)

var mutantChosen, _ = strconv.Atoi(os.Getenv("` + variable + `"))

func mutantOn(n int) bool { return n == mutantChosen }

func mutantNot[B ~bool](n int, b B) B { return b != B(n == mutantChosen) }

func mutantNumber[N ~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~float64](n int, v N) N {
	if n == mutantChosen {
		return v + 1
	}
	return v
}

func mutantAnd(n int, a bool, b func() bool) bool {
	if a == (n == mutantChosen) {
		return a
	}
	return b()
}

func mutantOr(n int, a bool, b func() bool) bool {
	if a != (n == mutantChosen) {
		return a
	}
	return b()
}

func mutantLess[T cmp.Ordered](n int, a, b T) bool         { return a < b || n == mutantChosen && a == b }
func mutantLessEqual[T cmp.Ordered](n int, a, b T) bool    { return a < b || n != mutantChosen && a == b }
func mutantGreater[T cmp.Ordered](n int, a, b T) bool      { return a > b || n == mutantChosen && a == b }
func mutantGreaterEqual[T cmp.Ordered](n int, a, b T) bool { return a > b || n != mutantChosen && a == b }
`

// switchboard has the text of changed files in which mutants are chosen by
// variable; the number of a mutant is its place plus one.
type switchboard struct {
	dir     string
	overlay string
	has     map[int]bool // the places of the mutants in it

	mu   sync.Mutex
	bins map[string]*binary // by folder
	fine map[string]*binary // by suite: its tests pass without a mutant
}

// binary is what the tests of one folder are built into, once.
type binary struct {
	once sync.Once
	path string
	took time.Duration
	err  error
}

func (b *bench) newSwitchboard(all []mutant) (*switchboard, error) {
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return nil, err
	}
	s := &switchboard{dir: dir, overlay: filepath.Join(dir, "overlay.json"), has: map[int]bool{}, bins: map[string]*binary{}, fine: map[string]*binary{}}
	byFolder := map[string][]int{}
	for i, m := range all {
		if len(m.switched) > 0 {
			byFolder[path.Dir(m.file)] = append(byFolder[path.Dir(m.file)], i)
		}
	}
	folders := make([]string, 0, len(byFolder))
	for f := range byFolder {
		folders = append(folders, f)
	}
	slices.Sort(folders)
	exports, err := b.exports(folders)
	if err != nil {
		return s, err
	}
	replace := map[string]string{}
	for n, f := range folders {
		texts, err := b.rewrite(f, all, byFolder[f], exports, s.has)
		if err != nil {
			return s, fmt.Errorf("%s: %w", f, err)
		}
		for name, text := range texts {
			changed := filepath.Join(dir, fmt.Sprint(n, "-", path.Base(name)))
			replace[filepath.Join(b.root, name)] = changed
			if err := os.WriteFile(changed, text, 0o600); err != nil {
				return s, err
			}
		}
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	return s, errors.Join(err, os.WriteFile(s.overlay, list, 0o600))
}

// exports are the files with what the imported packages export.
func (b *bench) exports(folders []string) (map[string]string, error) {
	args := []string{"list", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}", "cmp", "os", "strconv"}
	for _, f := range folders {
		args = append(args, "./"+f)
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = b.root
	out, err := cmd.Output()
	files := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, file, _ := strings.Cut(strings.TrimSpace(line), "\t")
		files[name] = file
	}
	return files, err
}

// rewrite makes the files of a folder with as many of the mutants as the
// compiler takes: one that it does not take is left to a build of its own.
func (b *bench) rewrite(folder string, all []mutant, which []int, exports map[string]string, has map[int]bool) (map[string][]byte, error) {
	names, err := filepath.Glob(filepath.Join(b.root, folder, "*.go"))
	if err != nil {
		return nil, err
	}
	src := map[string][]byte{}
	for _, n := range names {
		if fits, _ := build.Default.MatchFile(filepath.Split(n)); !fits || strings.HasSuffix(n, "_test.go") {
			continue
		}
		if src[path.Join(folder, filepath.Base(n))], err = os.ReadFile(n); err != nil {
			return nil, err
		}
	}
	check := checker{exports: exports}
	numbers, errs := check.types(folder, src)
	if len(errs) > 0 {
		return nil, errs[0]
	}
	use := map[int]bool{}
	for _, i := range which {
		use[i] = true
		if m := &all[i]; m.number {
			t := numbers[fmt.Sprint(m.file, ":", m.from)]
			if use[i] = t != ""; use[i] {
				m.switched = slices.Clone(m.switched)
				m.switched[0].with = strings.Replace(m.switched[0].with, "?", t, 1)
			}
		}
	}
	for {
		texts, spans := map[string][]byte{}, map[string][]span{}
		for name, text := range src {
			texts[name], spans[name] = spliced(name, text, all, use)
		}
		texts[path.Join(folder, "zz_mutants.go")] = []byte("package " + check.pkg + "\n" + helper)
		_, errs := check.types(folder, texts)
		if len(errs) == 0 {
			for i, yes := range use {
				has[i] = has[i] || yes
			}
			return texts, nil
		}
		dropped := false
		for _, e := range errs {
			var te types.Error
			if !errors.As(e, &te) {
				return nil, e
			}
			at := te.Fset.Position(te.Pos)
			best := span{}
			for _, s := range spans[at.Filename] {
				if s.from <= at.Offset && at.Offset < s.to && use[s.mutant] && (best.to == 0 || s.to-s.from < best.to-best.from) {
					best = s
				}
			}
			if best.to == 0 { // of the function as a whole: a return that is missing
				for _, s := range spans[at.Filename] {
					if strings.HasPrefix(te.Msg, "missing return") && s.to <= at.Offset && s.to > best.to && use[s.mutant] {
						best = s
					}
				}
			}
			if best.to != 0 {
				use[best.mutant], dropped = false, true
			}
		}
		if !dropped {
			return nil, errs[0]
		}
	}
}

// span is where a mutant is in the new text.
type span struct{ from, to, mutant int }

func spliced(file string, text []byte, all []mutant, use map[int]bool) ([]byte, []span) {
	type edit struct {
		splice
		mutant, size int
	}
	var edits []edit
	for i, m := range all {
		if m.file == file && use[i] {
			for _, s := range m.switched {
				s.with = strings.Replace(s.with, "#", strconv.Itoa(i+1), 1)
				edits = append(edits, edit{s, i, m.switched[1].at - m.switched[0].at})
			}
		}
	}
	slices.SortStableFunc(edits, func(a, b edit) int {
		if a.close != b.close && a.at == b.at {
			if a.close {
				return -1
			}
			return 1
		}
		order := cmp.Or(b.size-a.size, a.mutant-b.mutant)
		if a.close {
			order = -order
		}
		return cmp.Or(a.at-b.at, order)
	})
	var out bytes.Buffer
	begin := map[int]int{}
	var spans []span
	done := 0
	for _, e := range edits {
		out.Write(text[done:e.at])
		if _, ok := begin[e.mutant]; !ok {
			begin[e.mutant] = out.Len()
		}
		out.WriteString(e.with)
		if e.close {
			spans = append(spans, span{begin[e.mutant], out.Len(), e.mutant})
		}
		done = e.to
	}
	out.Write(text[done:])
	return out.Bytes(), spans
}

type checker struct {
	exports map[string]string
	pkg     string
}

// types checks a package, and returns the types of its numbers by file and
// offset as far as they can be written.
func (c *checker) types(folder string, src map[string][]byte) (map[string]string, []error) {
	fset := token.NewFileSet()
	var files []*ast.File
	for name, text := range src {
		f, err := parser.ParseFile(fset, name, text, parser.SkipObjectResolution)
		if err != nil {
			return nil, []error{err}
		}
		files = append(files, f)
		c.pkg = f.Name.Name
	}
	var errs []error
	conf := types.Config{
		Importer: importer.ForCompiler(fset, "gc", func(name string) (io.ReadCloser, error) { return os.Open(c.exports[name]) }),
		Error:    func(err error) { errs = append(errs, err) },
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	pkg, _ := conf.Check(folder, fset, files, info)
	numbers := map[string]string{}
	for e, tv := range info.Types {
		lit, ok := e.(*ast.BasicLit)
		if !ok {
			continue
		}
		at := fset.Position(lit.Pos())
		switch t := tv.Type.(type) {
		case *types.Basic:
			if t.Info()&types.IsUntyped == 0 {
				numbers[fmt.Sprint(at.Filename, ":", at.Offset)] = t.Name()
			}
		case *types.Named:
			if t.Obj().Pkg() == pkg {
				numbers[fmt.Sprint(at.Filename, ":", at.Offset)] = t.Obj().Name()
			}
		}
	}
	return numbers, errs
}

// once returns the one of a key.
func (s *switchboard) once(m map[string]*binary, key string) *binary {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m[key] == nil {
		m[key] = new(binary)
	}
	return m[key]
}

// notices reports whether the tests of a suite fail with a mutant.
func (s *switchboard) notices(ctx context.Context, root string, number int, t suite) (bool, error) {
	folder := t.packages[0]
	bin := s.once(s.bins, folder)
	bin.once.Do(func() {
		bin.path = filepath.Join(s.dir, strings.ReplaceAll(folder, "/", "_")+".test")
		cmd := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-overlay", s.overlay, "-o", bin.path, folder)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			bin.err = fmt.Errorf("%s: %w\n%s", folder, err, out)
		}
	})
	if bin.err != nil {
		return false, bin.err
	}
	fine := s.once(s.fine, folder+t.run())
	fine.once.Do(func() {
		start := time.Now()
		out, err := s.run(ctx, root, bin.path, 0, t, patience)
		fine.took = time.Since(start)
		if err != nil {
			fine.err = fmt.Errorf("%s: %w without any mutant\n%s", folder, err, out)
		}
	})
	if fine.err != nil {
		return false, fine.err
	}
	_, err := s.run(ctx, root, bin.path, number, t, 10*time.Second+5*fine.took)
	return err != nil, ctx.Err()
}

func (s *switchboard) run(ctx context.Context, root, bin string, number int, t suite, patience time.Duration) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin, "-test.failfast", "-test.run", t.run())
	cmd.Dir = filepath.Join(root, t.packages[0])
	cmd.Env = append(os.Environ(), variable+"="+strconv.Itoa(number))
	cmd.WaitDelay = 5 * time.Second
	return cmd.CombinedOutput()
}

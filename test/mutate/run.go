package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sealmilter/sealmilter/test/standards"
)

// fate is what became of a mutant.
type fate string

const (
	noticed  fate = "noticed"
	unbuilt  fate = "unbuilt" // does not compile: no mutant
	survived fate = "survived"
)

// patience bounds the tests of one mutant; one that makes them hang is noticed.
const patience = 2 * time.Minute

// elsewhere are folders whose tests need root, other programs, or minutes.
var elsewhere = []string{"test/e2e", "test/packages", "test/siege", "test/local", "test/nameservers"}

// suite is what go test is asked for one row: packages and test names.
type suite struct{ packages, names []string }

func (s suite) run() string { return "^(" + strings.Join(s.names, "|") + ")$" }

// suites of a row, one a folder. A test without a folder may be in any of the
// row's own.
func suites(r standards.Row) []suite {
	byFolder := map[string][]string{}
	for _, t := range r.Tests {
		if strings.HasPrefix(t.Name, "Benchmark") {
			continue
		}
		folders := []string{t.Folder}
		if t.Folder == "" {
			folders = r.Folders()
		}
		for _, f := range folders {
			if !slices.Contains(elsewhere, f) && !slices.Contains(byFolder[f], t.Name) {
				byFolder[f] = append(byFolder[f], t.Name)
			}
		}
	}
	var out []suite
	for f, names := range byFolder {
		out = append(out, suite{[]string{"./" + f}, names})
	}
	// The row's own folder first: it is the quickest to notice.
	slices.SortFunc(out, func(a, b suite) int { return strings.Compare(a.packages[0], b.packages[0]) })
	return out
}

// suitesOf are those of all rows of a mutant, each once; the tests beside it come
// first.
func (b *bench) suitesOf(m mutant) []suite {
	var out []suite
	for _, r := range m.rows {
		for _, s := range suites(b.rows[r]) {
			if !slices.ContainsFunc(out, func(o suite) bool { return o.packages[0] == s.packages[0] && o.run() == s.run() }) {
				out = append(out, s)
			}
		}
	}
	own := "./" + path.Dir(m.file)
	slices.SortStableFunc(out, func(a, b suite) int {
		switch {
		case a.packages[0] == b.packages[0]:
			return 0
		case a.packages[0] == own:
			return -1
		case b.packages[0] == own:
			return 1
		}
		return 0
	})
	return out
}

// try runs the tests of the mutant's rows until one notices.
func (b *bench) try(ctx context.Context, m mutant) (fate, error) {
	overlay, clean, err := b.overlay(m)
	if err != nil {
		return "", err
	}
	defer clean()
	for _, s := range b.suitesOf(m) {
		f, err := b.goTest(ctx, overlay, s.run(), s.packages)
		if err != nil || f != survived {
			return f, err
		}
	}
	return survived, nil
}

var buildFailed = regexp.MustCompile(`\[(build|setup) failed\]`)

func (b *bench) goTest(ctx context.Context, overlay, run string, packages []string) (fate, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	args := append([]string{"test", "-vet=off", "-count=1", "-failfast", "-overlay", overlay, "-run", run}, packages...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = b.root
	// go test has children of its own.
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return survived, nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return noticed, nil
	case ctx.Err() != nil:
		return "", ctx.Err()
	case buildFailed.Match(out):
		return unbuilt, nil
	case errors.As(err, &exit):
		return noticed, nil
	}
	return "", err
}

// overlay has the go command read the changed file without a change of the tree.
func (b *bench) overlay(m mutant) (path string, clean func(), err error) {
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return "", nil, err
	}
	clean = func() { os.RemoveAll(dir) }
	full := filepath.Join(b.root, m.file)
	src, err := os.ReadFile(full)
	if err != nil {
		clean()
		return "", nil, err
	}
	changed := filepath.Join(dir, "changed.go")
	text := slices.Concat(src[:m.from], []byte(m.with), src[m.to:])
	list, err := json.Marshal(map[string]any{"Replace": map[string]string{full: changed}})
	path = filepath.Join(dir, "overlay.json")
	if err = errors.Join(err, os.WriteFile(changed, text, 0o600), os.WriteFile(path, list, 0o600)); err != nil {
		clean()
		return "", nil, err
	}
	return path, clean, nil
}

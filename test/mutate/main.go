// Command mutate changes the code that docs/standards.md names, one place at a
// time, and reports the changes that no test of their row notices. The tree
// itself stays as it is.
//
// A change is a condition turned round, a comparison moved by one, a number one
// more, an entry or a statement left out. Most changes stand side by side in one
// build, each behind a switch; what survives there is built and tried alone.
// What survives and may is in accepted.txt with its reason; an entry there that
// is noticed by now is reported, too.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/sealmilter/sealmilter/test/standards"
)

type bench struct {
	root     string
	rows     []standards.Row
	accepted map[string]string // key to reason
	quick    bool
}

func main() {
	only := flag.String("file", "", "only files whose `path` begins like this")
	line := flag.Int("row", 0, "only the row at this `line` of docs/standards.md")
	quick := flag.Bool("quick", false, "believe what survives in the common build")
	list := flag.Bool("list", false, "print the mutants, try none")
	jobs := flag.Int("j", runtime.NumCPU(), "how many at a time")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	b, err := open(".")
	if err == nil {
		b.quick = *quick
		var all []mutant
		if all, err = b.mutants(*only, *line); err == nil && *list {
			for _, m := range all {
				fmt.Printf("%s:%d: %s\n", m.file, m.line, m.key())
			}
			return
		}
		if err == nil {
			err = b.judge(ctx, os.Stdout, all, *jobs, *only == "" && *line == 0)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func open(root string) (*bench, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	page, err := os.ReadFile(filepath.Join(root, "docs/standards.md"))
	if err != nil {
		return nil, err
	}
	b := &bench{root: root, rows: standards.Rows(string(page))}
	f, err := os.Open(filepath.Join(root, "test/mutate/accepted.txt"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b.accepted, err = readAccepted(f)
	return b, err
}

// readAccepted reads KEY lines, each below the "# " lines of its reason; a
// reason holds until the next one.
func readAccepted(r io.Reader) (map[string]string, error) {
	out := map[string]string{}
	reason, fresh := "", false
	sc := bufio.NewScanner(r)
	for n := 1; sc.Scan(); n++ {
		line := strings.TrimSpace(sc.Text())
		text, comment := strings.CutPrefix(line, "#")
		switch {
		case line == "":
			reason, fresh = "", false
		case comment && fresh:
			reason += " " + strings.TrimSpace(text)
		case comment:
			reason, fresh = strings.TrimSpace(text), true
		case reason == "":
			return nil, fmt.Errorf("accepted.txt:%d: no reason above it", n)
		default:
			out[line], fresh = reason, false
		}
	}
	return out, sc.Err()
}

// mutants of all rows; one that several rows name is tried once, with the
// tests of all of them.
func (b *bench) mutants(prefix string, line int) ([]mutant, error) {
	var all []mutant
	place := map[string]int{}
	for i, r := range b.rows {
		if line != 0 && r.Line != line || len(suites(r)) == 0 {
			continue
		}
		for _, c := range r.Code {
			// A row that names a file alone leaves open which lines it means.
			if len(c.Names) == 0 || !strings.HasPrefix(c.Path, prefix) || !strings.HasSuffix(c.Path, ".go") {
				continue
			}
			src, err := os.ReadFile(filepath.Join(b.root, c.Path))
			if err != nil {
				return nil, err
			}
			ms, err := mutants(c.Path, src, c.Names)
			if err != nil {
				return nil, err
			}
			for _, m := range ms {
				id := fmt.Sprint(m.file, m.from, m.to, m.with)
				if at, ok := place[id]; ok {
					all[at].rows = append(all[at].rows, i)
					continue
				}
				place[id] = len(all)
				m.rows = []int{i}
				all = append(all, m)
			}
		}
	}
	return all, nil
}

// judge tries all and reports. whole says that every mutant of the tree is
// among them, so that accepted ones which do not exist any more can be told.
func (b *bench) judge(ctx context.Context, w io.Writer, all []mutant, jobs int, whole bool) error {
	fates, errs := make([]fate, len(all)), make([]error, len(all))
	board, err := b.newSwitchboard(all)
	if board != nil {
		defer os.RemoveAll(board.dir)
	}
	if err != nil {
		return err
	}
	next := make(chan int)
	var wg sync.WaitGroup
	for range max(jobs, 1) {
		wg.Go(func() {
			for i := range next {
				if board.has[i] {
					fates[i], errs[i] = b.choose(ctx, board, i, all[i])
				}
				if fates[i] != noticed && errs[i] == nil && !(b.quick && board.has[i]) { // the last word has a build with nothing but this change
					fates[i], errs[i] = b.try(ctx, all[i])
				}
				if f := fates[i]; f == survived && b.accepted[all[i].key()] == "" {
					fmt.Fprintf(w, "%s:%d: not noticed: %s\n", all[i].file, all[i].line, all[i].key())
				}
			}
		})
	}
	for i := range all {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	wg.Wait()
	if err := errors.Join(append(errs, ctx.Err())...); err != nil {
		return err
	}
	return b.report(w, all, fates, whole)
}

// choose runs the tests of the mutant's rows from what is built with all of them.
func (b *bench) choose(ctx context.Context, s *switchboard, place int, m mutant) (fate, error) {
	for _, t := range b.suitesOf(m) {
		if yes, err := s.notices(ctx, b.root, place+1, t); yes || err != nil {
			return noticed, err
		}
	}
	return survived, ctx.Err()
}

func (b *bench) report(w io.Writer, all []mutant, fates []fate, whole bool) error {
	count := map[fate]int{}
	var stale []string
	survivors := map[string]bool{}
	open := 0
	for i, f := range fates {
		count[f]++
		if f == survived {
			survivors[all[i].key()] = true
			if b.accepted[all[i].key()] == "" {
				open++
			}
		}
	}
	for k := range b.accepted {
		tried := slices.ContainsFunc(all, func(m mutant) bool { return m.key() == k })
		if (tried || whole) && !survivors[k] {
			stale = append(stale, k)
		}
	}
	slices.Sort(stale)
	for _, k := range stale {
		fmt.Fprintf(w, "accepted, but noticed or gone by now: %s\n", k)
	}
	fmt.Fprintf(w, "%d mutants: %d noticed, %d accepted, %d not noticed; %d more do not compile\n",
		len(all)-count[unbuilt], count[noticed], count[survived]-open, open, count[unbuilt])
	if open > 0 || len(stale) > 0 {
		return errors.New("tests of docs/standards.md that do not bite: sharpen them, or give the reason in test/mutate/accepted.txt")
	}
	return nil
}

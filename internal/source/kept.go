package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/internal/wholefile"
)

// KeptName is the file in the state folder that holds the last good set.
const KeptName = "domains-from"

const (
	// maxNames is what a database may give at most; a name has 253 bytes.
	maxNames = 200_000
	maxKept  = maxNames*254 + maxHead
	maxHead  = 16 << 10

	keptTitle  = "# sealmilter: the domains that sign.domains_from gave last; without this file, the next answer is taken as it is"
	keptOrigin = "# asked: "
	keptCount  = "# names: "
)

// Kept is a set of names that was in use.
type Kept struct {
	Origin string // who was asked what
	Names  []string
	At     time.Time // when the file was written
}

// Path is where dir has the file.
func Path(dir string) string { return filepath.Join(dir, KeptName) }

// Origin is one text for who is asked what: an answer is measured only against
// one to the same question.
func Origin(driver, dsnFile, query string) string {
	return driver + " " + strconv.Quote(dsnFile) + " " + strconv.Quote(query)
}

// Save writes the file as a whole or not at all.
func Save(dir string, k Kept) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n%s%s\n%s%d\n", keptTitle, keptOrigin, k.Origin, keptCount, len(k.Names))
	for _, n := range k.Names {
		b.WriteString(n)
		b.WriteByte('\n')
	}
	if err := wholefile.Write(Path(dir), b.Bytes(), 0o600); err != nil {
		return problem.Fail("install -d "+dir, "keep the domains of the database: %w", err)
	}
	return nil
}

// Gone reports whether there is no file: somebody wants the next answer taken as
// it is. One that cannot be read is not gone.
func Gone(dir string) bool {
	_, err := os.Lstat(Path(dir))
	return errors.Is(err, fs.ErrNotExist)
}

// Load reads the file. Without one the set is empty; a broken one is an error, and
// worth nothing: a part of the domains that looks like all of them would have the
// others' mail go out unsigned.
func Load(dir string, canonical func(string) (string, error)) (Kept, error) {
	path := Path(dir)
	// Root looks, too, at a folder of the daemon's: it does not hang on a FIFO.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return Kept{}, nil
	}
	if err != nil {
		return Kept{}, problem.Fail("", "%w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Kept{}, problem.Fail("", "%w", err)
	}
	if !info.Mode().IsRegular() {
		return Kept{}, problem.Fail("rm "+path, "%s is not a regular file", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxKept+1))
	if err != nil {
		return Kept{}, problem.Fail("", "%w", err)
	}
	k, err := parse(data, canonical)
	if err != nil {
		return Kept{}, problem.Fail("rm "+path, "%s is broken and not used: %w", path, err)
	}
	k.At = info.ModTime()
	return k, nil
}

func parse(data []byte, canonical func(string) (string, error)) (k Kept, err error) {
	if len(data) > maxKept {
		return k, fmt.Errorf("longer than %d bytes", maxKept)
	}
	rest := string(data)
	head := func(prefix string) (value string) {
		line, after, ok := strings.Cut(rest, "\n")
		value, mine := strings.CutPrefix(line, prefix)
		if err == nil && (!ok || !mine) {
			err = fmt.Errorf("no line that begins with %q", prefix)
		}
		rest = after
		return value
	}
	head(keptTitle)
	k.Origin = head(keptOrigin)
	count := head(keptCount)
	if err != nil {
		return k, err
	}
	want, err := strconv.Atoi(count)
	if err != nil || want < 0 || want > maxNames {
		return k, fmt.Errorf("%q is no number of names", clip(count))
	}
	k.Names = make([]string, 0, min(want, len(rest)))
	last := ""
	for line := range strings.Lines(rest) {
		name, whole := strings.CutSuffix(line, "\n")
		c, err := canonical(name)
		if err != nil || c != name || name <= last || !whole {
			return k, fmt.Errorf("%q is no name, or not in its place", clip(name))
		}
		k.Names, last = append(k.Names, name), name
	}
	if len(k.Names) != want {
		return k, fmt.Errorf("%d names of %d", len(k.Names), want)
	}
	return k, nil
}

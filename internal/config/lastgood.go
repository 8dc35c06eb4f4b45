package config

import (
	"bytes"
	"fmt"
	"path/filepath"

	"github.com/sealmilter/sealmilter/internal/wholefile"
)

// LastGoodName is the file in the state directory that holds the last
// configuration that worked.
const LastGoodName = "last-good"

// origin is the first line of the copy: it only stands in for the file that it
// is a copy of.
func origin(from string) []byte {
	if abs, err := filepath.Abs(from); err == nil {
		from = abs
	}
	return fmt.Appendf(nil, "# sealmilter: last good copy of %q\n", from)
}

// SaveLastGood keeps the text of a configuration that worked, the file at from,
// in dir. The copy is replaced as a whole or not at all; the same text is not
// written again.
func SaveLastGood(dir, from string, data []byte) error {
	data = append(origin(from), data...)
	path := filepath.Join(dir, LastGoodName)
	if old, problems := readFile(path); problems == nil && bytes.Equal(old, data) {
		return nil
	}
	if err := wholefile.Write(path, data, 0o600); err != nil {
		return fmt.Errorf("keep the configuration: %w", err)
	}
	return nil
}

// Loaded is what serve runs with.
type Loaded struct {
	Config *Config
	// Data is the text of Config: pass it to SaveLastGood when everything that
	// depends on it has started.
	Data []byte
	// Path the text came from.
	Path string
	// Degraded: the file is bad, and this is the last one that worked.
	Degraded bool
}

// LoadWithFallback reads the file at path, and where it is bad the last good
// one in dir. Config is nil when neither can be used, and always when the file
// is bad and strict is set. The problems are those of the file at path; the
// last one says what is used instead.
func (l Loader) LoadWithFallback(path, dir string, strict bool) (Loaded, Problems) {
	data, problems := readFile(path)
	if problems == nil {
		var c *Config
		if c, problems = l.Parse(path, data); c != nil {
			return Loaded{Config: c, Data: data, Path: path}, problems
		}
	}
	if strict {
		return Loaded{}, problems
	}
	good := filepath.Join(dir, LastGoodName)
	data, missing := readFile(good)
	data, ours := bytes.CutPrefix(data, origin(path))
	if missing != nil || !ours {
		return Loaded{}, problems
	}
	c, bad := l.Parse(good, data)
	if c == nil {
		return Loaded{}, append(problems, bad...)
	}
	return Loaded{Config: c, Data: data, Path: good, Degraded: true}, append(problems, Problem{
		File: path, Severity: Warning, Message: "running with the last configuration that worked, " + good,
		Hint: "correct the file, then: sealmilter reload",
	})
}

// LoadWithFallback reads as Loader.LoadWithFallback does.
func LoadWithFallback(path, dir string, strict bool) (Loaded, Problems) {
	return Loader{}.LoadWithFallback(path, dir, strict)
}

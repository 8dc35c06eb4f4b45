package publisher

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/sealmilter/sealmilter/internal/problem"
)

// trusted returns the program behind path, links followed. Whoever can change it, or
// put another one into its place, runs what they like with our rights: the program
// and every folder on the way must be root's or ours, and nobody else's to write.
func trusted(path string) (string, error) {
	if !filepath.IsAbs(path) {
		return "", problem.Fail("hook: the absolute path of a program; it is not run by a shell, and gets no arguments of yours",
			"hook %q is not an absolute path", path)
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", fmt.Errorf("hook: %w", err)
	}
	info, err := os.Stat(real)
	switch {
	case err != nil:
		return "", fmt.Errorf("hook: %w", err)
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("hook %s: not a file", path)
	}
	way := append(parents(filepath.Clean(path)), parents(real)...)
	slices.Sort(way)
	for _, p := range append(slices.Compact(way), real) {
		if err := othersCannotWrite(p); err != nil {
			return "", err
		}
	}
	if info.Mode().Perm()&0o111 == 0 {
		return "", problem.Fail("chmod 0755 "+quote(real), "hook %s: not executable", real)
	}
	return real, nil
}

func parents(path string) (all []string) {
	for path != "/" {
		path = filepath.Dir(path)
		all = append(all, path)
	}
	return all
}

func othersCannotWrite(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("hook: %w", err)
	}
	if s, ok := info.Sys().(*syscall.Stat_t); !ok || s.Uid != 0 && int(s.Uid) != os.Geteuid() {
		return problem.Fail("chown root: "+quote(path), "hook: %s belongs to another user, who could change what is run", path)
	}
	// In a folder with the sticky bit others make files and touch none of ours.
	sticky := info.IsDir() && info.Mode()&fs.ModeSticky != 0
	if info.Mode().Perm()&0o022 != 0 && !sticky {
		return problem.Fail("chmod go-w "+quote(path), "hook: mode %04o of %s lets other users change what is run", info.Mode().Perm(), path)
	}
	return nil
}

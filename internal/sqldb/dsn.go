package sqldb

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/sealmilter/sealmilter/internal/problem"
)

// maxDSN is more than any DSN has.
const maxDSN = 4096

// readDSN reads the file with the password of a database: one line, comments and
// empty lines apart. Others must not be able to read it, nor to put another
// database in its place.
func readDSN(path string) (string, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // does not hang on a FIFO
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", problem.Fail("make it with mode 0640, owner root, group sealmilter", "%s does not exist", path)
	case errors.Is(err, fs.ErrPermission):
		return "", problem.Fail("chgrp sealmilter "+path+"; chmod 0640 "+path, "%s cannot be read: permission denied", path)
	case err != nil:
		return "", problem.Fail("", "%w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", problem.Fail("", "%w", err)
	}
	if !info.Mode().IsRegular() {
		return "", problem.Fail("dsn_file names a file with one line", "%s is not a regular file", path)
	}
	if err := private(path, info); err != nil {
		return "", err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxDSN+1))
	if err != nil {
		return "", problem.Fail("", "%w", err)
	}
	if len(data) > maxDSN {
		return "", problem.Fail("one line", "%s is longer than %d bytes", path, maxDSN)
	}
	var lines []string
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	if len(lines) != 1 {
		return "", problem.Fail("one line, and comments that begin with #", "%s has %d lines in place of one DSN", path, len(lines))
	}
	return lines[0], nil
}

func private(path string, info fs.FileInfo) error {
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		if me := os.Geteuid(); me != 0 && sys.Uid != 0 && int(sys.Uid) != me {
			return problem.Fail("chown root "+path, "%s belongs to user %d, who could name another database", path, sys.Uid)
		}
	}
	switch perm := info.Mode().Perm(); {
	case perm&0o007 != 0:
		return problem.Fail("chmod 0640 "+path, "%s has mode %04o: every user of this host gets at the database's password", path, perm)
	case perm&0o020 != 0:
		return problem.Fail("chmod 0640 "+path, "%s has mode %04o: its group could name another database", path, perm)
	}
	return nil
}

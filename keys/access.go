package keys

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// uidOf is the owner of a file; the daemon runs on Unix only.
func uidOf(info fs.FileInfo) int {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid)
	}
	return -1
}

// checkFolder warns of a folder in which others can put or replace keys.
func (l *loader) checkFolder(path string, info fs.FileInfo, domain string) {
	if perm := info.Mode().Perm(); info.IsDir() && perm&0o022 != 0 {
		l.report(Problem{Path: path, Domain: domain, Severity: Warning,
			Message: fmt.Sprintf("mode %04o lets other users replace keys", perm), Hint: l.chmod("0700", path)})
	}
}

// accessHint says what must change so that the owner of the keys can read path
// after the system refused with err: the file, or the folder on the way to it
// that is closed.
func (l *loader) accessHint(err error, path string) string {
	if !errors.Is(err, fs.ErrPermission) {
		return ""
	}
	for p := path; ; p = filepath.Dir(p) {
		info, err := os.Lstat(p)
		if errors.Is(err, fs.ErrPermission) && p != filepath.Dir(p) {
			continue // its folder cannot be searched: that is the one to mend
		}
		if err != nil || info.Mode().Type() == fs.ModeSymlink {
			return ""
		}
		mode, need := "0600", fs.FileMode(0o400)
		if info.IsDir() {
			mode, need = "0700", 0o500
		}
		switch {
		case uidOf(info) != l.owner:
			return l.chown(p)
		case info.Mode().Perm()&need != need:
			return l.chmod(mode, p)
		case p == path:
			// SELinux is what our users on Rocky and CentOS meet here.
			return "owner and mode are right: SELinux or AppArmor may forbid it; try " + l.as("restorecon -v "+shellQuote(p))
		}
		return ""
	}
}

// chown: what root pastes must not follow a link that the daemon's user has put
// there since; -R follows none without -H or -L.
func (l *loader) chown(path string) string {
	if l.foreign {
		return "chown -Rh " + userName(l.owner) + ": " + shellQuote(l.dir)
	}
	return "chown -h " + userName(l.owner) + " " + shellQuote(path)
}

// chmod knows no such option, so that the owner is to do it.
func (l *loader) chmod(mode, path string) string {
	return l.as("chmod " + mode + " " + shellQuote(path))
}

// as has the owner of the keys run what root would be told to run in their folder,
// where each name may be a link.
func (l *loader) as(command string) string {
	if (l.euid == 0 || l.forRoot) && l.owner != 0 {
		return "runuser -u " + userName(l.owner) + " -- sh -c " + shellQuote(command)
	}
	return command
}

func newKeyHint(domain string) string { return "sealmilter keys new " + domain }

func (l *loader) parseHint(err error, path, domain string) string {
	q := shellQuote(path)
	switch {
	case errors.Is(err, errEncrypted):
		return l.as("(umask 077; openssl pkey -in " + q + " -out " + shellQuote(path+".plain") + ") && mv " + shellQuote(path+".plain") + " " + q)
	case errors.Is(err, errPublic), errors.Is(err, errSeveral):
		return "the file must hold the one private key; its public half goes into the DNS: sealmilter dns " + domain
	case errors.Is(err, errOpenSSH), errors.Is(err, errNoPEM):
		return "the file must hold a private key in PEM: -----BEGIN PRIVATE KEY----- or -----BEGIN RSA PRIVATE KEY-----"
	case errors.Is(err, errBrokenPEM), errors.Is(err, errBrokenKey):
		return "restore the file from a copy, or make new keys: " + newKeyHint(domain)
	}
	return newKeyHint(domain)
}

package keys

import (
	"io/fs"
	"strings"
	"syscall"
)

// stamp tells one state of a file from another: a key whose file is as it was need not
// be parsed again.
type stamp struct {
	dev, ino         uint64
	size             int64
	modified, status syscall.Timespec
}

func stampOf(info fs.FileInfo) stamp {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return stamp{}
	}
	return stamp{uint64(st.Dev), st.Ino, st.Size, st.Mtim, st.Ctim}
}

// alive is the key with its life as it is now. One that can no longer be read stays as
// it was read last.
func (l *loader) alive(k *Key) *Key {
	if l.root == nil {
		return k
	}
	c := *k
	var err error
	c.life, err = readLife(l.root, k.Domain, k.Selector)
	if err == nil {
		return &c
	}
	p := Problem{Path: strings.TrimSuffix(k.path, keyExt) + lifeExt, Domain: k.Domain, Severity: Warning,
		Message: "cannot be used: " + reason(err) + "; the key signs when the DNS shows its record", Hint: "the daemon writes it anew then"}
	if old := l.previous.at(k.path); old != nil && !old.life.unread {
		c.life = old.life
		p.Message = "cannot be used: " + reason(err) + "; what was read earlier counts until the daemon restarts"
	}
	l.report(p)
	return &c
}

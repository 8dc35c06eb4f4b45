package doctor

import (
	"net"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/internal/address"
)

// Socket is an address at which the daemon listens, or an MTA looks for it.
type Socket struct {
	Network string // "unix" or "tcp"
	Addr    string // path, or host:port
}

// Target is a socket to connect to as the MTA will, for Reached.
type Target struct {
	Socket
	Text    string // as the MTA's configuration says it
	User    string // the account that connects
	Chroot  string // the folder that it sees as /, "" for none
	Service string // which part of the MTA: smtpd, cleanup, sendmail
	Dir     string // of main.cf, where it is not Postfix's own; else ""
}

// Reached is the finding about a target; err is what connecting and
// negotiating came to. asUser says whether it was tried with the MTA's rights.
func Reached(t Target, asUser bool, err error) Finding {
	f := Finding{Level: Pass, Check: "socket", Subject: t.Text, Message: t.Service + " reaches the daemon"}
	if asUser {
		f.Message += " as user " + t.User
	} else {
		f.Message = "the daemon answers; whether user " + t.User + " may connect was not tried: that takes root"
	}
	if err == nil {
		return f
	}
	if !asUser && strings.Contains(err.Error(), "permission denied") {
		f.Level, f.Message = Warn, "whether "+t.Service+" reaches the daemon was not tried: the socket is not for us"
		f.Seen, f.Want = clip(err.Error()), "run doctor as root (sudo)"
		return f
	}
	f.Level, f.Message, f.Seen = Fail, t.Service+" does not reach the daemon: until it does, mail waits (451) or goes out unsigned", clip(err.Error())
	text := err.Error()
	switch {
	case strings.Contains(text, "permission denied"):
		f.Want = "the socket's group is one of user " + t.User + "'s, mode 0660, and the folders above let it through"
		f.Paste = "namei -l " + t.Addr + "   # shows which folder or file refuses"
	case t.Chroot != "" && filepath.IsAbs(strings.TrimPrefix(t.Text, "unix:")) && strings.Contains(text, "no such file"):
		f.Want = t.Service + " is chrooted to " + t.Chroot + ": listen below it, and give Postfix the path relative to it"
		f.Paste = "sealmilter setup postfix --domain YOUR.DOMAIN   # listens at " + filepath.Join(t.Chroot, "sealmilter/milter.sock") + ", main.cf has unix:sealmilter/milter.sock"
	case t.Service != "sendmail" && strings.Contains(text, "no such file"):
		f.Want = "the socket, which set-up has systemd open in Postfix's queue when Postfix is newer here than sealmilter"
		instance := ""
		if t.Dir != "" {
			instance = " --postfix-config " + shellWord(t.Dir)
		}
		f.Paste = "sealmilter setup postfix" + instance + " --domain YOUR.DOMAIN   # or, where it was there before: systemctl restart sealmilter.socket sealmilter"
	default:
		f.Want, f.Paste = "the running daemon", "systemctl status sealmilter"
	}
	return f
}

// isOurs reports whether an MTA's milter is us: one of our listeners, or by
// name, since systemd may listen for us.
func isOurs(s Socket, text string, listens []Socket) bool {
	return strings.Contains(text, "sealmilter") || slices.ContainsFunc(listens, func(l Socket) bool {
		return l == s || l.Network == "tcp" && s.Network == "tcp" && sameTCP(l.Addr, s.Addr)
	})
}

// sameTCP takes all spellings of this host for one.
func sameTCP(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	return errA == nil && errB == nil && portA == portB && (hostA == hostB || here(hostA) && here(hostB))
}

func here(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || host == "localhost" || ip != nil && (ip.IsLoopback() || ip.IsUnspecified())
}

// parseSocket reads both MTAs' notations. dir is what a relative path starts at.
func parseSocket(text, dir string) (Socket, bool) {
	network, addr, ok := address.Milter(text, dir)
	return Socket{network, addr}, ok
}

package doctor

import (
	"net"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/internal/address"
	"github.com/sealmilter/sealmilter/internal/doctor/words"
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
	f := Finding{Level: Pass, Check: "socket", Subject: t.Text, Message: words.Say("%s reaches the daemon as user %s", t.Service, t.User)}
	if !asUser {
		f.Message = words.Say("the daemon answers; whether user %s may connect was not tried: that takes root", t.User)
	}
	if err == nil {
		return f
	}
	f.Who = You
	if !asUser && strings.Contains(err.Error(), "permission denied") {
		f.Level, f.Message = Warn, words.Say("whether %s reaches the daemon was not tried: the socket is not for us", t.Service)
		f.Seen, f.Want = show(err.Error()), words.Say("run doctor as root (sudo)")
		return f
	}
	f.Level, f.Message, f.Seen = Fail, words.Say("%s does not reach the daemon: until it does, mail waits (451) or goes out unsigned", t.Service), show(err.Error())
	text := err.Error()
	switch {
	case strings.Contains(text, "permission denied"):
		f.Want = words.Say("the socket's group is one of user %s's, mode 0660, and the folders above let it through", t.User)
		f.Paste = words.Data("namei -l " + t.Addr + "   ").And(words.Say("# shows which folder or file refuses"))
	case t.Chroot != "" && filepath.IsAbs(strings.TrimPrefix(t.Text, "unix:")) && strings.Contains(text, "no such file"):
		f.Want = words.Say("%s is chrooted to %s: listen below it, and give Postfix the path relative to it", t.Service, t.Chroot)
		f.Paste = words.Data("sealmilter setup postfix --domain YOUR.DOMAIN   ").And(words.Say("# listens at %s, main.cf has unix:sealmilter/milter.sock", filepath.Join(t.Chroot, "sealmilter/milter.sock")))
	case t.Service != "sendmail" && strings.Contains(text, "no such file"):
		f.Want = words.Say("the socket, which set-up has systemd open in Postfix's queue when Postfix is newer here than sealmilter")
		instance := ""
		if t.Dir != "" {
			instance = " --postfix-config " + shellWord(t.Dir)
		}
		f.Paste = words.Data("sealmilter setup postfix" + instance + " --domain YOUR.DOMAIN   ").And(words.Say("# or, where it was there before: systemctl restart sealmilter.socket sealmilter"))
	default:
		f.Want, f.Paste = words.Say("the running daemon"), words.Data("systemctl status sealmilter")
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

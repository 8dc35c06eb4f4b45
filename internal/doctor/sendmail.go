package doctor

import (
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// SendmailConf is what Sendmail is told.
type SendmailConf struct {
	CF string // the text of sendmail.cf: what counts
	MC string // the text of sendmail.mc, "" without one
	// Mode of a folder, for Sendmail's safety rules; nil leaves that check out.
	Mode func(dir string) (fs.FileMode, error)
}

// Helo is the name that Sendmail is told to be (Dj), "" when it finds out itself.
func (s SendmailConf) Helo() string {
	for line := range strings.Lines(s.CF) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "Dj"); ok && !strings.Contains(name, "$") {
			return name
		}
	}
	return ""
}

// Sendmail checks that Sendmail hands its mail to us, and returns the socket to try.
func Sendmail(c SendmailConf, listens []Socket) ([]Finding, []Target) {
	mcLine := "INPUT_MAIL_FILTER(`sealmilter', `S=" + sendmailAddress(listens) + ", F=T')dnl"
	f := Finding{Level: Fail, Check: "mta", Subject: "sendmail.cf", Message: "Sendmail does not hand us anything: mail is neither signed nor checked", Want: mcLine,
		Paste: mcLine + "   # in /etc/mail/sendmail.mc, above MAILER; then: make -C /etc/mail && systemctl restart sendmail"}
	x, active := sendmailFilters(c.CF)
	for _, m := range x {
		s, ok := parseSocket(m.socket, "/")
		if !ok || !isOurs(s, m.name+" "+m.socket, listens) {
			continue
		}
		if !slices.Contains(active, m.name) {
			f.Message = "the filter " + clip(m.name) + " is defined and not used: it is missing in O InputMailFilters"
			return []Finding{f}, nil
		}
		all := []Finding{{Level: Pass, Check: "mta", Subject: "sendmail.cf", Message: "hands its mail to " + clip(m.socket) + "; without us mail waits (F=T)"}}
		if m.flags != "T" {
			all[0] = Finding{Level: Warn, Check: "mta", Subject: "sendmail.cf", Seen: "F=" + clip(m.flags), Want: "F=T: mail waits a moment", Paste: f.Paste,
				Message: "while the daemon is down, mail goes out unsigned and comes in unchecked"}
			if m.flags == "R" {
				all[0].Level, all[0].Message = Fail, "while the daemon is down, mail is refused for good (F=R)"
			}
		}
		if s.Network == "unix" && c.Mode != nil {
			if mode, err := c.Mode(filepath.Dir(s.Addr)); err == nil && mode.Perm()&0o022 != 0 {
				all = append(all, Finding{Level: Fail, Check: "socket", Subject: s.Addr, Seen: mode.String(), Want: "a folder that only its owner can write to",
					Message: "Sendmail calls a socket in such a folder unsafe and does not use it", Paste: "chmod go-w " + filepath.Dir(s.Addr)})
			}
		}
		return all, []Target{{Socket: s, Text: m.socket, User: "root", Service: "sendmail"}}
	}
	if strings.Contains(c.MC, "sealmilter") && strings.Contains(c.MC, "INPUT_MAIL_FILTER") {
		f.Message = "sendmail.mc names us and sendmail.cf does not: it was not built again"
		f.Paste = "make -C /etc/mail && systemctl restart sendmail"
	}
	return []Finding{f}, nil
}

func sendmailAddress(listens []Socket) string {
	for _, l := range listens {
		if l.Network == "unix" {
			return "local:" + l.Addr
		}
	}
	return "local:/run/sealmilter/milter.sock"
}

type sendmailFilter struct{ name, socket, flags string }

// sendmailFilters reads X lines and the list of those in use.
func sendmailFilters(cf string) (all []sendmailFilter, active []string) {
	for line := range strings.Lines(cf) {
		line = strings.TrimSpace(line)
		if list, ok := strings.CutPrefix(line, "O InputMailFilters="); ok {
			for n := range strings.SplitSeq(list, ",") {
				active = append(active, strings.TrimSpace(n))
			}
			continue
		}
		if !strings.HasPrefix(line, "X") {
			continue
		}
		parts := strings.Split(line[1:], ",")
		m := sendmailFilter{name: strings.TrimSpace(parts[0])}
		for _, p := range parts[1:] {
			name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
			switch name {
			case "S":
				m.socket = value
			case "F":
				m.flags = value
			}
		}
		all = append(all, m)
	}
	return all, active
}

package doctor

import (
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/internal/sendmail"
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
	defined, used := sendmail.Built(c.CF)
	for _, m := range defined {
		socket, flags := sendmail.Equate(m.Spec, "S"), sendmail.Equate(m.Spec, "F")
		s, ok := parseSocket(socket, "/")
		if !ok || !isOurs(s, m.Name+" "+socket, listens) {
			continue
		}
		if !slices.Contains(used, m.Name) {
			f.Message = "the filter " + clip(m.Name) + " is defined and not used: it is missing in O InputMailFilters"
			return []Finding{f}, nil
		}
		all := []Finding{{Level: Pass, Check: "mta", Subject: "sendmail.cf", Message: "hands its mail to " + clip(socket) + "; without us mail waits (F=T)"}}
		if flags != "T" {
			all[0] = Finding{Level: Warn, Check: "mta", Subject: "sendmail.cf", Seen: "F=" + clip(flags), Want: "F=T: mail waits a moment", Paste: f.Paste,
				Message: "while the daemon is down, mail goes out unsigned and comes in unchecked"}
			if flags == "R" {
				all[0].Level, all[0].Message = Fail, "while the daemon is down, mail is refused for good (F=R)"
			}
		}
		if s.Network == "unix" && c.Mode != nil {
			if mode, err := c.Mode(filepath.Dir(s.Addr)); err == nil && mode.Perm()&0o022 != 0 {
				all = append(all, Finding{Level: Fail, Check: "socket", Subject: s.Addr, Seen: mode.String(), Want: "a folder that only its owner can write to",
					Message: "Sendmail calls a socket in such a folder unsafe and does not use it", Paste: "chmod go-w " + filepath.Dir(s.Addr)})
			}
		}
		return all, []Target{{Socket: s, Text: socket, User: "root", Service: "sendmail"}}
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

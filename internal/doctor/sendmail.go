package doctor

import (
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/internal/doctor/words"
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
	f := Finding{Level: Fail, Check: "mta", Subject: "sendmail.cf", Message: words.Say("Sendmail does not hand us anything: mail is neither signed nor checked"), Want: words.Data(mcLine),
		Paste: words.Data(mcLine + "   ").And(words.Say("# in /etc/mail/sendmail.mc, above MAILER; then: make -C /etc/mail && systemctl restart sendmail")), Who: You}
	defined, used := sendmail.Built(c.CF)
	for _, m := range defined {
		socket, flags := sendmail.Equate(m.Spec, "S"), sendmail.Equate(m.Spec, "F")
		s, ok := parseSocket(socket, "/")
		if !ok || !isOurs(s, m.Name+" "+socket, listens) {
			continue
		}
		if !slices.Contains(used, m.Name) {
			f.Message = words.Say("the filter %s is defined and not used: it is missing in O InputMailFilters", clip(m.Name))
			return []Finding{f}, nil
		}
		all := []Finding{{Level: Pass, Check: "mta", Subject: "sendmail.cf", Message: words.Say("hands its mail to %s; without us mail waits (F=T)", clip(socket))}}
		if flags != "T" {
			all[0] = Finding{Level: Warn, Check: "mta", Subject: "sendmail.cf", Seen: words.Data("F=" + clip(flags)), Want: words.Say("F=T: mail waits a moment"), Paste: f.Paste, Who: You,
				Message: words.Say("while the daemon is down, mail goes out unsigned and comes in unchecked")}
			if flags == "R" {
				all[0].Level, all[0].Message = Fail, words.Say("while the daemon is down, mail is refused for good (F=R)")
			}
		}
		if s.Network == "unix" && c.Mode != nil {
			if mode, err := c.Mode(filepath.Dir(s.Addr)); err == nil && mode.Perm()&0o022 != 0 {
				all = append(all, Finding{Level: Fail, Check: "socket", Subject: s.Addr, Seen: words.Data(mode.String()), Who: You,
					Want: words.Say("a folder that only its owner can write to"), Message: words.Say("Sendmail calls a socket in such a folder unsafe and does not use it"),
					Paste: words.Data("chmod go-w " + filepath.Dir(s.Addr))})
			}
		}
		all = append(all, sendmailOrder(defined, used, m.Name)...)
		return all, []Target{{Socket: s, Text: socket, User: "root", Service: "sendmail"}}
	}
	if strings.Contains(c.MC, "sealmilter") && strings.Contains(c.MC, "INPUT_MAIL_FILTER") {
		f.Message = words.Say("sendmail.mc names us and sendmail.cf does not: it was not built again")
		f.Paste = words.Data("make -C /etc/mail && systemctl restart sendmail")
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

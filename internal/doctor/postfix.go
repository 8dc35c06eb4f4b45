package doctor

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/internal/doctor/words"
	"github.com/sealmilter/sealmilter/internal/postfix"
)

// postfixNames are the parameters that Postfix wants of postconf.
var postfixNames = []string{
	"smtpd_milters", "non_smtpd_milters", "milter_default_action", "milter_macro_daemon_name", "milter_protocol",
	"internal_mail_filter_classes", "queue_directory", "mail_owner", "myhostname", "smtp_helo_name", "compatibility_level", "mail_version", "receive_override_options",
	"milter_header_checks", "header_checks", "inet_protocols",
}

// PostfixNames lists the parameters that PostfixConf.Main should hold.
func PostfixNames() []string { return slices.Clone(postfixNames) }

// PostfixConf is what Postfix is told.
type PostfixConf struct {
	Dir    string         // of main.cf, where it is not Postfix's own; else ""
	Main   postfix.Values // effective, of PostfixNames
	Master string         // the text of master.cf
}

// Helo is the name that Postfix says to the world.
func (p PostfixConf) Helo() string {
	if h := p.Main["smtp_helo_name"]; h != "" && !strings.Contains(h, "$") {
		return h
	}
	return p.Main["myhostname"]
}

// postconf is the command that edits main.cf and has Postfix take it up.
func (p PostfixConf) postconf(args string) words.Text {
	dir := ""
	if p.Dir != "" {
		dir = "-c " + shellWord(p.Dir) + " "
	}
	return words.Data("postconf " + dir + args + " && postfix " + dir + "reload")
}

// shellWord is s as one word of a shell.
func shellWord(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+:@%,=") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func (p PostfixConf) queue() string {
	if q := p.Main["queue_directory"]; q != "" {
		return q
	}
	return "/var/spool/postfix"
}

// Postfix checks that Postfix hands its mail to us, and returns the sockets to
// try. daemonNames is outbound.daemon_names.
func Postfix(p PostfixConf, listens []Socket, daemonNames []string) ([]Finding, []Target) {
	var all []Finding
	var targets []Target
	address := ourAddress(p, listens)
	for _, list := range []struct {
		name, service string
		without       words.Text
		missing       Level
	}{
		{"smtpd_milters", "smtpd", words.Say("mail that comes by SMTP is neither signed nor checked"), Fail},
		{"non_smtpd_milters", "cleanup", words.Say("mail of local programs (sendmail, cron) is not signed"), Warn},
	} {
		found := false
		for _, m := range postfix.Milters(p.Main[list.name]) {
			s, ok := parseSocket(m.Address, p.queue())
			if !ok || !isOurs(s, m.Address, listens) {
				all = append(all, p.neighbour(list.name, m.Address, found))
				continue
			}
			found = true
			t := Target{Socket: s, Text: m.Address, User: p.Main["mail_owner"], Service: list.service, Dir: p.Dir}
			if t.User == "" {
				t.User = "postfix"
			}
			if s.Network == "unix" && p.chrooted(list.service) {
				t.Chroot = p.queue()
				if path := strings.TrimPrefix(m.Address, "unix:"); filepath.IsAbs(path) {
					t.Addr = filepath.Join(p.queue(), path)
				}
			}
			if !slices.ContainsFunc(targets, func(o Target) bool { return o.Socket == t.Socket }) {
				targets = append(targets, t)
			}
			all = append(all, action(list.name, m, p))
		}
		if !found {
			value := strings.TrimSpace(p.Main[list.name] + " " + address)
			all = append(all, Finding{Level: list.missing, Check: "mta", Subject: list.name, Message: words.Say("Postfix does not hand us anything here: %s", list.without), Who: You,
				Seen: show(p.Main[list.name]), Want: show(value).And(chrootNote(p, listens)), Paste: p.postconf("-e '" + list.name + " = " + clip(value) + "'")})
		}
	}
	return append(append(all, settings(p, listens, daemonNames)...), hidden(p)...), targets
}

// hidden looks for a Postfix that keeps the first field of a message from us
// (docs/decisions/0023).
func hidden(p PostfixConf) []Finding {
	if !p.Main.HidesFirst() {
		return nil
	}
	f := Finding{Level: Warn, Check: "mta", Subject: "Postfix " + clip(p.Main["mail_version"]), Want: words.Say("Postfix 2.10.5, 2.11.3 or later"), Who: You,
		Message: words.Say("it hides the first header field of every message from milters; mostly that is its own Received")}
	checks := postfix.Host{Master: postfix.ParseMaster(p.Master), Values: p.Main}.HeaderChecks()
	if checks != "" {
		f.Level, f.Seen = Fail, show("header_checks = "+checks)
		f.Message = f.Message.And(words.Say(". Where header_checks drop that one it is the sender's first field: From is not seen, mail leaves unsigned, forged results stay"))
		f.Want = f.Want.And(words.Say("; until then no header_checks that drop Received (smtp_header_checks drop it when mail leaves)"))
	}
	return []Finding{f}
}

// action looks at what Postfix does while we are away.
func action(list string, m postfix.Milter, p PostfixConf) Finding {
	act := m.DefaultAction
	if act == "" {
		act = p.Main["milter_default_action"]
	}
	f := Finding{Level: Pass, Check: "mta", Subject: list, Message: words.Say("hands its mail to %s; without us mail waits", clip(m.Address))}
	switch act {
	case "tempfail", "":
	case "accept":
		f.Level, f.Message = Warn, words.Say("while the daemon is down, mail goes out unsigned and comes in unchecked (milter_default_action = accept)")
		f.Want, f.Who = words.Say("tempfail: mail waits a moment"), You
		f.Paste = p.postconf("-e 'milter_default_action = tempfail'")
	default:
		f.Level, f.Message = Fail, words.Say("while the daemon is down, mail is refused for good: the default action is %s", clip(act))
		f.Want, f.Who = words.Data("tempfail"), You
		f.Paste = p.postconf("-e 'milter_default_action = tempfail'")
	}
	return f
}

// ourAddress is how main.cf should name us: relative to the queue where the
// socket lies there, which is right with and without a chroot.
func ourAddress(p PostfixConf, listens []Socket) string {
	for _, l := range listens {
		if rel, ok := strings.CutPrefix(l.Addr, p.queue()+"/"); ok && l.Network == "unix" {
			return "unix:" + rel
		}
	}
	switch {
	case len(listens) == 0 || listens[0].Network == "unix" && p.chrooted("smtpd"):
		return "unix:sealmilter/milter.sock" // the only place that both can see
	case listens[0].Network == "unix":
		return "unix:" + listens[0].Addr
	}
	return "inet:" + listens[0].Addr
}

// chrootNote says where a chrooted Postfix wants the socket, when we listen
// elsewhere.
func chrootNote(p PostfixConf, listens []Socket) words.Text {
	if !p.chrooted("smtpd") || slices.ContainsFunc(listens, func(l Socket) bool {
		return l.Network != "unix" || strings.HasPrefix(l.Addr, p.queue()+"/")
	}) {
		return words.Text{}
	}
	return words.Say("; smtpd is chrooted, so that milter.yaml needs listen: [\"%s\"]; `sealmilter setup postfix` does all of it", "unix:"+filepath.Join(p.queue(), "sealmilter/milter.sock"))
}

// loopback: a service for programs of this host, as a content filter's way back.
func loopback(s postfix.Service) bool {
	return strings.HasPrefix(s.Name, "127.") || strings.HasPrefix(s.Name, "localhost:") || strings.HasPrefix(s.Name, "[::1]") || s.Type == "unix"
}

// chrooted reports whether the first service that runs a command is.
func (p PostfixConf) chrooted(command string) bool {
	for _, s := range postfix.ParseMaster(p.Master).Services() {
		if s.Command == command {
			return p.Main.Chrooted(s)
		}
	}
	return false
}

// NoMTA is the finding where neither Postfix nor Sendmail is here.
func NoMTA() Finding {
	return Finding{Level: Warn, Check: "mta", Subject: "this host", Who: You,
		Message: words.Say("neither Postfix nor Sendmail was found, so that nothing is known about the way of the mail"), Want: words.Say("run doctor on the host that sends the mail")}
}

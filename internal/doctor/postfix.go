package doctor

import (
	"path/filepath"
	"slices"
	"strings"
)

// PostfixNames are the parameters that Postfix wants of postconf.
var postfixNames = []string{
	"smtpd_milters", "non_smtpd_milters", "milter_default_action", "milter_macro_daemon_name", "milter_protocol",
	"internal_mail_filter_classes", "queue_directory", "mail_owner", "myhostname", "smtp_helo_name", "compatibility_level", "receive_override_options",
}

// PostfixNames lists the parameters that PostfixConf.Main should hold.
func PostfixNames() []string { return slices.Clone(postfixNames) }

// PostfixConf is what Postfix is told.
type PostfixConf struct {
	Main   map[string]string // effective values by name: ParsePostconf
	Master string            // the text of master.cf
}

// ParsePostconf reads what postconf prints: NAME = VALUE lines.
func ParsePostconf(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(line, "="); ok {
			out[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	return out
}

// Helo is the name that Postfix says to the world.
func (p PostfixConf) Helo() string {
	if h := p.Main["smtp_helo_name"]; h != "" && !strings.Contains(h, "$") {
		return h
	}
	return p.Main["myhostname"]
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
		name, service, without string
		missing                Level
	}{
		{"smtpd_milters", "smtpd", "mail that comes by SMTP is neither signed nor checked", Fail},
		{"non_smtpd_milters", "cleanup", "mail of local programs (sendmail, cron) is not signed", Warn},
	} {
		service := master(p, list.service)
		found := false
		for _, m := range milters(p.Main[list.name]) {
			s, ok := parseSocket(m.text, p.queue())
			if !ok || !isOurs(s, m.text, listens) {
				all = append(all, Finding{Level: Warn, Check: "mta", Subject: list.name, Seen: clip(m.text),
					Message: "another filter is in the chain: when it signs or changes messages after us, our signatures break", Want: "no second DKIM signer, and us last"})
				continue
			}
			found = true
			t := Target{Socket: s, Text: m.text, User: p.Main["mail_owner"], Service: list.service}
			if t.User == "" {
				t.User = "postfix"
			}
			if s.Network == "unix" && service.chroot {
				t.Chroot = p.queue()
				if path := strings.TrimPrefix(m.text, "unix:"); filepath.IsAbs(path) {
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
			all = append(all, Finding{Level: list.missing, Check: "mta", Subject: list.name, Message: "Postfix does not hand us anything here: " + list.without,
				Seen: clip(p.Main[list.name]), Want: clip(value) + chrootNote(p, listens), Paste: "postconf -e '" + list.name + " = " + clip(value) + "' && postfix reload"})
		}
	}
	return append(all, settings(p, listens, daemonNames)...), targets
}

// action looks at what Postfix does while we are away.
func action(list string, m filter, p PostfixConf) Finding {
	act := m.action
	if act == "" {
		act = p.Main["milter_default_action"]
	}
	f := Finding{Level: Pass, Check: "mta", Subject: list, Message: "hands its mail to " + clip(m.text) + "; without us mail waits"}
	switch act {
	case "tempfail", "":
	case "accept":
		f.Level, f.Message, f.Want = Warn, "while the daemon is down, mail goes out unsigned and comes in unchecked (milter_default_action = accept)", "tempfail: mail waits a moment"
		f.Paste = "postconf -e 'milter_default_action = tempfail' && postfix reload"
	default:
		f.Level, f.Message, f.Want = Fail, "while the daemon is down, mail is refused for good: the default action is "+clip(act), "tempfail"
		f.Paste = "postconf -e 'milter_default_action = tempfail' && postfix reload"
	}
	return f
}

// settings checks what decides about directions.
func settings(p PostfixConf, listens []Socket, daemonNames []string) []Finding {
	var all []Finding
	if name := p.Main["milter_macro_daemon_name"]; slices.ContainsFunc(daemonNames, func(d string) bool { return strings.EqualFold(d, name) }) {
		all = append(all, Finding{Level: Fail, Check: "mta", Subject: "milter_macro_daemon_name", Seen: clip(name),
			Message: "it stands in main.cf, where it makes all mail of the Internet ours: it would be signed and not checked",
			Want:    "only below the submission services in master.cf", Paste: "postconf -X milter_macro_daemon_name && postfix reload"})
	}
	if v := p.Main["milter_protocol"]; v != "" && v < "6" && len(v) == 1 {
		all = append(all, Finding{Level: Warn, Check: "mta", Subject: "milter_protocol", Seen: clip(v), Message: "an old version of the protocol", Want: "6", Paste: "postconf -X milter_protocol && postfix reload"})
	}
	if !strings.Contains(p.Main["internal_mail_filter_classes"], "bounce") {
		all = append(all, Finding{Level: Warn, Check: "mta", Subject: "internal_mail_filter_classes", Seen: clip(p.Main["internal_mail_filter_classes"]),
			Message: "bounces that Postfix writes itself are not signed", Want: "bounce", Paste: "postconf -e 'internal_mail_filter_classes = bounce' && postfix reload"})
	}
	for _, s := range services(p) {
		if s.command != "smtpd" || s.loopback() {
			continue
		}
		list, overridden := s.options["smtpd_milters"]
		ours := slices.ContainsFunc(milters(list), func(m filter) bool {
			sock, ok := parseSocket(m.text, p.queue())
			return ok && isOurs(sock, m.text, listens) || strings.Contains(m.text, "$")
		})
		if overridden && !ours || strings.Contains(s.options["receive_override_options"], "no_milters") {
			all = append(all, Finding{Level: Warn, Check: "mta", Subject: "master.cf " + clip(s.name), Seen: clip("smtpd_milters=" + list),
				Message: "this service has its own setting, so that its mail does not come to us", Want: "no -o smtpd_milters= and no no_milters here"})
		}
	}
	return all
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
	case len(listens) == 0 || listens[0].Network == "unix" && master(p, "smtpd").chroot:
		return "unix:sealmilter/milter.sock" // the only place that both can see
	case listens[0].Network == "unix":
		return "unix:" + listens[0].Addr
	}
	return "inet:" + listens[0].Addr
}

// chrootNote says where a chrooted Postfix wants the socket, when we listen
// elsewhere.
func chrootNote(p PostfixConf, listens []Socket) string {
	if !master(p, "smtpd").chroot || slices.ContainsFunc(listens, func(l Socket) bool {
		return l.Network != "unix" || strings.HasPrefix(l.Addr, p.queue()+"/")
	}) {
		return ""
	}
	return "; smtpd is chrooted, so that milter.yaml needs listen: [\"unix:" + filepath.Join(p.queue(), "sealmilter/milter.sock") + "\"]"
}

// milters splits a list of main.cf: addresses, or { address, name=value ... }.
func milters(list string) []filter {
	var out []filter
	for list = strings.TrimLeft(list, ", \t\r\n"); list != ""; list = strings.TrimLeft(list, ", \t\r\n") {
		if list[0] != '{' {
			i := strings.IndexAny(list, ", \t\r\n")
			if i < 0 {
				i = len(list)
			}
			out, list = append(out, filter{text: list[:i]}), list[i:]
			continue
		}
		inner, rest, _ := strings.Cut(list[1:], "}")
		list = rest
		words := strings.FieldsFunc(inner, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) })
		if len(words) == 0 {
			continue
		}
		m := filter{text: words[0]}
		for i, w := range words {
			name, value, ok := strings.Cut(w, "=")
			if ok && name == "default_action" {
				m.action = value
				if value == "" && i+1 < len(words) {
					m.action = words[i+1] // default_action= tempfail
				}
			}
			if w == "default_action" && i+2 < len(words) && words[i+1] == "=" {
				m.action = words[i+2]
			}
		}
		out = append(out, m)
	}
	return out
}

// service is one entry of master.cf.
type service struct {
	name, typ, command string
	chroot             bool
	options            map[string]string // -o
}

// loopback: a service for programs of this host, as a content filter's way back.
func (s service) loopback() bool {
	return strings.HasPrefix(s.name, "127.") || strings.HasPrefix(s.name, "localhost:") || strings.HasPrefix(s.name, "[::1]") || s.typ == "unix"
}

// master is the first service that runs a command, zero without one.
func master(p PostfixConf, command string) service {
	for _, s := range services(p) {
		if s.command == command {
			return s
		}
	}
	return service{}
}

// services reads master.cf: a service a logical line, continued by white space.
func services(p PostfixConf) []service {
	var logical []string
	for line := range strings.Lines(p.Master) {
		line = strings.TrimRight(line, "\r\n")
		switch trimmed := strings.TrimSpace(line); {
		case trimmed == "" || trimmed[0] == '#':
		case (line[0] == ' ' || line[0] == '\t') && len(logical) > 0:
			logical[len(logical)-1] += " " + trimmed
		default:
			logical = append(logical, trimmed)
		}
	}
	var out []service
	for _, l := range logical {
		w := words(l)
		if len(w) < 8 {
			continue
		}
		s := service{name: w[0], typ: w[1], command: w[7], options: map[string]string{}}
		// master(5): "-" is y before compatibility level 1, and n from there on.
		level := p.Main["compatibility_level"]
		s.chroot = w[4] == "y" || w[4] == "-" && (level == "" || level == "0")
		for i := 8; i < len(w); i++ {
			option, ok := strings.CutPrefix(w[i], "-o")
			if !ok {
				continue
			}
			if option == "" && i+1 < len(w) {
				i++
				option = w[i]
			}
			if name, value, ok := strings.Cut(option, "="); ok {
				s.options[strings.TrimSpace(name)] = strings.TrimSpace(value)
			}
		}
		out = append(out, s)
	}
	return out
}

// words splits at white space, { ... } kept whole and without its braces.
func words(line string) []string {
	var out []string
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		if line[0] == '{' {
			inner, rest, _ := strings.Cut(line[1:], "}")
			out, line = append(out, strings.TrimSpace(inner)), rest
			continue
		}
		i := strings.IndexAny(line, " \t")
		if i < 0 {
			i = len(line)
		}
		out, line = append(out, line[:i]), line[i:]
	}
	return out
}

// NoMTA is the finding where neither Postfix nor Sendmail is here.
func NoMTA() Finding {
	return Finding{Level: Warn, Check: "mta", Subject: "this host", Message: "neither Postfix nor Sendmail was found, so that nothing is known about the way of the mail", Want: "run doctor on the host that sends the mail"}
}

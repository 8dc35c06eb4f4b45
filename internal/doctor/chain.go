package doctor

import (
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/internal/doctor/words"
	"github.com/sealmilter/sealmilter/internal/postfix"
	"github.com/sealmilter/sealmilter/internal/sendmail"
)

// settings checks what decides about directions.
func settings(p PostfixConf, listens []Socket, daemonNames []string) []Finding {
	var all []Finding
	if name := p.Main["milter_macro_daemon_name"]; slices.ContainsFunc(daemonNames, func(d string) bool { return strings.EqualFold(d, name) }) {
		all = append(all, Finding{Level: Fail, Check: "mta", Subject: "milter_macro_daemon_name", Seen: show(name), Who: You,
			Message: words.Say("it stands in main.cf, where it makes all mail of the Internet ours: it would be signed and not checked"),
			Want:    words.Say("only below the submission services in master.cf"), Paste: p.postconf("-X milter_macro_daemon_name")})
	}
	if v := p.Main["milter_protocol"]; v != "" && v < "6" && len(v) == 1 {
		all = append(all, Finding{Level: Warn, Check: "mta", Subject: "milter_protocol", Seen: show(v), Who: You,
			Message: words.Say("an old version of the protocol"), Want: words.Data("6"), Paste: p.postconf("-X milter_protocol")})
	}
	if !strings.Contains(p.Main["internal_mail_filter_classes"], "bounce") {
		all = append(all, Finding{Level: Warn, Check: "mta", Subject: "internal_mail_filter_classes", Seen: show(p.Main["internal_mail_filter_classes"]), Who: You,
			Message: words.Say("bounces that Postfix writes itself are not signed"), Want: words.Data("bounce"), Paste: p.postconf("-e 'internal_mail_filter_classes = bounce'")})
	}
	for _, s := range postfix.ParseMaster(p.Master).Services() {
		if s.Command != "smtpd" || loopback(s) {
			continue
		}
		list, overridden := s.Option("smtpd_milters")
		off, _ := s.Option("receive_override_options")
		ours := slices.ContainsFunc(postfix.Milters(list), func(m postfix.Milter) bool {
			sock, ok := parseSocket(m.Address, p.queue())
			return ok && isOurs(sock, m.Address, listens) || strings.Contains(m.Address, "$")
		})
		if overridden && !ours || strings.Contains(off, "no_milters") {
			all = append(all, Finding{Level: Warn, Check: "mta", Subject: "master.cf " + clip(s.Name), Seen: show("smtpd_milters=" + list), Who: You,
				Message: words.Say("this service has its own setting, so that its mail does not come to us"), Want: words.Say("no -o smtpd_milters= and no no_milters here")})
		}
		all = append(all, p.daemonName(s, daemonNames)...)
	}
	return all
}

// daemonName looks at the name by which a service of master.cf may say that its mail is
// ours: on the port that the Internet comes to it makes all mail ours, and a name that
// milter.yaml does not have says nothing.
func (p PostfixConf) daemonName(s postfix.Service, daemonNames []string) []Finding {
	name, set := s.Option("milter_macro_daemon_name")
	if !set {
		return nil
	}
	f := Finding{Level: Warn, Check: "mta", Subject: "master.cf " + clip(s.Name), Seen: show("milter_macro_daemon_name=" + name), Who: You}
	listed := slices.ContainsFunc(daemonNames, func(d string) bool { return strings.EqualFold(d, name) })
	switch port := s.Name[strings.LastIndexByte(s.Name, ':')+1:]; {
	case listed && (port == "smtp" || port == "25"):
		f.Level, f.Message = Fail, words.Say("it stands at the port that the Internet sends to, whose mail it makes ours: it would be signed and not checked")
		f.Want = words.Say("only below the submission services in master.cf")
		f.Paste = p.postconf("-PX " + shellWord(s.Name+"/"+s.Type+"/milter_macro_daemon_name"))
	case !listed && len(daemonNames) > 0 && !strings.Contains(name, "$"):
		f.Message = words.Say("outbound.daemon_names does not have this name, so that it says nothing about the service's mail")
		f.Want = words.Say("one of outbound.daemon_names (%s), or the name there", clip(strings.Join(daemonNames, ", ")))
		f.Paste = p.postconf("-P " + shellWord(s.Name+"/"+s.Type+"/milter_macro_daemon_name="+daemonNames[0]))
	default:
		return nil
	}
	return []Finding{f}
}

// signers are programs that sign as well, by what sockets and filters are mostly called;
// 8891 is the port of OpenDKIM's examples.
var signers = []string{"opendkim", "dkimpy", "dkim-milter", "rspamd", "amavis", ":8891"}

func signsToo(address string) bool {
	return slices.ContainsFunc(signers, func(s string) bool { return strings.Contains(strings.ToLower(address), s) })
}

// neighbour judges another milter of a list; after is whether it gets the messages after us.
func neighbour(list, address string, after bool) Finding {
	f := Finding{Level: Warn, Check: "mta", Subject: list, Seen: show(address), Who: You}
	switch {
	case signsToo(address):
		f.Message = words.Say("another filter is in the chain, of a kind that mostly signs as well: mail then carries its signature beside ours, with a key that nobody looks after here")
		f.Want = words.Say("no second DKIM signer: take it out, or switch its signing off")
	case after:
		f.Message = words.Say("another filter is in the chain: when it signs or changes messages after us, our signatures break")
		f.Want = words.Say("no second DKIM signer, and us last")
	default:
		return Finding{Level: Pass, Check: "mta", Subject: list, Message: words.Say("another filter (%s) has the messages before us, as it should be", clip(address))}
	}
	return f
}

// neighbour is the function of that name, with the list to paste in which we are last and
// nobody else signs.
func (p PostfixConf) neighbour(list, address string, after bool) Finding {
	f := neighbour(list, address, after)
	items := postfix.List(p.Main[list])
	i := slices.IndexFunc(items, func(item string) bool {
		m := postfix.Milters(item)
		return len(m) == 1 && m[0].Address == address
	})
	if f.Level == Pass || i < 0 || len(items) < 2 {
		return f
	}
	rest := slices.Delete(slices.Clone(items), i, i+1)
	if !signsToo(address) {
		rest = slices.Insert(rest, 0, items[i])
	}
	f.Paste = p.postconf("-e " + shellWord(list+" = "+clip(strings.Join(rest, " "))))
	return f
}

// sendmailOrder judges the other filters of sendmail.cf, in the order in which each
// message passes them.
func sendmailOrder(defined []sendmail.Filter, used []string, ours string) []Finding {
	var all []Finding
	after := false
	for _, name := range used {
		if name == ours {
			after = true
			continue
		}
		i := slices.IndexFunc(defined, func(m sendmail.Filter) bool { return m.Name == name })
		if i < 0 {
			continue
		}
		all = append(all, neighbour("sendmail.cf", name+", "+sendmail.Equate(defined[i].Spec, "S"), after))
	}
	return all
}

package postfix

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// lists puts the milter behind those in main.cf.
func (p planner) lists(item string) {
	p.list("", "smtpd_milters", item, "mail that comes by SMTP")
	// non_smtpd_milters = $smtpd_milters has ours with the other.
	if v, ok := p.Main.Get("non_smtpd_milters"); ok && strings.Contains(v, "$") {
		after := Values{}
		for k, value := range p.host.Values {
			after[k] = value
		}
		after["smtpd_milters"], _ = p.Main.Get("smtpd_milters")
		if slices.Contains(List(after.Expand(v)), item) {
			return
		}
	}
	p.list("", "non_smtpd_milters", item, "mail of programs on this host, by the sendmail command")
}

// WitnessSocket is the name of the socket of a proof's second milter. One that
// an interrupted set-up left in a list is taken out.
const WitnessSocket = "setup-witness.sock"

// list brings ours into a list: replaced where it stands, else behind the
// others. Service "" is main.cf.
func (p planner) list(service, name, item, why string) {
	var value string
	if service == "" {
		value, _ = p.Main.Get(name)
		if _, set := p.Main.Get(name); !set {
			value = p.host.Values[name]
		}
	} else {
		s, _ := p.Master.Get(service)
		value, _ = s.Option(name)
		item = compact(item)
	}
	items := dropWitness(List(value))
	at := slices.IndexFunc(items, func(i string) bool { return p.want.Milter.is(i, p.queue()) })
	wanted := slices.Clone(items)
	if at < 0 {
		if p.want.Milter.in(p.host.Values.Expand(value), p.queue()) {
			p.Notes = append(p.Notes, name+" = "+value+" leads to sealmilter already")
			return
		}
		wanted = append(wanted, item)
	} else {
		wanted[at] = item
	}
	witness := p.want.Witness
	if service != "" {
		witness = compact(witness)
	}
	if witness != "" {
		wanted = append(wanted, witness)
	}
	if slices.Equal(List(value), wanted) {
		return
	}
	if service != "" {
		p.set(service, name, strings.Join(wanted, ","), why, nil)
		return
	}
	p.set("", name, strings.Join(wanted, " "), why, func() {
		raw := p.Main.Raw(name)
		switch {
		case len(items) < len(List(value)), at >= 0 && strings.Count(raw, items[at]) != 1:
			p.Main.Set(name, strings.Join(wanted, " "))
			return
		case at >= 0:
			p.Main.SetRaw(name, strings.Replace(raw, items[at], item, 1))
		default:
			p.Main.Append(name, item)
		}
		if witness != "" {
			p.Main.Append(name, witness)
		}
	})
}

// compact is an item without white space, for master.cf.
func compact(item string) string {
	item = strings.TrimSuffix(strings.TrimPrefix(item, "{ "), " }")
	if l := List(item); len(l) > 1 {
		return "{" + strings.Join(l, ",") + "}"
	}
	return item
}

// in reports whether e is in the list.
func (e Endpoint) in(list, queue string) bool {
	return slices.ContainsFunc(List(list), func(i string) bool { return e.is(i, queue) })
}

// services brings what master.cf sets in place of main.cf into line.
func (p planner) services(item string) {
	filtered := p.filtered()
	for _, s := range p.host.Master.Services() {
		name := map[string]string{"smtpd": "smtpd_milters", "cleanup": "non_smtpd_milters"}[s.Command]
		override, ok := s.Option("receive_override_options")
		off := contains(p.host.Values.Expand(override), "no_milters")
		switch {
		case s.Command == "pickup" && off:
			p.Warnings = append(p.Warnings, "master.cf, "+s.Key()+": no_milters: mail of programs on this host will not be signed")
			continue
		case name == "":
			continue
		case ok && off:
			p.Notes = append(p.Notes, "master.cf, "+s.Key()+": no_milters, left as it is")
			continue
		}
		if filtered && reinjection(s) {
			p.set(s.Key(), "receive_override_options", strings.Join(append(List(override), "no_milters"), ","),
				"the content filter gives mail back here, which has passed the milters before", nil)
			continue
		}
		own, ok := s.Option(name)
		switch {
		case ok && own == "":
			p.Notes = append(p.Notes, "master.cf, "+s.Key()+": "+name+" is empty, left as it is: its mail does not pass sealmilter")
			continue
		case ok && !viaMain(own, name):
			p.list(s.Key(), name, item, "this service has a list of its own")
		}
		if s.Command == "smtpd" {
			p.submission(s)
		}
	}
}

// viaMain reports whether a list of a service has main.cf's in it, and ours with
// that.
func viaMain(own, name string) bool {
	return strings.Contains(own, "$"+name) || strings.Contains(own, "${"+name+"}") || strings.Contains(own, "$("+name+")")
}

// submission marks a service that takes mail of users who log in, and of nobody
// else, as ours.
func (p planner) submission(s Service) {
	const name = "milter_macro_daemon_name"
	host, port, ok := strings.Cut(s.Name, ":")
	if !ok {
		port = host
	}
	known := slices.Contains([]string{"submission", "587", "submissions", "smtps", "465"}, port)
	if p.effective(s, "smtpd_sasl_auth_enable") != "yes" || !known {
		return
	}
	has, set := s.Option(name)
	switch {
	case set:
		if !slices.ContainsFunc(p.want.DaemonNames, func(d string) bool { return strings.EqualFold(d, has) }) {
			p.Notes = append(p.Notes, fmt.Sprintf("master.cf, %s: %s=%s, left as it is; mail of users who log in is signed all the same", s.Key(), name, has))
		}
	case !p.closed(s):
		p.Notes = append(p.Notes, fmt.Sprintf("master.cf, %s takes mail without a login too, so it gets no %s; mail of users who log in is signed all the same", s.Key(), name))
	default:
		p.set(s.Key(), name, p.want.DaemonName, "what comes in here is your users' own mail", nil)
	}
}

// closed reports whether one of the restriction lists ends in a refusal of
// whoever has not logged in.
func (p planner) closed(s Service) bool {
	for _, stage := range []string{"client", "helo", "sender", "relay", "recipient"} {
		words := List(p.effective(s, "smtpd_"+stage+"_restrictions"))
		login := slices.Index(words, "permit_sasl_authenticated")
		if login >= 0 && slices.Contains(words[login:], "reject") {
			return true
		}
	}
	return false
}

// filtered reports whether mail leaves Postfix for a content filter and comes
// back.
func (p planner) filtered() bool {
	if p.host.Values.Get("content_filter") != "" {
		return true
	}
	return slices.ContainsFunc(p.host.Master.Services(), func(s Service) bool {
		v, _ := s.Option("content_filter")
		return v != ""
	})
}

// reinjection reports whether the service is where a content filter gives mail
// back: smtpd on loopback that switches the filter off for itself.
func reinjection(s Service) bool {
	filter, set := s.Option("content_filter")
	if s.Command != "smtpd" || !set || filter != "" {
		return false
	}
	i := strings.LastIndexByte(s.Name, ':')
	if i < 0 {
		return false
	}
	host := strings.Trim(s.Name[:i], "[]")
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// signers are programs that sign as well, by what gives them away.
var signers = []struct{ mark, name string }{
	{"opendkim", "OpenDKIM"}, {":8891", "OpenDKIM"}, {"8891@", "OpenDKIM"},
	{"rspamd", "rspamd"}, {":11332", "rspamd"}, {"11332@", "rspamd"},
	{"dkim-milter", "dkim-milter"}, {"dkimpy", "dkimpy-milter"}, {"amavis", "amavis"}, {"opendmarc", "OpenDMARC"}, {":8893", "OpenDMARC"},
}

// Signer names the program that a milter or filter leads to and that signs or
// judges mail as we do, "" when it is none that is known.
func Signer(milter string) string {
	for _, s := range signers {
		if strings.Contains(strings.ToLower(milter), s.mark) {
			return s.name
		}
	}
	return ""
}

// others warns of programs in the chain that do the same work or change the
// message behind us.
func (p planner) others() {
	seen := map[string]bool{}
	warn := func(where, value string) {
		if name := Signer(value); name != "" && !seen[name] {
			seen[name] = true
			p.Warnings = append(p.Warnings, fmt.Sprintf("%s leads to %s: switch off what sealmilter does now, or messages are signed or judged twice", where, name))
		}
	}
	for _, m := range p.otherMilters() {
		warn("milter "+m, m)
	}
	filters := []string{p.host.Values.Get("content_filter")}
	for _, s := range p.host.Master.Services() {
		f, _ := s.Option("content_filter")
		filters = append(filters, f)
		if v, _ := s.Option("smtpd_proxy_filter"); v != "" {
			p.Warnings = append(p.Warnings, "master.cf, "+s.Key()+": smtpd_proxy_filter: sealmilter never sees the messages of this service")
		}
		if v, ok := s.Option("smtpd_milters"); ok {
			warn("master.cf, "+s.Key(), v)
		}
	}
	for _, f := range slices.Compact(slices.DeleteFunc(filters, func(f string) bool { return f == "" })) {
		warn("content_filter "+f, f)
		p.Warnings = append(p.Warnings, "content_filter "+f+" gets messages that are signed already: what it changes in them breaks the signatures")
	}
	for _, name := range []string{"smtp_generic_maps", "smtp_header_checks", "smtp_mime_header_checks", "smtp_nested_header_checks", "smtp_body_checks"} {
		if v := p.host.Values.Get(name); v != "" {
			p.Warnings = append(p.Warnings, name+" = "+v+" changes messages when they leave, behind sealmilter: where it touches what is signed, the signature breaks")
		}
	}
	if v := p.host.Values.Get("multi_instance_directories"); v != "" {
		p.Notes = append(p.Notes, "other Postfix instances are left as they are ("+v+"): run set-up for each with --postfix-config")
	}
}

// Reinjection reports whether a content filter gives mail back to the service.
func (h Host) Reinjection(s Service) bool { return reinjection(s) }

// LocalMilters reports whether mail of the sendmail command passes milters.
// Somebody may have switched that off, and set-up leaves it so.
func (h Host) LocalMilters() bool {
	for _, s := range h.Master.Services() {
		if list, set := s.Option("non_smtpd_milters"); s.Command == "cleanup" && set && list == "" {
			return false
		}
		off, _ := s.Option("receive_override_options")
		if s.Command == "pickup" && contains(h.Values.Expand(off), "no_milters") {
			return false
		}
	}
	return true
}

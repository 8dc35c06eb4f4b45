package postfix

import (
	"fmt"
	"slices"
	"strings"
)

// Host is one Postfix instance as it stands.
type Host struct {
	Main   *MainCF
	Master *MasterCF
	Values Values // of the same main.cf
}

// Want is what Postfix shall do.
type Want struct {
	Milter Endpoint
	// DefaultAction of our milter: what Postfix does with mail while it is down.
	DefaultAction string // "tempfail" or "accept"
	// Witness is a second milter behind ours, for a proof; "" for none.
	Witness string
	// Bounces: pass the bounces that Postfix makes through the milter.
	Bounces bool
	// DaemonName marks submission services.
	DaemonName string
	// DaemonNames are all that the milter takes for our own mail.
	DaemonNames []string
}

// Problem keeps a plan from being carried out.
type Problem struct{ Text, Hint string }

// Plan is what would change, and why. It holds the files as they would be.
type Plan struct {
	Main       *MainCF
	Master     *MasterCF
	Changes    []Change
	Notes      []string // what was seen, and is left as it is
	Warnings   []string
	Questions  []string // must be answered with yes
	Proving    []string // the same, where the plan is to be proved first
	Problems   []Problem
	MilterName string // the milter as Postfix finds it, "unix:sealmilter/milter.sock"
	// BouncesUnsigned: bounces do not pass milters and the plan leaves it so.
	BouncesUnsigned bool
}

// Change is one edit. Before is what undo puts back.
type Change struct {
	Service string `json:"service,omitempty"` // key of an entry in master.cf; "": main.cf
	Name    string `json:"name"`
	Had     bool   `json:"had"` // it was set before
	Before  string `json:"before,omitempty"`
	Raw     string `json:"raw,omitempty"` // Before as the file wrote it
	After   string `json:"after"`
	Why     string `json:"why"`
}

const (
	fileMain   = "main.cf"
	fileMaster = "master.cf"
)

// Place is where the change happens.
func (c Change) Place() string {
	if c.Service == "" {
		return fileMain
	}
	return fileMaster + ", " + c.Service
}

// planner is a plan in the making.
type planner struct {
	*Plan
	host Host
	want Want
}

// Plan works out what has to change. It reads nothing but its arguments.
func (h Host) Plan(w Want) *Plan {
	p := planner{&Plan{Main: h.Main.Clone(), Master: h.Master.Clone()}, h, w}
	p.refuse()
	name := p.milterName()
	p.MilterName = name
	if len(p.Problems) > 0 {
		return p.Plan
	}
	item := p.item(name)
	p.lists(item)
	p.services(item)
	p.defaultAction()
	p.bounces()
	p.hidden()
	p.others()
	return p.Plan
}

// effective is a parameter as the service sees it.
func (p planner) effective(s Service, name string) string {
	if v, ok := s.Option(name); ok {
		return p.host.Values.Expand(v)
	}
	return p.host.Values.Get(name)
}

func (p planner) queue() string { return p.host.Values.Get("queue_directory") }

// usesMilters reports whether the service runs a program that talks to milters:
// smtpd for mail by SMTP, cleanup for the rest.
func usesMilters(s Service) bool { return s.Command == "smtpd" || s.Command == "cleanup" }

// Services that a milter's socket must be visible to.
func (h Host) milterServices() []Service {
	return slices.DeleteFunc(h.Master.Services(), func(s Service) bool { return !usesMilters(s) })
}

// Chrooted reports whether any service that talks to milters is.
func (h Host) Chrooted() bool {
	return slices.ContainsFunc(h.milterServices(), h.Values.Chrooted)
}

// refuse finds what must not be built upon.
func (p planner) refuse() {
	v := p.host.Values
	if n := v.Get("milter_macro_daemon_name"); slices.ContainsFunc(p.want.DaemonNames, func(d string) bool { return strings.EqualFold(d, n) }) {
		p.problem("main.cf sets milter_macro_daemon_name="+n+" for all services: everything the Internet sends would be taken for your own mail and signed",
			"remove it from main.cf; set-up puts it on the submission services in master.cf")
	}
	if contains(v.Get("receive_override_options"), "no_milters") {
		p.problem("main.cf sets receive_override_options=no_milters: no mail passes a milter",
			"move it into the services of master.cf that need it")
	}
	if v.Get("smtpd_proxy_filter") != "" {
		p.problem("main.cf sets smtpd_proxy_filter: milters in front of such a filter never see the message",
			"run the filter as a milter or as content_filter")
	}
	if !v.atLeast(2, 6) {
		p.problem("this is Postfix "+v["mail_version"]+": milters need 2.6 or later", "")
	}
	if !slices.ContainsFunc(p.host.milterServices(), func(s Service) bool { return s.Command == "smtpd" }) {
		p.problem("master.cf has no smtpd service", "is this the right folder? give another with --postfix-config")
	}
}

func (p planner) problem(text, hint string) { p.Problems = append(p.Problems, Problem{text, hint}) }

func contains(list, word string) bool { return slices.Contains(List(list), word) }

// milterName is the milter's socket as every service finds it.
func (p planner) milterName() string {
	e := p.want.Milter
	if e.TCP != "" {
		return "inet:" + e.TCP
	}
	if rel := below(e.Unix, p.queue()); rel != "" {
		return "unix:" + rel // right with and without a chroot
	}
	for _, s := range p.host.milterServices() {
		if p.host.Values.Chrooted(s) {
			p.problem(fmt.Sprintf("%s runs chrooted in %s and cannot see %s", s.Key(), p.queue(), e.Unix),
				fmt.Sprintf("let sealmilter listen on unix:%s/sealmilter/milter.sock (listen in milter.yaml)", p.queue()))
			break
		}
	}
	return "unix:" + e.Unix
}

// item is the milter as it stands in a list. A default action of its own came
// with Postfix 3.0.
func (p planner) item(name string) string {
	if !p.host.Values.atLeast(3, 0) {
		return name
	}
	return fmt.Sprintf("{ %s, default_action=%s, connect_timeout=10s, command_timeout=30s }", name, p.want.DefaultAction)
}

// set records and makes an edit.
func (p planner) set(service, name, value, why string, edit func()) {
	c := Change{Service: service, Name: name, After: value, Why: why}
	if service == "" {
		c.Before, c.Had = p.Main.Get(name)
		c.Raw = p.Main.Raw(name)
	} else if s, ok := p.Master.Get(service); ok {
		c.Before, c.Had = s.Option(name)
		c.Raw = p.Master.raw(service, name)
	}
	if c.Had && c.Before == value {
		return
	}
	switch {
	case edit != nil:
		edit()
	case service == "":
		p.Main.Set(name, value)
	default:
		p.Master.Set(service, name, value)
	}
	p.Changes = append(p.Changes, c)
}

// defaultAction is for Postfix before 3.0, where all milters share one.
func (p planner) defaultAction() {
	const name = "milter_default_action"
	now := p.host.Values.Get(name)
	if p.host.Values.atLeast(3, 0) {
		return
	}
	others := p.otherMilters()
	if len(others) > 0 && now != "accept" && p.want.DefaultAction != "accept" {
		p.Proving = append(p.Proving, fmt.Sprintf("for the seconds in which set-up proves itself %s is accept (now %s), which before Postfix 3.0 holds for the other milters as well: what one of them cannot look at in that time passes (%s)",
			name, now, strings.Join(others, ", ")))
	}
	if now == p.want.DefaultAction {
		return
	}
	if len(others) > 0 {
		p.Questions = append(p.Questions, fmt.Sprintf("%s becomes %s (now %s) for the other milters as well: %s",
			name, p.want.DefaultAction, now, strings.Join(others, ", ")))
	}
	p.set("", name, p.want.DefaultAction, "what happens to mail while the milter is down; Postfix before 3.0 has one value for all milters", nil)
}

// hidden warns of a Postfix that keeps the first field of each message from
// milters (docs/decisions/0023).
func (p planner) hidden() {
	if !p.host.Values.HidesFirst() {
		return
	}
	p.Warnings = append(p.Warnings, "Postfix "+p.host.Values["mail_version"]+" hides the first header field of every message from milters, mostly its own Received: update to 2.10.5, 2.11.3 or later")
	if checks := p.host.HeaderChecks(); checks != "" {
		p.Warnings = append(p.Warnings, "header_checks = "+checks+": where they drop Received, that first field is the sender's: a From in first place is not seen, so such mail leaves unsigned, and forged results stay; let smtp_header_checks drop Received, when mail leaves")
	}
}

// HeaderChecks are the tables that look at header fields when mail comes in, in
// main.cf or for one cleanup service, "" without.
func (h Host) HeaderChecks() string {
	for _, s := range h.Master.Services() {
		if v, ok := s.Option("header_checks"); ok && v != "" && s.Command == "cleanup" {
			return h.Values.Expand(v)
		}
	}
	return h.Values.Get("header_checks")
}

func (p planner) otherMilters() []string { return p.host.OtherMilters(p.want.Milter) }

// OtherMilters are the addresses in main.cf's lists that are not e.
func (h Host) OtherMilters(e Endpoint) []string {
	var out []string
	for _, name := range []string{"smtpd_milters", "non_smtpd_milters"} {
		for _, item := range List(h.Values.Get(name)) {
			a := address(item)
			if !e.is(item, h.Values.Get("queue_directory")) && !slices.Contains(out, a) {
				out = append(out, a)
			}
		}
	}
	return out
}

// bounces makes the reports of Postfix itself pass the milter: with DMARC
// p=reject and a null sender only a signature carries them.
func (p planner) bounces() {
	const name = "internal_mail_filter_classes"
	now := p.host.Values.Get(name)
	switch {
	case contains(now, "bounce"):
	case !p.want.Bounces:
		p.BouncesUnsigned = true
	default:
		p.set("", name, strings.Join(append(List(now), "bounce"), ", "), "so that bounces are signed", nil)
	}
}

// OwnDefaultAction reports whether a milter in a list can have a default action
// of its own.
func (h Host) OwnDefaultAction() bool { return h.Values.atLeast(3, 0) }

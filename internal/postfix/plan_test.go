package postfix

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

var (
	inQueue = Endpoint{Unix: "/var/spool/postfix/sealmilter/milter.sock"}
	inRun   = Endpoint{Unix: "/run/sealmilter/milter.sock"}
)

const witness = "{ unix:sealmilter/" + WitnessSocket + ", default_action=accept }"

// host is a fixture; what postconf would say is main.cf and these defaults.
func host(t *testing.T, dir string) Host {
	t.Helper()
	h := Host{Main: ParseMain(fixture(t, dir, "main.cf")), Master: ParseMaster(fixture(t, dir, "master.cf"))}
	h.Values = defaults(h.Main)
	for _, f := range fixtures {
		if f.name == dir {
			h.Values["mail_version"] = f.version
		}
	}
	if !h.Values.atLeast(3, 0) {
		delete(h.Values, "compatibility_level")
	}
	return h
}

// fixtures are the folders of testdata, with the Postfix that their systems have
// and where our socket lies there.
var fixtures = []struct {
	name, version string
	e             Endpoint
}{
	{"debian12", "3.7.11", inQueue},
	{"el9", "3.5.25", inRun},
	{"centos7", "2.10.1", inQueue},
	{"amavis", "3.7.11", inQueue},
	{"centos7-stock", "2.10.1", inQueue},
	{"amazon2", "2.10.1", inQueue},
	{"rocky8", "3.5.8", inQueue},
	{"ubuntu2004", "3.4.13", inQueue},
	{"ubuntu2204", "3.6.4", inQueue},
	{"ubuntu2404", "3.8.6", inQueue},
}

func defaults(main *MainCF) Values {
	v := Values{"mail_version": "3.7.11", "compatibility_level": "0", "queue_directory": "/var/spool/postfix", "milter_default_action": "tempfail",
		"smtpd_milters": "", "non_smtpd_milters": "", "internal_mail_filter_classes": ""}
	for _, n := range main.Names() {
		v[n], _ = main.Get(n)
	}
	return v
}

func want(e Endpoint) Want {
	return Want{Milter: e, DefaultAction: "tempfail", DaemonName: "ORIGINATING", DaemonNames: []string{"ORIGINATING"}}
}

func describe(h Host, p *Plan) string {
	var b strings.Builder
	for _, x := range p.Problems {
		fmt.Fprintf(&b, "problem: %s\nhint: %s\n", x.Text, x.Hint)
	}
	for _, x := range p.Questions {
		fmt.Fprintf(&b, "question: %s\n", x)
	}
	for _, x := range p.Proving {
		fmt.Fprintf(&b, "question: %s\n", x)
	}
	for _, x := range p.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", x)
	}
	for _, x := range p.Notes {
		fmt.Fprintf(&b, "note: %s\n", x)
	}
	for _, c := range p.Changes {
		fmt.Fprintf(&b, "%s: %s: %s\n", c.Place(), c.Name, c.Why)
	}
	b.WriteString(Diff("main.cf", h.Main.String(), p.Main.String()))
	b.WriteString(Diff("master.cf", h.Master.String(), p.Master.String()))
	return b.String()
}

// Each fixture, the whole plan as a golden file.
func TestPlans(t *testing.T) {
	proving := want(inQueue)
	proving.DefaultAction, proving.Witness = "accept", witness
	plain := proving // Postfix before 3.0 knows no braces
	plain.Witness = "unix:sealmilter/" + WitnessSocket
	open := want(inQueue)
	open.DefaultAction, open.Bounces = "accept", true
	for _, c := range []struct {
		name, dir string
		want      Want
	}{
		{"debian12", "debian12", want(inQueue)},
		{"debian12-proving", "debian12", proving},
		{"debian12-fail-open", "debian12", open},
		{"debian12-outside-chroot", "debian12", want(inRun)},
		{"el9", "el9", want(inRun)},
		{"el9-tcp", "el9", want(Endpoint{TCP: "127.0.0.1:8890"})},
		{"centos7", "centos7", want(inQueue)},
		{"amavis", "amavis", want(inQueue)},
		{"centos7-stock", "centos7-stock", want(inQueue)},
		{"centos7-stock-proving", "centos7-stock", plain},
		{"amazon2", "amazon2", want(inQueue)},
		{"amazon2-proving", "amazon2", plain},
		{"rocky8", "rocky8", want(inQueue)},
		{"ubuntu2004", "ubuntu2004", want(inQueue)},
		{"ubuntu2204", "ubuntu2204", want(inQueue)},
		{"ubuntu2404", "ubuntu2404", want(inQueue)},
		{"ubuntu2404-proving", "ubuntu2404", proof(inQueue)},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := host(t, c.dir)
			got := describe(h, h.Plan(c.want))
			golden := filepath.Join("testdata", c.name+".golden")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			data, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(data), got); d != "" {
				t.Error(d)
			}
		})
	}
}

// A second set-up changes nothing, also after one that was killed while it
// proved itself; and undo gives the files back byte for byte.
func TestAgainAndBack(t *testing.T) {
	for _, c := range fixtures {
		t.Run(c.name, func(t *testing.T) {
			h := host(t, c.name)
			first := h.Plan(want(c.e))
			after := Host{first.Main, first.Master, defaults(first.Main)}
			after.Values["mail_version"] = h.Values["mail_version"]
			if again := after.Plan(want(c.e)); len(again.Changes) > 0 {
				t.Errorf("the second set-up changes: %+v", again.Changes)
			}
			proving := want(c.e)
			proving.DefaultAction, proving.Witness = "accept", witness
			killed := h.Plan(proving)
			stale := Host{killed.Main, killed.Master, defaults(killed.Main)}
			stale.Values["mail_version"] = h.Values["mail_version"]
			healed := stale.Plan(want(c.e))
			for _, list := range []string{"smtpd_milters", "non_smtpd_milters"} {
				a, _ := healed.Main.Get(list)
				b, _ := first.Main.Get(list)
				if !slices.Equal(List(a), List(b)) {
					t.Errorf("%s after an interrupted set-up: %q, want %q", list, a, b)
				}
			}
			main, master := first.Main.Clone(), first.Master.Clone()
			if kept := Revert(main, master, first.Changes, c.e, "/var/spool/postfix"); len(kept) > 0 {
				t.Errorf("kept: %q", kept)
			}
			if d := cmp.Diff(ended(h.Main.String()), main.String()); d != "" {
				t.Errorf("main.cf after undo: %s", d)
			}
			if d := cmp.Diff(h.Master.String(), master.String()); d != "" {
				t.Errorf("master.cf after undo: %s", d)
			}
		})
	}
}

// ended is a file whose last line has an end, as one that was edited has.
func ended(s string) string { return strings.TrimSuffix(s, "\n") + "\n" }

// What the admin did after the set-up stays.
func TestRevertKeepsEdits(t *testing.T) {
	h := host(t, "el9")
	p := h.Plan(want(inRun))
	main, master := p.Main, p.Master
	main.Set("message_size_limit", "1")
	main.Append("smtpd_milters", "inet:127.0.0.1:9999")
	master.Set("submission inet", "milter_macro_daemon_name", "MINE")
	kept := Revert(main, master, p.Changes, inRun, "/var/spool/postfix")
	if len(kept) != 1 || !strings.Contains(kept[0], "MINE") {
		t.Errorf("kept %q", kept)
	}
	if got, _ := main.Get("smtpd_milters"); got != "inet:127.0.0.1:8891 inet:127.0.0.1:9999" {
		t.Errorf("smtpd_milters = %s", got)
	}
	if got, _ := main.Get("message_size_limit"); got != "1" {
		t.Errorf("message_size_limit = %q", got)
	}
	s, _ := master.Get("submission inet")
	if got, _ := s.Option("milter_macro_daemon_name"); got != "MINE" {
		t.Errorf("milter_macro_daemon_name = %q", got)
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct{ name, main, master, want string }{
		{"daemon name for all", "milter_macro_daemon_name = originating\n", "", "for all services"},
		{"no_milters for all", "receive_override_options = no_milters\n", "", "no mail passes a milter"},
		{"filter before the queue", "smtpd_proxy_filter = 127.0.0.1:10025\n", "", "never see the message"},
		{"too old", "mail_version = 2.5.1\n", "", "2.6 or later"},
		{"no smtpd", "", "pickup unix n - y 60 1 pickup\n", "no smtpd service"},
		{"chroot", "", "smtp inet n - y - - smtpd\n", "cannot see /run/sealmilter/milter.sock"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.master == "" {
				c.master = "smtp inet n - n - - smtpd\n"
			}
			h := Host{ParseMain(c.main), ParseMaster(c.master), defaults(ParseMain(c.main))}
			p := h.Plan(want(inRun))
			if len(p.Problems) != 1 || !strings.Contains(p.Problems[0].Text, c.want) || len(p.Changes) > 0 {
				t.Errorf("%+v", p)
			}
		})
	}
}

// What changes messages behind us, or does our work, is named.
func TestWarnings(t *testing.T) {
	wantOf := want(inRun)
	for main, want := range map[string]string{
		"smtp_generic_maps = hash:/x\n":                  "smtp_generic_maps",
		"smtpd_milters = inet:localhost:11332\n":         "rspamd",
		"non_smtpd_milters = unix:opendkim/o.sock\n":     "OpenDKIM",
		"content_filter = scan:[127.0.0.1]:10026\n":      "signed already",
		"smtpd_milters = unix:/run/spamass/spamass.sock": "",
	} {
		h := Host{ParseMain(main), ParseMaster("smtp inet n - n - - smtpd\n"), defaults(ParseMain(main))}
		got := strings.Join(h.Plan(wantOf).Warnings, "\n")
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", main, got, want)
		}
	}
}

// Of several instances one is set up; the others are named. The socket of the first is out of the reach of a chrooted
// second.
func TestOtherInstances(t *testing.T) {
	first := "multi_instance_enable = yes\nmulti_instance_directories = /etc/postfix-out /etc/postfix-in\n"
	h := Host{ParseMain(first), ParseMaster("smtp inet n - n - - smtpd\n"), defaults(ParseMain(first))}
	p := h.Plan(want(inQueue))
	if notes := strings.Join(p.Notes, "\n"); len(p.Problems) > 0 || !strings.Contains(notes, "(/etc/postfix-out /etc/postfix-in): run set-up for each with --postfix-config") {
		t.Errorf("%+v", p)
	}
	second := "queue_directory = /var/spool/postfix-out\nmulti_instance_name = postfix-out\n"
	h = Host{ParseMain(second), ParseMaster("smtp inet n - y - - smtpd\n"), defaults(ParseMain(second))}
	p = h.Plan(want(inQueue))
	if len(p.Problems) != 1 || !strings.Contains(p.Problems[0].Text, "cannot see "+inQueue.Unix) || !strings.Contains(p.Problems[0].Hint, "unix:/var/spool/postfix-out/sealmilter/milter.sock") {
		t.Errorf("%+v", p.Problems)
	}
}

func TestEndpoint(t *testing.T) {
	for _, c := range []struct {
		item    string
		chroot  bool
		network Endpoint
	}{
		{"unix:sealmilter/milter.sock", false, inQueue},
		{"{ unix:/sealmilter/milter.sock, default_action=accept }", true, inQueue},
		{"{local:/run/sealmilter/milter.sock}", false, inRun},
		{"inet:localhost:8890", false, Endpoint{TCP: "127.0.0.1:8890"}},
		{"inet:8890@[::1]", false, Endpoint{TCP: "[::1]:8890"}},
		{"$x", false, Endpoint{}},
	} {
		if got := endpoint(c.item, "/var/spool/postfix", c.chroot); got != c.network {
			t.Errorf("%s: %+v", c.item, got)
		}
	}
	if (Endpoint{}).is("$x", "/q") {
		t.Error("nothing is not a milter")
	}
}

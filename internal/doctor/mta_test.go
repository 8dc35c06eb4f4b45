package doctor

import (
	"errors"
	"io/fs"
	"net/netip"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/internal/postfix"
)

const debianMaster = `# service type  private unpriv  chroot  wakeup  maxproc command + args
smtp      inet  n       -       y       -       -       smtpd
submission inet n       -       y       -       -       smtpd
  -o syslog_name=postfix/submission
  -o milter_macro_daemon_name=ORIGINATING
127.0.0.1:10025 inet n - n - - smtpd
  -o receive_override_options=no_milters
cleanup   unix  n       -       y       -       0       cleanup
`

func debian(change map[string]string) map[string]string {
	m := map[string]string{
		"smtpd_milters": "unix:sealmilter/milter.sock", "non_smtpd_milters": "unix:sealmilter/milter.sock",
		"milter_default_action": "tempfail", "milter_macro_daemon_name": "mail.example.com", "milter_protocol": "6",
		"internal_mail_filter_classes": "bounce", "queue_directory": "/var/spool/postfix", "mail_owner": "postfix",
		"myhostname": "mail.example.com", "compatibility_level": "3.6", "mail_version": "3.7.11",
	}
	for k, v := range change {
		m[k] = v
	}
	return m
}

func TestPostfix(t *testing.T) {
	inQueue := []Socket{{"unix", "/var/spool/postfix/sealmilter/milter.sock"}}
	for _, c := range []struct {
		name   string
		main   map[string]string
		master string
		want   string
		target string // addresses
	}{
		{"as set up", nil, debianMaster, "", "/var/spool/postfix/sealmilter/milter.sock"},
		{"not at all", map[string]string{"smtpd_milters": "", "non_smtpd_milters": ""}, debianMaster,
			"FAIL mta smtpd_milters: does not hand us | postconf -e 'smtpd_milters = unix:sealmilter/milter.sock'\nWARN mta non_smtpd_milters: does not hand us | non_smtpd", ""},
		{"beside opendkim", map[string]string{"smtpd_milters": "inet:localhost:8891, unix:sealmilter/milter.sock"}, debianMaster,
			"WARN mta smtpd_milters: another filter", "/var/spool/postfix/sealmilter/milter.sock"},
		{"accept", map[string]string{"milter_default_action": "accept"}, debianMaster,
			"WARN mta smtpd_milters: unsigned | tempfail\nWARN mta non_smtpd_milters: unsigned", "/var/spool/postfix/sealmilter/milter.sock"},
		{"braces say tempfail", map[string]string{"milter_default_action": "accept",
			"smtpd_milters":     "{ unix:sealmilter/milter.sock, default_action=tempfail, connect_timeout=10s }",
			"non_smtpd_milters": "{ unix:sealmilter/milter.sock default_action = tempfail }"}, debianMaster, "", "/var/spool/postfix/sealmilter/milter.sock"},
		{"reject", map[string]string{"smtpd_milters": "{unix:sealmilter/milter.sock, default_action=reject}"}, debianMaster,
			"FAIL mta smtpd_milters: refused", "/var/spool/postfix/sealmilter/milter.sock"},
		{"chroot and a path outside", map[string]string{"smtpd_milters": "unix:/run/sealmilter/milter.sock", "non_smtpd_milters": "unix:/run/sealmilter/milter.sock"}, debianMaster, "",
			"/var/spool/postfix/run/sealmilter/milter.sock"},
		{"no chroot", map[string]string{"smtpd_milters": "unix:/run/sealmilter/milter.sock", "non_smtpd_milters": "unix:/run/sealmilter/milter.sock"},
			strings.NewReplacer(" y ", " - ").Replace(debianMaster), "", "/run/sealmilter/milter.sock"},
		{"- is a chroot before 3.0", map[string]string{"mail_version": "2.11.3", "smtpd_milters": "unix:/run/sealmilter/milter.sock", "non_smtpd_milters": "unix:/run/sealmilter/milter.sock"},
			strings.NewReplacer(" y ", " - ").Replace(debianMaster), "", "/var/spool/postfix/run/sealmilter/milter.sock"},
		{"global ORIGINATING", map[string]string{"milter_macro_daemon_name": "ORIGINATING"}, debianMaster, "FAIL mta milter_macro_daemon_name: Internet", "/var/spool/postfix/sealmilter/milter.sock"},
		{"bounces", map[string]string{"internal_mail_filter_classes": ""}, debianMaster, "WARN mta internal_mail_filter_classes: not signed", "/var/spool/postfix/sealmilter/milter.sock"},
		{"a service without us", nil, debianMaster + "smtps inet n - y - - smtpd\n  -o smtpd_milters=\n", "WARN mta master.cf smtps: own setting", "/var/spool/postfix/sealmilter/milter.sock"},
		{"a service with us", nil, debianMaster + "smtps inet n - y - - smtpd\n  -o { smtpd_milters = unix:sealmilter/milter.sock }\n", "", "/var/spool/postfix/sealmilter/milter.sock"},
		{"old protocol", map[string]string{"milter_protocol": "2"}, debianMaster, "WARN mta milter_protocol: old", "/var/spool/postfix/sealmilter/milter.sock"},
	} {
		t.Run(c.name, func(t *testing.T) {
			found, targets := Postfix(PostfixConf{Main: debian(c.main), Master: c.master}, inQueue, []string{"ORIGINATING"})
			compare(t, found, c.want)
			var addrs []string
			for _, tg := range targets {
				addrs = append(addrs, tg.Addr)
				if tg.User != "postfix" {
					t.Errorf("target %+v", tg)
				}
			}
			if got := strings.Join(addrs, " "); got != c.target {
				t.Errorf("targets %q, want %q", got, c.target)
			}
		})
	}
}

// TestPostfixHidesTheFirstField: a warning by version, and a failure where
// header_checks may have dropped what is meant to be hidden.
func TestPostfixHidesTheFirstField(t *testing.T) {
	inQueue := []Socket{{"unix", "/var/spool/postfix/sealmilter/milter.sock"}}
	for _, c := range []struct {
		version, checks, master, want string
	}{
		{"2.10.1", "", "", "WARN mta Postfix 2.10.1: its own Received"},
		{"2.10.1", "regexp:/etc/postfix/header_checks", "", "FAIL mta Postfix 2.10.1: leaves unsigned"},
		{"2.11.2", "", "submit unix n - n - 0 cleanup\n  -o header_checks=pcre:/x\n", "FAIL mta Postfix 2.11.2: leaves unsigned"},
		{"2.11.3", "regexp:/etc/postfix/header_checks", "", ""},
		{"3.12-20260821", "regexp:/etc/postfix/header_checks", "", ""},
		{"", "regexp:/etc/postfix/header_checks", "", ""},
	} {
		found, _ := Postfix(PostfixConf{Main: debian(map[string]string{"mail_version": c.version, "header_checks": c.checks}), Master: debianMaster + c.master}, inQueue, nil)
		compare(t, found, c.want)
	}
}

// TestPasteNamesTheInstance: a line that is pasted must not change another Postfix.
func TestPasteNamesTheInstance(t *testing.T) {
	for dir, word := range map[string]string{"": "", "/etc/postfix-out": "-c /etc/postfix-out ", "/etc/it's mine": `-c '/etc/it'\''s mine' `} {
		p := PostfixConf{Dir: dir, Master: debianMaster, Main: debian(map[string]string{
			"smtpd_milters": "", "non_smtpd_milters": "{ unix:sealmilter/milter.sock, default_action=reject }", "milter_protocol": "2",
			"milter_macro_daemon_name": "ORIGINATING", "internal_mail_filter_classes": "",
		})}
		found, targets := Postfix(p, nil, []string{"ORIGINATING"})
		if len(targets) != 1 {
			t.Fatalf("%+v", targets)
		}
		found = append(found, Reached(targets[0], true, errors.New("no such file or directory")))
		found = append(found, spfHelo(t.Context(), nil, Domain{Name: "example.com", Helo: "host", Egress: []netip.Addr{netip.MustParseAddr("192.0.2.25")}, PostfixDir: dir})...)
		pasted := 0
		for _, f := range found {
			if f.Paste.Empty() {
				continue
			}
			pasted++
			command := "postconf " + word
			if f.Check == "socket" {
				command = "sealmilter setup postfix " + strings.Replace(word, "-c", "--postfix-config", 1) + "--domain"
			} else if !strings.HasSuffix(f.Paste.String(), " && postfix "+word+"reload") {
				t.Errorf("%s reloads another Postfix", f.Paste)
			}
			if !strings.HasPrefix(f.Paste.String(), command) || strings.Contains(f.Paste.String(), "-c") != (dir != "") {
				t.Errorf("%q: %s", dir, f.Paste)
			}
		}
		if pasted != 7 {
			t.Errorf("%d lines to paste: %+v", pasted, found)
		}
	}
}

func TestChrootedPostfixSeesNothingElse(t *testing.T) {
	p := PostfixConf{Main: debian(map[string]string{"smtpd_milters": "", "non_smtpd_milters": ""}), Master: debianMaster}
	found, _ := Postfix(p, []Socket{{"unix", "/run/sealmilter/milter.sock"}}, nil)
	compare(t, found, "FAIL mta smtpd_milters: does not hand us | unix:sealmilter/milter.sock\nWARN mta non_smtpd_milters: does not | unix:sealmilter/milter.sock")
	if !strings.Contains(found[0].Want.String(), `listen: ["unix:/var/spool/postfix/sealmilter/milter.sock"]`) {
		t.Errorf("%q", found[0].Want)
	}
}

func TestPostconf(t *testing.T) {
	p := PostfixConf{Main: postfix.ParseValues("smtp_helo_name = $myhostname\nmyhostname = mail.example.com\nempty =\nrelayhost = [a]:25 = x\n")}
	if p.Helo() != "mail.example.com" || p.Main["empty"] != "" || p.Main["relayhost"] != "[a]:25 = x" {
		t.Errorf("%v", p.Main)
	}
}

func TestSameSocket(t *testing.T) {
	listens := []Socket{{"tcp", "127.0.0.1:8891"}}
	for text, want := range map[string]bool{
		"inet:localhost:8891": true, "inet:8891@127.0.0.1": true, "inet:192.0.2.1:8891": false, "inet:localhost:8892": false,
		"unix:/run/sealmilter/milter.sock": true, "unix:/run/opendkim.sock": false, "nonsense": false,
	} {
		s, ok := parseSocket(text, "/q")
		if got := ok && isOurs(s, text, listens); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestSendmail(t *testing.T) {
	listens := []Socket{{"unix", "/run/sealmilter/milter.sock"}}
	const used = "O InputMailFilters=sealmilter\n"
	for _, c := range []struct {
		name string
		conf SendmailConf
		want string
	}{
		{"as set up", SendmailConf{CF: used + "Xsealmilter, S=local:/run/sealmilter/milter.sock, F=T, T=S:10s;R:10s;E:5m\n"}, ""},
		{"not at all", SendmailConf{CF: "O InputMailFilters=clamav\nXclamav, S=local:/run/clamav.sock\n"}, "FAIL mta sendmail.cf: does not hand us | INPUT_MAIL_FILTER(`sealmilter', `S=local:/run/sealmilter/milter.sock, F=T')"},
		{"defined, not used", SendmailConf{CF: "Xsealmilter, S=local:/run/sealmilter/milter.sock, F=T\n"}, "FAIL mta sendmail.cf: InputMailFilters"},
		{"not built", SendmailConf{MC: "INPUT_MAIL_FILTER(`sealmilter', `S=...')"}, "FAIL mta sendmail.cf: not built again | make -C /etc/mail"},
		{"passes on unsigned", SendmailConf{CF: used + "Xsealmilter, S=local:/run/sealmilter/milter.sock\n"}, "WARN mta sendmail.cf: unsigned"},
		{"rejects", SendmailConf{CF: used + "Xsealmilter, S=local:/run/sealmilter/milter.sock, F=R\n"}, "FAIL mta sendmail.cf: refused"},
		{"unsafe folder", SendmailConf{CF: used + "Xsealmilter, S=local:/run/sealmilter/milter.sock, F=T\n",
			Mode: func(string) (fs.FileMode, error) { return 0o775, nil }}, "FAIL socket /run/sealmilter/milter.sock: unsafe | chmod go-w /run/sealmilter"},
	} {
		t.Run(c.name, func(t *testing.T) {
			found, _ := Sendmail(c.conf, listens)
			compare(t, found, c.want)
		})
	}
	if h := (SendmailConf{CF: "Cwlocalhost\nDjmail.example.com\n"}).Helo(); h != "mail.example.com" {
		t.Errorf("helo %q", h)
	}
}

func TestReached(t *testing.T) {
	tg := Target{Socket: Socket{"unix", "/var/spool/postfix/run/s"}, Text: "unix:/run/s", User: "postfix", Chroot: "/var/spool/postfix", Service: "smtpd"}
	compare(t, []Finding{
		Reached(tg, true, nil), Reached(tg, false, nil),
		Reached(tg, false, errors.New("dial unix /run/s: connect: permission denied")),
		Reached(tg, true, errors.New("dial unix /run/s: connect: permission denied")),
		Reached(tg, true, errors.New("dial unix /run/s: connect: no such file or directory")),
		Reached(tg, true, errors.New("connection refused")),
		Reached(Target{Socket: tg.Socket, Text: "unix:s", User: "postfix", Chroot: "/var/spool/postfix", Service: "smtpd"}, true, errors.New("no such file or directory")),
	}, "WARN socket unix:/run/s: was not tried\nFAIL socket unix:/run/s: does not reach | namei\nFAIL socket unix:/run/s: does not reach | sealmilter setup postfix\nFAIL socket unix:/run/s: does not reach | systemctl\nFAIL socket unix:s: does not reach | sealmilter setup postfix")
}

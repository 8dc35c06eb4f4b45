package doctor

import "testing"

func TestNeighbours(t *testing.T) {
	inQueue := []Socket{{"unix", "/var/spool/postfix/sealmilter/milter.sock"}}
	for list, want := range map[string]string{
		"unix:clamav/clamav.sock, unix:sealmilter/milter.sock":    "",
		"unix:sealmilter/milter.sock, unix:clamav/clamav.sock":    "WARN mta smtpd_milters: changes messages after us | postconf -e 'smtpd_milters = unix:clamav/clamav.sock unix:sealmilter/milter.sock' && postfix reload",
		"unix:opendkim/opendkim.sock unix:sealmilter/milter.sock": "WARN mta smtpd_milters: mostly signs as well | postconf -e 'smtpd_milters = unix:sealmilter/milter.sock' &&",
		"unix:sealmilter/milter.sock, inet:localhost:8891":        "WARN mta smtpd_milters: mostly signs as well",
		"inet:127.0.0.1:11332 unix:sealmilter/milter.sock":        "",
		"unix:rspamd/milter.sock, unix:sealmilter/milter.sock":    "WARN mta smtpd_milters: mostly signs as well",
	} {
		found, _ := Postfix(PostfixConf{Main: debian(map[string]string{"smtpd_milters": list}), Master: debianMaster}, inQueue, []string{"ORIGINATING"})
		t.Run(list, func(t *testing.T) { compare(t, found, want) })
	}
}

func TestDaemonNames(t *testing.T) {
	inQueue := []Socket{{"unix", "/var/spool/postfix/sealmilter/milter.sock"}}
	const service = " inet n - y - - smtpd\n  -o milter_macro_daemon_name="
	for line, want := range map[string]string{
		"smtps" + service + "ORIGINATING\n":         "",
		"192.0.2.25:25" + service + "originating\n": "FAIL mta master.cf 192.0.2.25:25: signed and not checked",
		"smtp" + service + "ORIGINATING\n":          "FAIL mta master.cf smtp: signed and not checked | postconf -PX smtp/inet/milter_macro_daemon_name && postfix reload",
		"smtps" + service + "SUBMISSION\n":          "WARN mta master.cf smtps: outbound.daemon_names does not have this name | postconf -P smtps/inet/milter_macro_daemon_name=ORIGINATING &&",
		"smtps" + service + "$myhostname\n":         "",
		"127.0.0.1:25" + service + "ORIGINATING\n":  "", // for programs of this host
	} {
		found, _ := Postfix(PostfixConf{Main: debian(nil), Master: debianMaster + line}, inQueue, []string{"ORIGINATING"})
		t.Run(line, func(t *testing.T) { compare(t, found, want) })
	}
	found, _ := Postfix(PostfixConf{Main: debian(nil), Master: debianMaster}, inQueue, nil)
	compare(t, found, "")
}

func TestSendmailNeighbours(t *testing.T) {
	listens := []Socket{{"unix", "/run/sealmilter/milter.sock"}}
	const ours, clam, open = "Xsealmilter, S=local:/run/sealmilter/milter.sock, F=T\n", "Xclamav, S=local:/run/clamav.sock, F=\n", "Xopendkim, S=inet:8891@localhost\n"
	for order, want := range map[string]string{
		"clamav,sealmilter":   "",
		"sealmilter, clamav":  "WARN mta sendmail.cf: changes messages after us",
		"opendkim,sealmilter": "WARN mta sendmail.cf: mostly signs as well",
		"gone,sealmilter":     "",
	} {
		found, _ := Sendmail(SendmailConf{CF: "O InputMailFilters=" + order + "\n" + ours + clam + open}, listens)
		t.Run(order, func(t *testing.T) { compare(t, found, want) })
	}
}

//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// sendmailMC is sendmail.mc as on a cloud instance that sends through a smart host, with INPUT_MAIL_FILTER as our
// documentation has it. The second daemon reads its milter with T= shorter than a slow resolver.
const sendmailMC = `divert(0)dnl
define(` + "`_USE_ETC_MAIL_'" + `)dnl
define(` + "`MAIL_SETTINGS_DIR', `/mnt/etc/'" + `)dnl
define(` + "`sm_version', `8'" + `)dnl
include(` + "`cf.m4'" + `)dnl
OSTYPE(` + "`debian'" + `)dnl
define(` + "`confDOMAIN_NAME', `app.good.example'" + `)dnl
define(` + "`confRUN_AS_USER', `root'" + `)dnl
define(` + "`confTRUSTED_USER', `root'" + `)dnl
define(` + "`confDEF_USER_ID', `nobody:nogroup'" + `)dnl
define(` + "`confPID_FILE', `/mnt/pid'" + `)dnl
define(` + "`QUEUE_DIR', `/mnt/queue'" + `)dnl
define(` + "`STATUS_FILE', `/mnt/statistics'" + `)dnl
define(` + "`HELP_FILE', `/dev/null'" + `)dnl
define(` + "`ALIAS_FILE', `/mnt/etc/aliases'" + `)dnl
define(` + "`confSERVICE_SWITCH_FILE', `/mnt/etc/service.switch'" + `)dnl
undefine(` + "`confHOST_STATUS_DIRECTORY'" + `)dnl
define(` + "`confDONT_PROBE_INTERFACES', `True'" + `)dnl
define(` + "`confTO_IDENT', `0'" + `)dnl
define(` + "`confMIN_QUEUE_AGE', `0'" + `)dnl
define(` + "`SMART_HOST', `esmtp:[127.0.0.1]'" + `)dnl
define(` + "`ESMTP_MAILER_ARGS', `TCP $h 2525'" + `)dnl
FEATURE(` + "`nocanonify'" + `)dnl
FEATURE(` + "`accept_unresolvable_domains'" + `)dnl
FEATURE(` + "`access_db', `hash -T<TMPF> /mnt/etc/access'" + `)dnl
FEATURE(` + "`no_default_msa'" + `)dnl
INPUT_MAIL_FILTER(` + "`sealmilter', `S=unix:%[1]s, F=T'" + `)dnl
MAIL_FILTER(` + "`impatient', `S=unix:%[1]s, F=T, T=S:4s;R:4s;E:1m'" + `)dnl
DAEMON_OPTIONS(` + "`Family=inet, Name=MTA-v4, Port=25'" + `)dnl
DAEMON_OPTIONS(` + "`Family=inet6, Name=MTA-v6, Addr=" + sendmailIP6 + ", Port=25'" + `)dnl
DAEMON_OPTIONS(` + "`Family=inet, Name=MSA, Port=587, M=Ea'" + `)dnl
DAEMON_OPTIONS(` + "`Family=inet, Name=impatient, Port=%[2]d, InputMailFilters=impatient'" + `)dnl
define(` + "`confAUTH_MECHANISMS', `PLAIN LOGIN'" + `)dnl
define(` + "`confAUTH_OPTIONS', `A'" + `)dnl
TRUST_AUTH_MECH(` + "`PLAIN LOGIN'" + `)dnl
define(` + "`LOCAL_MAILER_PATH', `/mnt/root/usr/libexec/sendmail/mail.local'" + `)dnl
define(` + "`LOCAL_MAILER_ARGS', `mail.local -f $g $u'" + `)dnl
MAILER(` + "`local'" + `)dnl
MAILER(` + "`smtp'" + `)dnl
`

// submitMC is Debian's submit.mc: the sendmail command hands its mail to the daemon over loopback.
const submitMC = `divert(0)dnl
define(` + "`_USE_ETC_MAIL_'" + `)dnl
define(` + "`MAIL_SETTINGS_DIR', `/mnt/etc/'" + `)dnl
define(` + "`sm_version', `8'" + `)dnl
include(` + "`cf.m4'" + `)dnl
OSTYPE(` + "`debian'" + `)dnl
define(` + "`confDOMAIN_NAME', `app.good.example'" + `)dnl
define(` + "`confRUN_AS_USER', `mail:mail'" + `)dnl
define(` + "`confMIN_QUEUE_AGE', `0'" + `)dnl
define(` + "`MSP_QUEUE_DIR', `/mnt/clientqueue'" + `)dnl
define(` + "`confPID_FILE', `/mnt/clientqueue/pid'" + `)dnl
define(` + "`confSERVICE_SWITCH_FILE', `/mnt/etc/service.switch'" + `)dnl
undefine(` + "`confHOST_STATUS_DIRECTORY'" + `)dnl
FEATURE(` + "`msp', `[127.0.0.1]', `25'" + `)dnl
`

// configure writes everything below etc.
func (s *sendmailLab) configure() error {
	mail, err := lookAccount("mail")
	if err != nil {
		return err
	}
	if err := errors.Join(os.Chmod(s.path("queue"), 0o700), os.Chmod(s.path("mail"), 0o777|os.ModeSticky), os.Chmod(s.path("clientqueue"), 0o770), os.Chown(s.path("clientqueue"), mail.uid, mail.gid)); err != nil {
		return err
	}
	for name, text := range map[string]string{
		"sendmail.mc":      fmt.Sprintf(sendmailMC, "/mnt/run/"+filepath.Base(s.socket), impatient),
		"submit.mc":        submitMC,
		"aliases":          "",
		"relay-domains":    "",
		"local-host-names": "",
		"trusted-users":    "root\nmail\n",
		"service.switch":   "hosts files\naliases files\n",
		"hosts":            "127.0.0.1 app.good.example app localhost\n::1 localhost\n192.0.2.10 mail.sender.example\n",
		"resolv.conf":      "",
	} {
		if err := os.WriteFile(s.path("etc", name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	cf := s.path("root", "usr", "share", "sendmail", "cf")
	for _, name := range []string{"sendmail", "submit"} {
		out, err := run(nil, "m4", "-D_CF_DIR_="+cf+"/", "-I", filepath.Join(cf, "m4"), s.path("etc", name+".mc"))
		if err != nil {
			return err
		}
		if err := os.WriteFile(s.path("etc", name+".cf"), out, 0o644); err != nil {
			return err
		}
	}
	access := "Connect:127.0.0.1\tRELAY\nConnect:192.168.5\tRELAY\nTo:good.example\tRELAY\nTo:lax.example\tRELAY\n"
	_, err = run([]byte(access), s.path("root", "usr", "libexec", "sendmail", "makemap"), "-C", s.path("etc", "sendmail.cf"), "hash", s.path("etc", "access"))
	return err
}

// sasl makes the one account: Cyrus SASL with a password database of its own. Its folder stands in the place of
// /usr/lib/sasl2, where Debian's Sendmail has its Sendmail.conf.
func (s *sendmailLab) sasl() error {
	if err := os.WriteFile(s.path("sasl", "Sendmail.conf"), []byte("pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: /mnt/sasl/sasldb2\nmech_list: PLAIN LOGIN\n"), 0o644); err != nil {
		return err
	}
	user, realm, _ := strings.Cut(saslUser, "@")
	_, err := run([]byte(saslPassword), "saslpasswd2", "-c", "-p", "-f", s.path("sasl", "sasldb2"), "-u", realm, user)
	return err
}

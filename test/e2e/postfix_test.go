//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// postfixLab is one Postfix instance with its own configuration, queue and data below dir.
type postfixLab struct {
	dir    string
	ports  postfixPorts
	sasl   string // Dovecot's authentication socket
	milter string // the milter's TCP address, inet:127.0.0.1:PORT; the socket in the queue directory is milterSocket
	up     bool   // master was started
}

// postfixPorts are the listeners. All but submission speak as whoever XCLIENT names.
type postfixPorts struct {
	smtp     int // inbound, chrooted as in Debian's master.cf, on 127.0.0.1 and ::1
	submit   int // submission: SASL, milter_macro_daemon_name=ORIGINATING
	filtered int // inbound, milters, then the content filter
	bare     int // inbound without milters, then the content filter (how many set up their virus scanner)
	back     int // where the content filter gives mail back; milters on, over TCP
	filter   int // the content filter itself (the suite's own)
	sink     int // the next hop of all outbound mail (the suite's own)
}

func (p *postfixLab) etc() string   { return filepath.Join(p.dir, "etc") }
func (p *postfixLab) spool() string { return filepath.Join(p.dir, "spool") }
func (p *postfixLab) vmail() string { return filepath.Join(p.dir, "vmail") }
func (p *postfixLab) log() string   { return filepath.Join(p.dir, "mail.log") }

// milterSocket is below the queue directory, the one place that a chrooted and an unchrooted smtpd both see.
func (p *postfixLab) milterSocket() string {
	return filepath.Join(p.spool(), "sealmilter", "milter.sock")
}

const mainCF = `compatibility_level = 3.6
queue_directory = %[1]s/spool
data_directory = %[1]s/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
shlib_directory = /usr/lib/postfix
maillog_file = %[1]s/mail.log
maillog_file_prefixes = %[1]s
mail_owner = postfix
setgid_group = postdrop
multi_instance_enable = no
inet_interfaces = 127.0.0.1, [::1]
inet_protocols = all
myhostname = host.good.example
myorigin = $myhostname
mydestination = host.good.example
mynetworks = 127.0.0.0/8 [::1]/128
append_dot_mydomain = no
relayhost = [127.0.0.1]:%[2]d
local_recipient_maps =
alias_maps = texthash:%[1]s/etc/aliases
alias_database =
virtual_mailbox_domains = good.example, lax.example
virtual_mailbox_base = %[1]s/vmail
virtual_mailbox_maps = static:all/
virtual_minimum_uid = 1
virtual_uid_maps = static:%[3]d
virtual_gid_maps = static:%[4]d
virtual_mailbox_limit = 0
mailbox_size_limit = 0
message_size_limit = 60000000
smtpd_authorized_xclient_hosts = 127.0.0.1, [::1]
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination
smtpd_client_connection_count_limit = 200
smtpd_hard_error_limit = 1000
smtpd_soft_error_limit = 900
smtpd_error_sleep_time = 0
in_flow_delay = 0
default_process_limit = 40
queue_run_delay = 5s
minimal_backoff_time = 5s
internal_mail_filter_classes = bounce
enable_long_queue_ids = yes
milter_default_action = tempfail
smtpd_milters = unix:sealmilter/milter.sock
non_smtpd_milters = unix:sealmilter/milter.sock
`

const masterCF = `
127.0.0.1:%[1]d inet n - y - - smtpd
  -o local_header_rewrite_clients=
[::1]:%[1]d     inet n - y - - smtpd
127.0.0.1:%[2]d inet n - n - - smtpd
  -o syslog_name=postfix/submission
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_sasl_type=dovecot
  -o smtpd_sasl_path=%[6]s
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
  -o milter_macro_daemon_name=ORIGINATING
127.0.0.1:%[3]d inet n - y - - smtpd
  -o content_filter=smtp:[127.0.0.1]:%[7]d
127.0.0.1:%[4]d inet n - y - - smtpd
  -o content_filter=smtp:[127.0.0.1]:%[7]d
  -o receive_override_options=no_milters
127.0.0.1:%[5]d inet n - n - - smtpd
  -o syslog_name=postfix/back
  -o smtpd_milters=%[8]s
pickup    unix  n - y 60 1 pickup
cleanup   unix  n - y - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
rewrite   unix  - - y - - trivial-rewrite
bounce    unix  - - y - 0 bounce
defer     unix  - - y - 0 bounce
trace     unix  - - y - 0 bounce
verify    unix  - - y - 1 verify
flush     unix  n - y 1000? 0 flush
proxymap  unix  - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp      unix  - - y - - smtp
relay     unix  - - y - - smtp
showq     unix  n - y - - showq
error     unix  - - y - - error
retry     unix  - - y - - error
discard   unix  - - y - - discard
local     unix  - n n - - local
virtual   unix  - n n - - virtual
anvil     unix  - - y - 1 anvil
scache    unix  - - y - 1 scache
postlog   unix-dgram n - n - 1 postlogd
`

// XCLIENT leaves the session local to Postfix's header completion, which would add a From to a stranger's message:
// hence local_header_rewrite_clients.

// start writes the instance and starts its master.
func (p *postfixLab) start(mail account) error {
	postfix, err := lookAccount("postfix")
	if err != nil {
		return err
	}
	for _, d := range []string{p.etc(), p.spool(), filepath.Join(p.spool(), "etc"), filepath.Join(p.dir, "data"), p.vmail()} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	if err := os.Chown(filepath.Join(p.dir, "data"), postfix.uid, postfix.gid); err != nil {
		return err
	}
	if err := os.Chown(p.vmail(), mail.uid, mail.gid); err != nil {
		return err
	}
	for _, f := range []string{"services", "hosts", "nsswitch.conf", "resolv.conf", "localtime"} { // what a chroot wants to see
		if data, err := os.ReadFile("/etc/" + f); err == nil {
			if err := os.WriteFile(filepath.Join(p.spool(), "etc", f), data, 0o644); err != nil {
				return err
			}
		}
	}
	q := p.ports
	files := map[string]string{
		"main.cf":   fmt.Sprintf(mainCF, p.dir, q.sink, mail.uid, mail.gid),
		"master.cf": fmt.Sprintf(masterCF, q.smtp, q.submit, q.filtered, q.bare, q.back, p.sasl, q.filter, p.milter),
		"aliases":   fmt.Sprintf("launder |\"/usr/sbin/sendmail -C %s laundered@remote.example\"\n", p.etc()),
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(p.etc(), name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	// The set-gid commands accept a foreign configuration from ordinary users (here: the pipe alias) only when
	// the default main.cf lists its directory.
	if _, err := run(nil, "postconf", "-e", "alternate_config_directories="+p.etc()); err != nil {
		return err
	}
	if _, err := run(nil, "postfix", "-c", p.etc(), "start"); err != nil {
		return p.explain(err)
	}
	p.up = true
	for _, port := range []int{q.smtp, q.submit, q.back} {
		if err := waitPort(nil, "tcp", local(port)); err != nil {
			return p.explain(err)
		}
	}
	return nil
}

// explain adds the end of Postfix's log to an error.
func (p *postfixLab) explain(err error) error {
	text, _ := os.ReadFile(p.log())
	return fmt.Errorf("%w\n%s", err, lastLines(string(text), 20))
}

// stop has Postfix end its own master, by the pid file in the queue directory.
func (p *postfixLab) stop() {
	if p.up {
		_, _ = run(nil, "postfix", "-c", p.etc(), "stop")
	}
}

// queued is one line of postqueue -j.
type queued struct {
	Queue      string `json:"queue_name"`
	ID         string `json:"queue_id"`
	Sender     string `json:"sender"`
	Recipients []struct {
		Address string `json:"address"`
		Delay   string `json:"delay_reason"`
	} `json:"recipients"`
}

// queue lists the messages that Postfix still has for rcpt.
func (p *postfixLab) queue(rcpt string) ([]queued, error) {
	out, err := run(nil, "postqueue", "-c", p.etc(), "-j")
	if err != nil {
		return nil, err
	}
	var found []queued
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var m queued
		if err := dec.Decode(&m); err != nil {
			return nil, err
		}
		for _, r := range m.Recipients {
			if r.Address == rcpt {
				found = append(found, m)
			}
		}
	}
	return found, nil
}

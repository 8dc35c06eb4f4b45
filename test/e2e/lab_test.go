//go:build e2e

package e2e

import (
	"fmt"
	"os/user"
	"path/filepath"
	"strconv"
)

// lab is everything that runs: name servers, SASL, Postfix, the sink, the content filter and sealmilter.
type lab struct {
	dir      string
	dns      *dnsLab
	dovecot  *dovecotLab
	postfix  *postfixLab
	daemon   *daemon
	sink     *sink
	filter   *contentFilter
	sm       *sendmailLab
	outsider signerKeys // the keys of sender.example, which is not ours

	recipients map[string]string // file in the Maildir -> address it was delivered to
}

// account is a system user by number.
type account struct{ uid, gid int }

func lookAccount(name string) (account, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return account{}, err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return account{}, err
	}
	gid, err := strconv.Atoi(u.Gid)
	return account{uid, gid}, err
}

// newLab lays out directories and ports; start brings everything up.
func newLab(dir string) (*lab, error) {
	l := &lab{dir: dir, recipients: map[string]string{}}
	ports, err := freePorts(10)
	if err != nil {
		return l, err
	}
	l.dns = &dnsLab{dir: filepath.Join(dir, "dns"), nsdPort: ports[0], port: ports[1]}
	l.dovecot = &dovecotLab{dir: filepath.Join(dir, "dovecot")}
	l.postfix = &postfixLab{
		dir:    filepath.Join(dir, "postfix"),
		sasl:   l.dovecot.socket(),
		milter: fmt.Sprintf("inet:127.0.0.1:%d", ports[2]),
		ports: postfixPorts{smtp: ports[3], submit: ports[4], filtered: ports[5], bare: ports[6], back: ports[7],
			filter: ports[8], sink: ports[9]},
	}
	l.sm = &sendmailLab{dir: filepath.Join(dir, "sendmail"), socket: l.postfix.milterSocket()}
	if len(l.postfix.milterSocket()) > 100 { // sun_path has 108 bytes
		return l, fmt.Errorf("TMPDIR is too long for a unix socket: %s", l.postfix.milterSocket())
	}
	l.daemon = daemonIn(dir)
	l.daemon.socket, l.daemon.inet, l.daemon.dns = l.postfix.milterSocket(), l.postfix.milter, fmt.Sprintf("127.0.0.1:%d", l.dns.port)
	return l, nil
}

// start brings everything up, in the order of who needs whom.
func (l *lab) start() error {
	nobody, err := lookAccount("nobody")
	if err != nil {
		return err
	}
	if err := l.daemon.install(nobody); err != nil {
		return err
	}
	if l.outsider, err = makeOutsider(); err != nil {
		return err
	}
	ours, err := l.daemon.zones()
	if err != nil {
		return err
	}
	ours["sender.example."] = l.outsider.records
	if err := l.dns.start(ours); err != nil {
		return err
	}
	if err := l.dovecot.start(); err != nil {
		return err
	}
	if l.sink, err = newSink(l.postfix.ports.sink); err != nil {
		return err
	}
	if l.filter, err = newContentFilter(l.postfix.ports.filter, l.postfix.ports.back); err != nil {
		return err
	}
	if err := l.daemon.start(); err != nil {
		return err
	}
	if err := l.postfix.start(nobody); err != nil {
		return err
	}
	return l.sm.start()
}

// stop ends what was started, in reverse.
func (l *lab) stop() {
	if l.dns == nil || l.postfix == nil {
		return
	}
	l.sm.stop()
	l.postfix.stop()
	l.daemon.stop()
	l.filter.close()
	l.sink.close()
	l.dovecot.stop()
	l.dns.stop()
}

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// dnsLab is NSD as the authoritative server of every zone, the root included, and unbound as the resolver
// that sealmilter and the verifiers ask. Nothing leaves the machine: unbound's only stub is the root.
type dnsLab struct {
	dir       string
	nsdPort   int
	port      int // unbound on 127.0.0.1
	nsd, unbd *proc
}

// resolverIP has unbound on port 53, for programs that know resolv.conf only.
const resolverIP = "127.0.0.53"

// zoneHead begins every zone; TTLs are short so that a reload shows.
const zoneHead = "$ORIGIN %s\n$TTL 5\n@ IN SOA ns.lab.example. hostmaster.lab.example. %d 3600 900 86400 5\n@ IN NS ns.lab.example.\n"

// zones of the outside world. 192.0.2.0/24 and 2001:db8::/32 are documentation space.
var zones = map[string]string{
	".": `
ns.lab.example.            A   127.0.0.54
10.2.0.192.in-addr.arpa.   PTR mail.sender.example.
25.2.0.192.in-addr.arpa.   PTR mail.good.example.
`,
	"sender.example.": `
@       A   192.0.2.10
@       MX  10 mail
@       TXT "v=spf1 ip4:192.0.2.10 ip6:2001:db8:66::/48 -all"
_dmarc  TXT "v=DMARC1; p=reject"
mail    A   192.0.2.10
mail    TXT "v=spf1 a -all"
`,
	"other.example.": `
@       TXT "v=spf1 ip4:192.0.2.20 -all"
_dmarc  TXT "v=DMARC1; p=reject"
mail    A   192.0.2.20
`,
	"reject.example.": "@ TXT \"v=spf1 -all\"\n_dmarc TXT \"v=DMARC1; p=reject\"\n",
	// The domain of a row in a database; its records come when it has keys.
	"shop.example.":       "mail A 192.0.2.25\n",
	"quarantine.example.": "@ TXT \"v=spf1 -all\"\n_dmarc TXT \"v=DMARC1; p=quarantine\"\n",
	// broken.example. is configured in NSD without a zone file: SERVFAIL, as a lame server gives.
	"broken.example.": "",
	// The same below a domain with p=reject, where anybody may put a MAIL FROM.
	"lame.reject.example.": "",
}

// zoneFile is the zone's file name; the root's is "root".
func (d *dnsLab) zoneFile(zone string) string {
	if zone == "." {
		return filepath.Join(d.dir, "root.zone")
	}
	return filepath.Join(d.dir, strings.TrimSuffix(zone, ".")+".zone")
}

// writeZone writes records below the usual head.
func (d *dnsLab) writeZone(zone, records string) error {
	text := fmt.Sprintf(zoneHead, zone, time.Now().Unix()) + records
	return os.WriteFile(d.zoneFile(zone), []byte(text), 0o644)
}

// start writes all zones (extra adds to or supplements the table above) and starts both servers.
func (d *dnsLab) start(extra map[string]string) error {
	if err := os.MkdirAll(d.dir, 0o755); err != nil {
		return err
	}
	all := map[string]string{}
	for z, text := range zones {
		all[z] = text
	}
	for z, text := range extra {
		all[z] += text
	}
	var conf strings.Builder
	// As newer ones do anyway: answers that are not limited, and without a delegation. Who asks for one is led to
	// port 53, and finds this server there, too.
	fmt.Fprintf(&conf, `server:
	ip-address: 127.0.0.1@%d
	ip-address: 127.0.0.54@53
	username: ""
	chroot: ""
	server-count: 1
	rrl-ratelimit: 0
	minimal-responses: yes
	database: ""
	zonesdir: "%[2]s"
	pidfile: "%[2]s/nsd.pid"
	xfrdfile: "%[2]s/xfrd.state"
	zonelistfile: "%[2]s/zone.list"
	xfrdir: "%[2]s"
remote-control:
	control-enable: no
`, d.nsdPort, d.dir)
	for z, text := range all {
		fmt.Fprintf(&conf, "zone:\n\tname: \"%s\"\n\tzonefile: \"%s\"\n", z, d.zoneFile(z))
		if text == "" {
			continue
		}
		if z == "." { // the delegations
			for other := range all {
				if other != "." {
					text += other + " NS ns.lab.example.\n"
				}
			}
		}
		if err := d.writeZone(z, text); err != nil {
			return err
		}
	}
	nsdConf := filepath.Join(d.dir, "nsd.conf")
	if err := os.WriteFile(nsdConf, []byte(conf.String()), 0o644); err != nil {
		return err
	}
	if out, err := run(nil, "nsd-checkconf", nsdConf); err != nil {
		return fmt.Errorf("%w %s", err, out)
	}
	var err error
	if d.nsd, err = startProc("nsd", filepath.Join(d.dir, "nsd.log"), nil, "nsd", "-d", "-c", nsdConf); err != nil {
		return err
	}
	if err := waitPort(d.nsd, "tcp", fmt.Sprintf("127.0.0.1:%d", d.nsdPort)); err != nil {
		return err
	}
	return d.startUnbound()
}

func (d *dnsLab) startUnbound() error {
	conf := fmt.Sprintf(`server:
	interface: 127.0.0.1@%d
	interface: %s@53
	access-control: 127.0.0.0/8 allow
	do-daemonize: no
	username: ""
	chroot: ""
	directory: "%[3]s"
	pidfile: "%[3]s/unbound.pid"
	use-syslog: no
	logfile: ""
	num-threads: 1
	module-config: "iterator"
	do-not-query-localhost: no
	qname-minimisation: no
	do-ip6: no
	local-zone: "2.0.192.in-addr.arpa." nodefault
	local-zone: "8.b.d.0.1.0.0.2.ip6.arpa." nodefault
remote-control:
	control-enable: no
stub-zone:
	name: "."
	stub-addr: 127.0.0.1@%[4]d
`, d.port, resolverIP, d.dir, d.nsdPort)
	file := filepath.Join(d.dir, "unbound.conf")
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		return err
	}
	resolv := fmt.Sprintf("nameserver %s\noptions timeout:2 attempts:2\n", resolverIP)
	if err := os.WriteFile(filepath.Join(d.dir, "resolv.conf"), []byte(resolv), 0o644); err != nil {
		return err
	}
	var err error
	if d.unbd, err = startProc("unbound", filepath.Join(d.dir, "unbound.log"), nil, "unbound", "-d", "-c", file); err != nil {
		return err
	}
	return waitPort(d.unbd, "tcp", fmt.Sprintf("127.0.0.1:%d", d.port))
}

func (d *dnsLab) stop() {
	d.unbd.stop(5 * time.Second)
	d.nsd.stop(5 * time.Second)
}

// txt asks unbound.
func (d *dnsLab) txt(name string) ([]string, error) {
	r := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var nd net.Dialer
		return nd.DialContext(ctx, network, fmt.Sprintf("127.0.0.1:%d", d.port))
	}}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return r.LookupTXT(ctx, name)
}

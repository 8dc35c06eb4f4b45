package manpage

// Service is what sealmilter(8) says besides its commands.
func (p *Page) Service() {
	p.Section("SERVICE")
	p.Text(`The packages bring sealmilter.service and sealmilter.socket. systemd holds the
sockets, so that a restart, an upgrade or a crash refuses nobody: MTAs wait for a
moment. For that reason "systemctl stop sealmilter" alone does not last: the
next message starts it again. To stop it, take it out of the MTA's configuration
first, then "systemctl stop sealmilter.socket sealmilter.service".

After a bad change of milter.yaml the daemon goes on with the last configuration
that worked, over restarts and reboots, and says so in the log.

A socket unit with Service=sealmilter.service and FileDescriptorName=outbound (or
inbound) takes mail of that direction only, and nothing has to be guessed. systemd's
sockets stand in for the default of "listen"; addresses that milter.yaml names
itself are opened as well.`)
	p.Section("SIGNALS")
	p.Item("SIGHUP", "Read configuration and keys again; keep the old ones when the new ones are bad.")
	p.Item("SIGTERM", "Finish the transactions in progress, then end. A second one ends at once.")
	p.Section("FILES")
	p.Item("/etc/sealmilter/milter.yaml", "The configuration, see milter.yaml(5).")
	p.Item("/var/lib/sealmilter/keys/DOMAIN/SELECTOR.pem", "Private keys. No package script ever removes them.")
	p.Item("/var/lib/sealmilter/last-good", "The last configuration that worked.")
	p.Item("/var/lib/sealmilter/domains-from", "The domains that a database gave last (sign.domains_from). Without it, the next answer is taken as it is.")
	p.Item("/run/sealmilter/milter.sock", "The socket.")
	p.Item("/run/sealmilter/admin.sock", "For status and reload: a link to the folder in which the daemon makes its own sockets, /run/sealmilter/daemon.")
	p.Item("/var/spool/postfix/sealmilter/milter.sock", "The socket for Postfix, by the drop-in /etc/systemd/system/sealmilter.socket.d/postfix.conf.")
}

// Config makes milter.yaml(5) of the documented example.
func Config(example, date, version string) []byte {
	p := New("milter.yaml", 5, date, version)
	p.Section("NAME")
	p.Name("milter.yaml", "configuration of sealmilter")
	p.Section("DESCRIPTION")
	p.Text(`/etc/sealmilter/milter.yaml is a YAML file. A file needs only what differs from the
defaults. "sealmilter check" prints every mistake with its line and what to do about
it; "systemctl reload sealmilter" takes a new file up, and a bad one changes nothing.

What follows is every option with its default and its meaning.`)
	p.Section("OPTIONS")
	p.Verbatim(example)
	p.Section("SEE ALSO")
	p.Text("sealmilter(8), sealmilter-check(8)")
	return p.Bytes()
}

package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/internal/address"
	"github.com/sealmilter/sealmilter/policy"
)

// check looks at what no single value can know.
func (d *decoder) check(c *Config) {
	d.checkListen(c)
	d.checkNetworks(c)
	d.checkSign(c)
	d.checkRotate(c)
	if c.Shadow { // whoever asks for it must not be judged for real
		d.failAt("shadow", "shadow is not built yet: mail would be decided about in earnest", "leave it away; `observe: true` makes a single rule count only")
	}
	d.checkVerify(c)
	d.checkLimits(c)
	d.checkPolicy(c)
}

func (d *decoder) checkListen(c *Config) {
	if len(c.Listen) == 0 {
		d.failAt("listen", "listen is empty", "leave it away for "+Default().Listen[0].Addr.Text)
	}
	if c.Socket.Mode&0o002 != 0 { // connect(2) wants write permission
		d.warnAt("socket.mode", fmt.Sprintf("socket.mode %04o lets every user of this host connect", uint32(c.Socket.Mode)), whoConnects+": 0660, and the MTA's group")
	}
	seen := map[string]bool{}
	if c.Admin.Addr != "" {
		seen[c.Admin.Addr] = true
		if c.Admin.Network != "unix" {
			d.failAt("admin", "admin must be a unix socket", "its file mode is what protects it")
		}
	}
	for i, l := range c.Listen {
		path := fmt.Sprintf("listen[%d]", i)
		switch {
		case l.Addr.Addr == "" && d.lines[path] > 0 && !d.failedAt(d.lines[path]):
			d.failAt(path, "a listener without address", "")
		case l.Addr.Addr == "":
		case seen[l.Addr.Addr]:
			d.failAt(path, fmt.Sprintf("%s is used twice", l.Addr), "")
		case l.Addr.open():
			d.warnAt(path, fmt.Sprintf("%s lets every host and every user of this one connect", l.Addr),
				whoConnects+"; for an MTA on this host take a unix socket, for another one let the firewall admit that host only")
		case l.Addr.Network != "unix":
			who := "every user of this host"
			if !l.Addr.loopback() {
				who += " and every host that reaches it"
			}
			d.warnAt(path, fmt.Sprintf("%s lets %s connect", l.Addr, who),
				whoConnects+", and may open the port before we do; for an MTA on this host take a unix socket")
		}
		seen[l.Addr.Addr] = true
	}
}

// whoConnects is what an open socket means: the milter protocol knows no
// passwords, and the client's word for {auth_authen} and {daemon_name}.
const whoConnects = "whoever connects can have any mail signed for every listed domain"

// failedAt: the line has a problem already, so that another one is noise.
func (d *decoder) failedAt(line int) bool {
	return slices.ContainsFunc(d.problems, func(p Problem) bool { return p.Line == line && p.Severity == Error })
}

func (d *decoder) checkNetworks(c *Config) {
	for i, n := range c.Outbound.Networks {
		if n.IsValid() && n.Bits() == 0 {
			d.failAt(fmt.Sprintf("outbound.networks[%d]", i), fmt.Sprintf("%s is everybody: we would sign spam", n), "list your own networks only")
		}
	}
	for i, r := range c.Inbound.Relays {
		for j, n := range c.Outbound.Networks {
			if r.IsValid() && n.IsValid() && r.Overlaps(n) {
				d.failAt(fmt.Sprintf("inbound.relays[%d]", i), fmt.Sprintf("%s overlaps %s of outbound.networks", r, n),
					fmt.Sprintf("mail from there is either ours to sign or foreign to check; see line %d", d.lines[fmt.Sprintf("outbound.networks[%d]", j)]))
			}
		}
	}
	for i, a := range c.Egress {
		if a.IsValid() && !address.Public(a) {
			d.warnAt(fmt.Sprintf("egress[%d]", i), fmt.Sprintf("%s is not a public address", a), "write the address that other hosts see; behind NAT it is the gateway's")
		}
	}
}

// Fields that no signature may cover: RFC 6376 §5.4 (Return-Path changes in
// transit, DKIM-Signature is covered anyway), and those that we take out.
var neverSign = []string{"Return-Path", "DKIM-Signature", "Authentication-Results", policy.QuarantineField}

// RFC 6376 §5.4.1, and what Sendmail removes on the way: several of them, or gone.
var rarelySign = []string{"Received", "Comments", "Keywords", "Bcc", "Resent-Bcc", "Content-Length", "Full-Name"}

func (d *decoder) checkSign(c *Config) {
	s := &c.Sign
	if s.Keys == "" {
		d.failAt("sign.keys", "sign.keys is empty", "leave it away for "+Default().Sign.Keys)
	}
	if d.empty["sign.domains"] && !s.DomainsFrom.Asked() {
		d.warnAt("sign.domains", "sign.domains names no domain: no mail is signed", "write domains: [example.com]; where no mail is to be signed, domains: []")
	}
	first := map[string]int{}
	for i, dom := range s.Domains {
		path := fmt.Sprintf("sign.domains[%d]", i)
		if line, twice := first[dom.Name]; twice && dom.Name != "" {
			d.failAt(path, fmt.Sprintf("domain %s is listed twice", dom.Name), fmt.Sprintf("it is in line %d already", line))
		} else {
			first[dom.Name] = d.lines[path]
		}
		d.checkDomain(path, dom)
		d.twice(path+".selectors", dom.Selectors)
	}
	d.checkDomainsFrom(&s.DomainsFrom)
	d.checkSenders(c)
	d.twice("sign.headers", s.Headers)
	d.twice("sign.oversign", s.Oversign)
	// RFC 6376 §5.4: From MUST be signed.
	if !containsFold(s.Headers, "From") {
		d.failAt("sign.headers", "sign.headers lacks From", "a signature without From is worth nothing (RFC 6376 section 5.4)")
	}
	for _, list := range []struct {
		path  string
		names []string
	}{{"sign.headers", s.Headers}, {"sign.oversign", s.Oversign}} {
		for i, name := range list.names {
			path := fmt.Sprintf("%s[%d]", list.path, i)
			if containsFold(neverSign, name) {
				d.failAt(path, name+" must not be signed", "it is changed or removed before others see the mail")
			} else if containsFold(rarelySign, name) {
				d.warnAt(path, name+" is often changed or removed on the way, which breaks the signature", "leave it away (RFC 6376 section 5.4.1)")
			}
		}
	}
	if strings.HasPrefix(s.Canonicalization, "simple/") && c.MTA == "sendmail" {
		d.warnAt("sign.canonicalization", "Sendmail rewrites address fields, which breaks simple header signatures", "relaxed/relaxed")
	}
}

func (d *decoder) twice(path string, names []string) {
	for i, n := range names {
		if n != "" && containsFold(names[:i], n) {
			d.failAt(fmt.Sprintf("%s[%d]", path, i), fmt.Sprintf("%s is in %s twice", n, path), "")
		}
	}
}

func containsFold(list []string, s string) bool {
	return slices.ContainsFunc(list, func(x string) bool { return strings.EqualFold(x, s) })
}

func (d *decoder) checkVerify(c *Config) {
	if c.Verify.DMARC && !c.Verify.SPF && !c.Verify.DKIM {
		d.failAt("verify", "verify.dmarc needs spf or dkim", "without both every message fails; set dmarc: false as well")
	}
	if s := c.ARC.Seal; s != (Seal{}) && (s.Domain == "" || s.Selector == "") {
		d.failAt("arc.seal", "arc.seal needs domain and selector", "{domain: example.com, selector: s1, for: forwarded}")
	}
}

func (d *decoder) checkLimits(c *Config) {
	if c.Limits.HeaderSize < c.Limits.FieldSize {
		d.failAt("limits.header_size", fmt.Sprintf("limits.header_size %s is below limits.field_size %s", c.Limits.HeaderSize, c.Limits.FieldSize), "")
	}
	if c.DNS.Timeout > c.Limits.MessageTimeout {
		d.warnAt("dns.timeout", fmt.Sprintf("dns.timeout %s is longer than limits.message_timeout %s", c.DNS.Timeout, c.Limits.MessageTimeout), "")
	}
}

func (d *decoder) checkPolicy(c *Config) {
	p, problems := policy.Compile(&c.Policy.Rules.Node, c.Policy.options())
	for _, x := range problems {
		sev := Error
		if x.Warning {
			sev = Warning
		}
		d.problems = append(d.problems, Problem{Line: x.Line, Message: x.Message, Hint: x.Hint, Severity: sev})
	}
	c.Policy.Compiled = p
	d.oddWords(&c.Policy.Rules.Node)
}

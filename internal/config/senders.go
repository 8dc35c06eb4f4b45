package config

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/internal/signing"
	"github.com/sealmilter/sealmilter/policy/tree"
)

// Senders say who may sign as whom (docs/decisions/0028). Without rules and query
// whoever sends may sign as everybody.
type Senders struct {
	OnMismatch string       `yaml:"on_mismatch" words:"log sign_not reject"`
	Rules      []SenderRule `yaml:"rules"`
	Query      SenderQuery  `yaml:"query"`
}

// Asked reports whether anybody is kept from anything.
func (s Senders) Asked() bool { return len(s.Rules) > 0 || s.Query.Asked() }

// SenderRule gives a user, a network or the programs of this host addresses.
type SenderRule struct {
	User   signing.UserPattern `yaml:"user"`
	Client netip.Prefix        `yaml:"client"`
	Local  bool                `yaml:"local"`
	From   []signing.Pattern   `yaml:"from,flow" single:"yes"`
}

// SenderQuery is a database with more addresses of a user. Zero: none.
type SenderQuery struct {
	Driver  string `yaml:"driver,omitempty" words:"mysql postgres sqlite"`
	DSNFile string `yaml:"dsn_file,omitempty" check:"path"`
	Query   string `yaml:"query,omitempty"`
	// Line is where the file names DSNFile, for those who open it.
	Line int `yaml:"-"`
}

// Asked reports whether there is a database to ask.
func (q SenderQuery) Asked() bool { return q.Driver != "" }

const ruleForms = `{user: "*", from: ["{user}"]}, {client: 192.168.5.0/24, from: ["@x.example"]} or {local: true, from: ["@x.example"]}`

// decode: one principal, and what it may use.
func (r *SenderRule) decode(d *decoder, n *tree.Node, path string, _ reflect.StructTag) {
	type object SenderRule
	var o object
	before := len(d.problems)
	d.object(n, reflect.ValueOf(&o).Elem(), path)
	*r = SenderRule(o)
	if d.problems[before:].Failed() {
		return
	}
	var who []string
	for _, name := range []string{"user", "client", "local"} {
		if v := n.Get(name); v != nil && v.Kind != tree.Null {
			who = append(who, name)
		}
	}
	switch {
	case len(who) == 0:
		d.fail(n, path+" says nothing of whom it is about", ruleForms)
	case len(who) > 1:
		d.fail(n, fmt.Sprintf("%s is about %s at once", path, strings.Join(who, " and ")), "write a rule for each")
	case who[0] == "local" && !r.Local:
		d.failAt(path+".local", path+".local: false is about nobody", "leave the rule away: without one, programs of this host may not sign")
	case who[0] == "client" && r.Client.Bits() == 0:
		d.failAt(path+".client", fmt.Sprintf("%s.client: %s is everybody", path, r.Client), "list your own machines only")
	case len(r.From) == 0:
		d.fail(n, path+" has no address in from", `from: ["kim@x.example", "@y.example"]; who may sign as nobody needs no rule`)
	case who[0] == "user" && r.User.Many() && slices.ContainsFunc(r.From, signing.Pattern.Any):
		d.failAt(path+".from", fmt.Sprintf(`%s: "*" would let %s write as everybody`, path, r.User), `for the domain of each, write "@{user.domain}"`)
	case who[0] != "user":
		for i, p := range r.From {
			if strings.Contains(p.String(), "{") {
				at := fmt.Sprintf("%s.from[%d]", path, i)
				d.failAt(at, fmt.Sprintf("%s: %s in a rule about %s", at, tree.Quote(p.String()), who[0]), "nobody logged in there: name the addresses")
			}
		}
	}
}

// MarshalYAML writes the principal that the rule has.
func (r SenderRule) MarshalYAML() (any, error) {
	switch {
	case r.Local:
		return struct {
			Local bool              `yaml:"local"`
			From  []signing.Pattern `yaml:"from,flow"`
		}{true, r.From}, nil
	case r.Client.IsValid():
		return struct {
			Client netip.Prefix      `yaml:"client"`
			From   []signing.Pattern `yaml:"from,flow"`
		}{r.Client, r.From}, nil
	}
	return struct {
		User signing.UserPattern `yaml:"user"`
		From []signing.Pattern   `yaml:"from,flow"`
	}{r.User, r.From}, nil
}

func (d *decoder) checkSenders(c *Config) {
	const path = "sign.senders"
	s := &c.Sign.Senders
	d.checkSenderQuery(path+".query", &s.Query)
	switch {
	case s.OnMismatch == string(signing.Log):
	case s.Asked():
		d.checkForgotten(c)
	case s.Query == (SenderQuery{}) && d.lines[path+".rules[0]"] == 0:
		d.failAt(path+".on_mismatch", fmt.Sprintf("%s.on_mismatch: %s, and no rule says who may sign as whom", path, s.OnMismatch),
			`write rules: [{user: "*", from: ["{user}"]}]`)
	}
}

// checkForgotten warns of mail that is ours without a login, and that no rule lets
// anybody write: cron's and the web sites' would stop without a word.
func (d *decoder) checkForgotten(c *Config) {
	const path = "sign.senders.on_mismatch"
	s := &c.Sign.Senders
	becomes := "goes out unsigned"
	if s.OnMismatch == string(signing.Reject) {
		becomes = "is refused"
	}
	if c.Outbound.Local && !slices.ContainsFunc(s.Rules, func(r SenderRule) bool { return r.Local }) {
		d.warnAt(path, fmt.Sprintf("%s: %s, and no rule is about programs of this host: their mail as your domains %s", path, s.OnMismatch, becomes),
			`add {local: true, from: ["*"]}, or their addresses in its place; or set outbound.local: false`)
	}
	for _, n := range c.Outbound.Networks {
		if n.IsValid() && !slices.ContainsFunc(s.Rules, func(r SenderRule) bool { return r.Client.IsValid() && r.Client.Overlaps(n) }) {
			d.warnAt(path, fmt.Sprintf("%s: %s, and no rule is about %s of outbound.networks: its mail as your domains %s", path, s.OnMismatch, n, becomes),
				fmt.Sprintf(`add {client: %s, from: ["*"]}, or its addresses in its place`, word(n.String())))
		}
	}
}

func (d *decoder) checkSenderQuery(path string, q *SenderQuery) {
	if *q == (SenderQuery{}) {
		return
	}
	if d.checkDatabase(path, q.Driver, q.DSNFile, q.Query, true) {
		q.Line = d.lines[path+".dsn_file"]
	}
}

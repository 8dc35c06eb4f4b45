package assemble

import (
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/policy/tree"
)

// elsewhere are the options that are handed on by others: in which file, and by
// which words.
var elsewhere = map[string][2]string{
	"listen":                      {"../service/listen.go", "range cfg.Listen"},
	"socket.mode":                 {"../service/listen.go", "cfg.Socket.Mode"},
	"socket.group":                {"../service/listen.go", "cfg.Socket.Group"},
	"socket.peers":                {"../service/listen.go", "NewPeers(cfg.Socket.Peers)"},
	"admin":                       {"../service/service.go", "adminPart(r.cfg.Admin)"},
	"metrics.listen":              {"../service/service.go", "metricsPart(r.cfg.Metrics.Listen"},
	"log.format":                  {"../service/reload.go", "NewLogger(s.Stderr, cfg.Format"},
	"log.level":                   {"../service/reload.go", "ParseLevel(cfg.Level)"},
	"egress":                      {"../inspect/doctor.go", "return cfg.Egress"},
	"sign.keys":                   {"assemble.go", "keys.Load(cfg.Sign.Keys"},
	"sign.rotate.every":           {"rotation.go", "Every: r.Every"},
	"sign.rotate.overlap":         {"rotation.go", "Overlap: r.Overlap"},
	"sign.rotate.delay":           {"rotation.go", "Delay: r.Delay"},
	"sign.rotate.turns":           {"rotation.go", "Turns: r.Turns"},
	"sign.rotate.publish":         {"publisher.go", "switch r.Publish"},
	"sign.published_via":          {"sight.go", "Via: cfg.Sign.PublishedVia"},
	"sign.role":                   {"rotation.go", `cfg.Sign.Role == "follower"`},
	"sign.rotate.server":          {"publisher.go", "range r.Server"},
	"sign.rotate.tsig_file":       {"publisher.go", "r.TSIGFile"},
	"sign.rotate.hook":            {"publisher.go", "r.Hook"},
	"verify.remove_authserv_ids":  {"assemble.go", "set.RemovedIDs = cfg.Verify.RemoveAuthservIDs"},
	"shadow":                      {"../config/check.go", "if c.Shadow"},
	"policy.quarantine":           {"../config/config.go", "Quarantine: p.Quarantine"},
	"policy.dmarc_reject":         {"../config/config.go", "DMARCReject: p.DMARCReject"},
	"policy.dmarc_temperror":      {"../config/config.go", "DMARCTempError: p.DMARCTempError"},
	"policy.rules":                {"../config/check.go", "policy.Compile(&c.Policy.Rules"},
	"sign.domains_from.driver":    {"listed.go", "Driver: f.Driver"},
	"sign.domains_from.dsn_file":  {"listed.go", "DSNFile: f.DSNFile"},
	"sign.domains_from.query":     {"listed.go", "db.Column(ctx, f.Query)"},
	"sign.domains_from.refresh":   {"../service/domains.go", "pause := f.Refresh"},
	"sign.senders.query.driver":   {"directory.go", "Driver: d.query.Driver"},
	"sign.senders.query.dsn_file": {"directory.go", "DSNFile: d.query.DSNFile"},
	"sign.senders.query.query":    {"directory.go", "db.Strings(ctx, d.query.Query, user)"},
}

// TestEveryOptionLands: a changed option changes what is made of the configuration,
// or is handed on in another place, or is listed as not built.
func TestEveryOptionLands(t *testing.T) {
	before, unbuilt := made(config.Default()), config.Default().Unbuilt()
	used := map[string]bool{}
	n := 0
	leaves(reflect.TypeFor[config.Config](), nil, "", func(name string, index []int) {
		n++
		cfg := config.Default()
		if name == "sign.require_published" { // means something with domains only
			cfg.Sign.Domains = []config.SignDomain{{Name: "example.com"}}
			with := made(cfg)
			cfg.Sign.RequirePublished = !cfg.Sign.RequirePublished
			if made(cfg) == with {
				t.Errorf("%s does nothing, and is not listed in config.Unbuilt", name)
			}
			return
		}
		if strings.HasPrefix(name, "sign.senders.") && !strings.Contains(name, "query") { // the same
			cfg.Sign.Senders = ruled(t).Sign.Senders
			with := made(cfg)
			other(t, name, reflect.ValueOf(cfg).Elem().FieldByIndex(index))
			if made(cfg) == with {
				t.Errorf("%s does nothing", name)
			}
			return
		}
		other(t, name, reflect.ValueOf(cfg).Elem().FieldByIndex(index))
		if place, ok := elsewhere[name]; ok {
			used[name] = true
			if text, err := os.ReadFile(place[0]); err != nil || !strings.Contains(string(text), place[1]) {
				t.Errorf("%s: no %q in %s: %v", name, place[1], place[0], err)
			}
			return
		}
		if made(cfg) == before && slices.Equal(cfg.Unbuilt(), unbuilt) {
			t.Errorf("%s does nothing, and is not listed in config.Unbuilt", name)
		}
	})
	if n < 50 {
		t.Errorf("only %d options were found", n)
	}
	for _, name := range slices.Sorted(maps.Keys(elsewhere)) {
		if !used[name] {
			t.Errorf("%s is no option", name)
		}
	}
}

// made is everything that this package makes of cfg, as text.
func made(cfg *config.Config) string {
	set := Setup(cfg, Parts{Resolver: &resolve.Zone{}, Log: slog.New(slog.DiscardHandler)})
	a := *set.Auth
	a.Resolver, a.Panic, a.Now = nil, nil, nil
	senders := ""
	if set.Senders != nil {
		senders = fmt.Sprintf("%+v %+v", *set.Senders, *set.Senders.Rules)
	}
	return fmt.Sprintf("%s\n%+v\n%+v\n%+v\n%+v\n%+v\n%+v\n%+v\n%+v\n%+v\n%+v", senders, set.AuthservID, set.Rules, set.MTA, set.TrustedIDs, set.Sign, set.Limits, a,
		Server(cfg), domainSpecs(cfg), resolverConfig(cfg.DNS))
}

// ruled has rules about senders.
func ruled(t *testing.T) *config.Config {
	t.Helper()
	cfg, problems := config.Parse("milter.yaml", []byte(`
authserv_id: mx.example
sign:
  senders:
    rules:
      - {user: kim@example.com, from: "{user}"}
      - {user: "*@example.com", from: info@example.com}
      - {user: "*", from: "@example.org"}
      - {client: 192.168.5.0/24, from: "@example.net"}
      - {local: true, from: "@*.example.net"}
    query: {driver: sqlite, dsn_file: /etc/dsn, query: "SELECT a FROM b WHERE c = ?"}
`))
	if cfg == nil {
		t.Fatal(problems)
	}
	return cfg
}

// leaves calls f for each option: what has a name in the file and is no section.
func leaves(of reflect.Type, index []int, prefix string, f func(name string, index []int)) {
	for i := range of.NumField() {
		field := of.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		if name == "" || name == "-" {
			continue
		}
		at := append(index[:len(index):len(index)], i)
		if sub := field.Type; sub.Kind() == reflect.Struct && sub.NumField() > 0 && sub.Field(0).Tag.Get("yaml") != "" {
			leaves(sub, at, prefix+name+".", f)
			continue
		}
		f(prefix+name, at)
	}
}

// other gives an option another value than its default.
func other(t *testing.T, name string, v reflect.Value) {
	t.Helper()
	switch name {
	case "sign.rsa":
		v.SetString("openssl")
		return
	case "sign.senders.rules":
		v.Set(v.Slice(0, v.Len()-1))
		return
	case "sign.via":
		v.SetString("ses")
		return
	case "outbound.reinjected":
		v.SetString("sign")
		return
	case "sign.canonicalization":
		v.SetString("simple/simple")
		return
	}
	switch x := v.Addr().Interface().(type) {
	case *config.Tree:
		x.Kind, x.Items, x.Keys = tree.Map, []tree.Node{{}}, []tree.Node{{}}
	case *[]netip.Prefix:
		*x = append(*x, netip.MustParsePrefix("192.0.2.0/24"))
	case *[]netip.Addr:
		*x = append(*x, netip.MustParseAddr("192.0.2.1"))
	case *[]netip.AddrPort:
		*x = append(*x, netip.MustParseAddrPort("192.0.2.1:53"))
	case *time.Duration:
		*x += time.Second
	case *bool:
		*x = !*x
	default:
		switch v.Kind() {
		case reflect.String:
			v.SetString(v.String() + "x")
		case reflect.Int, reflect.Int64:
			v.SetInt(v.Int() + 1)
		case reflect.Uint32:
			v.SetUint(v.Uint() + 1)
		case reflect.Slice:
			v.Set(reflect.Append(v, reflect.New(v.Type().Elem()).Elem()))
		case reflect.Struct:
			v.Field(0).SetString("x")
		default:
			t.Fatalf("%s: no other value of a %s", name, v.Type())
		}
	}
}

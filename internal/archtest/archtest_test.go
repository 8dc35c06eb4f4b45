package archtest

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/sealmilter/sealmilter/"

// forbidden says what a room may not import, and why. Both sides match the
// path itself and all below it; "std:" marks a package that is meant exactly.
var forbidden = []struct {
	from, to []string
	because  string
}{
	{[]string{"auth/resolve"}, []string{""}, "it is the port to the outside world"},
	{[]string{"auth/header", "auth/internal"}, []string{"auth/spf", "auth/dkim", "auth/dmarc", "auth/iprev", "policy", "keys", "milter", "internal", "cmd"},
		"tools know nothing of their users"},
	{[]string{"auth/spf"}, methodsBut("auth/spf"), "methods know nothing of each other; dmarc gets identifiers as values"},
	{[]string{"auth/dkim"}, methodsBut("auth/dkim"), "methods know nothing of each other; dmarc gets identifiers as values"},
	{[]string{"auth/dmarc"}, methodsBut("auth/dmarc"), "methods know nothing of each other; dmarc gets identifiers as values"},
	{[]string{"auth/iprev"}, methodsBut("auth/iprev"), "methods know nothing of each other; dmarc gets identifiers as values"},
	{[]string{"auth"}, []string{"policy", "keys", "milter", "internal", "cmd"}, "truth does not depend on what we do about it"},
	{[]string{"policy"}, []string{"std:net", "std:os", "gopkg.in/yaml.v3", "github.com/emersion/go-milter", "keys", "milter", "internal", "cmd"},
		"a verdict can be replayed"},
	{[]string{"policy/tree"}, []string{"auth", "policy", "keys", "milter", "internal", "cmd"}, "it is a leaf: what a value means is its reader's affair"},
	{[]string{"keys"}, []string{"auth", "policy", "milter", "internal", "cmd", "gopkg.in/yaml.v3"}, "the safe does not know the mail"},
	{[]string{"milter"}, []string{"gopkg.in/yaml.v3", "github.com/miekg/dns", "internal/config", "internal/dnsclient", "cmd"},
		"the hall gets what it needs from cmd"},
	{[]string{"internal/dnsclient"}, []string{"auth/spf", "auth/dkim", "auth/dmarc", "auth/iprev", "policy", "keys", "milter", "internal/config", "internal/telemetry", "cmd"},
		"it knows auth/resolve only"},
	{[]string{"internal/postfix"}, []string{"auth", "policy", "keys", "milter", "internal/config", "cmd"}, "it knows Postfix's files only"},
	{[]string{"internal/sendmail"}, []string{"auth", "policy", "keys", "milter", "internal", "cmd", "std:os"}, "a plan can be replayed from Sendmail's files"},
	{[]string{"internal/filing"}, []string{"auth", "policy", "keys", "milter", "internal", "cmd"}, "it knows the delivery agents' files only"},
	{[]string{"milter/witness"}, []string{"auth", "policy", "keys", "internal", "cmd"}, "it is no part of the daemon"},
	{[]string{"internal/asuser", "internal/telemetry", "internal/socket", "internal/plain", "internal/secondopinion", "internal/child"}, []string{"auth", "policy", "keys", "milter", "internal/config", "cmd"},
		"plumbing knows nothing of the rooms"},
	{[]string{"internal/setup"}, []string{"policy", "auth/spf", "auth/dkim", "auth/dmarc", "auth/iprev", "internal/dnsclient", "internal/telemetry", "internal/doctor", "cmd"},
		"it changes a host and judges no mail"},
	{[]string{"internal/problem"}, []string{"auth", "policy", "keys", "milter", "internal/config", "cmd"}, "what is wrong is told in one form, whatever it is about"},
	{[]string{"internal/assemble", "internal/proof", "internal/inspect"}, []string{"internal/service", "internal/setup", "cmd"},
		"they make and look, and start nothing"},
	{[]string{"internal/admin"}, []string{"auth", "policy", "milter", "internal/config", "internal/service", "cmd"}, "the answers of a daemon do not depend on how it runs"},
	{[]string{"internal/service"}, []string{"policy", "auth/spf", "auth/dkim", "auth/dmarc", "auth/iprev", "internal/setup", "internal/doctor", "cmd"},
		"nothing is decided in it"},
	{[]string{"internal/doctor"}, []string{"policy", "milter", "internal/config", "internal/dnsclient", "std:os", "std:os/exec", "cmd"},
		"a finding can be replayed from a zone and the MTA's text"},
}

// importers names the one package that may import a library, tests apart.
var importers = map[string][]string{
	"gopkg.in/yaml.v3":                    {"internal/config", "internal/config/edit"},
	"github.com/miekg/dns":                {"internal/dnsclient"},
	"github.com/emersion/go-milter":       {"milter", "milter/client"},
	"github.com/emersion/go-msgauth":      {"internal/secondopinion"},
	"github.com/maypok86/otter/v2":        {"internal/dnsclient"},
	"golang.org/x/net/idna":               {"auth/resolve"},
	"golang.org/x/net/netutil":            {"internal/socket"},
	"github.com/prometheus/client_golang": {"internal/telemetry"},
	"github.com/spf13/cobra":              {"cmd/sealmilter"},
	"github.com/coreos/go-systemd/v22":    {"cmd/sealmilter"},
	"blitiri.com.ar/go/spf":               {},
	"github.com/google/go-cmp":            {},
	"github.com/rogpeppe/go-internal":     {},
	"go.uber.org/goleak":                  {},
}

func methodsBut(self string) []string {
	all := []string{"auth/spf", "auth/dkim", "auth/dmarc", "auth/iprev", "auth/arc", "auth/dnsbl", "policy", "keys", "milter", "internal", "cmd"}
	return slices.DeleteFunc(all, func(s string) bool { return s == self })
}

type pkg struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 10 {
		t.Fatalf("only %d packages found", len(all))
	}
	return all
}

func under(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

func matches(path, rule string) bool {
	if std, ok := strings.CutPrefix(rule, "std:"); ok {
		return path == std
	}
	if strings.Contains(rule, ".") {
		return under(path, rule)
	}
	ours, ok := strings.CutPrefix(path, module)
	return ok && (rule == "" || under(ours, rule))
}

// crosses returns the reason why from may not import to, "" when it may.
func crosses(from, to string) string {
	for _, rule := range forbidden {
		for _, f := range rule.from {
			if !under(from, f) {
				continue
			}
			for _, r := range rule.to {
				// A room's own inner packages are its own affair.
				if matches(to, r) && !under(strings.TrimPrefix(to, module), f) {
					return rule.because
				}
			}
		}
	}
	for lib, who := range importers {
		if under(to, lib) && !slices.Contains(who, from) {
			return "its one importer is " + strings.Join(who, ", ") + " (outside tests)"
		}
	}
	return ""
}

func TestHouse(t *testing.T) {
	for _, p := range packages(t) {
		from := strings.TrimPrefix(p.ImportPath, module)
		if strings.HasPrefix(from, "test/") {
			continue
		}
		for _, to := range p.Imports {
			if why := crosses(from, to); why != "" {
				t.Errorf("%s must not import %s: %s", from, to, why)
			}
		}
	}
}

// The table itself must be able to fail.
func TestTableRefuses(t *testing.T) {
	for _, c := range []struct {
		from, to string
		ok       bool
	}{
		{"auth/spf", module + "auth/dkim", false},
		{"auth/spf", module + "auth/resolve", true},
		{"auth/resolve", module + "auth/header", false},
		{"auth", module + "policy", false},
		{"policy/tree", module + "policy", false},
		{"policy", module + "policy/tree", true},
		{"policy", "net", false},
		{"policy", "net/netip", true},
		{"policy", "gopkg.in/yaml.v3", false},
		{"keys", module + "auth", false},
		{"milter", module + "internal/config", false},
		{"milter", "github.com/miekg/dns", false},
		{"cmd/sealmilter", "github.com/miekg/dns", false},
		{"internal/dnsclient", "github.com/miekg/dns", true},
		{"cmd/sealmilter", module + "milter", true},
		{"internal/setup", module + "internal/doctor", false},
		{"internal/setup", module + "internal/postfix", true},
	} {
		if got := crosses(c.from, c.to) == ""; got != c.ok {
			t.Errorf("%s -> %s: allowed=%v, want %v", c.from, c.to, got, c.ok)
		}
	}
}

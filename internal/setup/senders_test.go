package setup

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/internal/config"
)

func parsed(t *testing.T, yaml string) *config.Config {
	t.Helper()
	cfg, problems := config.Parse("milter.yaml", []byte("authserv_id: mx.example.com\n"+yaml))
	if cfg == nil {
		t.Fatal(problems)
	}
	return cfg
}

// TestSendersAdvice: from two domains on, once; and what is advised can be written
// as it stands and lets machines and programs sign as before.
func TestSendersAdvice(t *testing.T) {
	const two = "outbound: {networks: [192.168.5.0/24, \"2001:db8::/32\"]}\nsign:\n  domains: [example.com, example.net]\n"
	advice := func(yaml string) string {
		var out strings.Builder
		Common{Talk: Talk{Out: &out}}.adviseSenders(parsed(t, yaml))
		return out.String()
	}
	for _, yaml := range []string{"sign: {domains: [example.com]}", two + "  senders: {rules: [{user: a, from: [a@example.com]}]}\n"} {
		if got := advice(yaml); got != "" {
			t.Errorf("%s: %s", yaml, got)
		}
	}
	_, block, ok := strings.Cut(advice(two), "\n\n  senders:\n")
	cfg := parsed(t, two+"  senders:\n"+block)
	if s := cfg.Sign.Senders; !ok || s.OnMismatch != "sign_not" || len(s.Rules) != 4 {
		t.Errorf("%+v", s)
	}
	if err := provable(cfg, []string{"example.com", "example.net"}); err != nil {
		t.Error(err)
	}
	if advice("sign:\n  domains_from: {driver: sqlite, dsn_file: /d, query: SELECT a FROM b}\n") == "" {
		t.Error("nothing about the domains of a database")
	}
	var nets strings.Builder
	for i := range 60 {
		fmt.Fprintf(&nets, "10.0.%d.0/24, ", i)
	}
	if many := advice("outbound: {networks: [" + nets.String() + "]}\nsign: {domains: [example.com, example.net]}\n"); strings.Count(many, "client:") != maxAdvised || !strings.Contains(many, "the other networks") {
		t.Error(many)
	}
}

// TestProvable: rules under which set-up cannot prove itself are told before
// anything is changed.
func TestProvable(t *testing.T) {
	for yaml, want := range map[string]string{
		"": "", "  senders: {rules: [{user: \"*\", from: \"{user}\"}]}\n": "", // logged only
		"  senders: {on_mismatch: sign_not, rules: [{user: \"*\", from: \"{user}\"}]}\n":                         "postmaster@example.com",
		"  senders: {on_mismatch: reject, rules: [{local: true, from: postmaster@example.com}]}\n":               "postmaster@example.net",
		"  senders: {on_mismatch: reject, rules: [{local: true, from: [\"@example.com\", \"@example.net\"]}]}\n": "",
	} {
		err := provable(parsed(t, "sign:\n  domains: [example.com, example.net]\n"+yaml), []string{"example.com", "example.net"})
		if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", yaml, err)
		}
	}
}

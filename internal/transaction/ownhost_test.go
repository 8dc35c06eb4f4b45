package transaction

import (
	"net/netip"
	"testing"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/policy"
)

// TestDomainlessFromOfOurHosts: cron writes "root (Cron Daemon)", and a device's
// mail comes from an address literal. From a machine of ours that is no reason
// to refuse it, at a listener for inbound mail either.
func TestDomainlessFromOfOurHosts(t *testing.T) {
	set := newSetup(t)
	set.Rules.Networks = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/28")}
	set.Rules.Relays = []netip.Prefix{netip.MustParsePrefix("198.51.100.32/28")}
	for _, c := range []struct {
		name, ip, from string
		local          bool
		want           policy.Action
	}{
		{"cron in a network of ours", "198.51.100.9", " root (Cron Daemon)", true, policy.Accept},
		{"nobody", "198.51.100.9", " <>", true, policy.Accept},
		{"an address literal", "198.51.100.9", " Scanner <scan@[198.51.100.9]>", true, policy.Accept},
		{"a relay", "198.51.100.40", " root (Cron Daemon)", true, policy.Accept},
		{"this host", "127.0.0.1", " root (Cron Daemon)", true, policy.Accept},
		{"this host, which is not ours alone", "127.0.0.1", " root (Cron Daemon)", false, policy.Reject},
		{"from outside", "192.0.2.1", " root (Cron Daemon)", true, policy.Reject},
		{"from outside, an address literal", "192.0.2.1", " a@[192.0.2.1]", true, policy.Reject},
		{"private, not listed", "192.168.5.9", " root (Cron Daemon)", true, policy.Reject},
		{"ours, with an address behind the literal", "198.51.100.9", " a@[192.0.2.1], ceo@bank.example", true, policy.Reject},
		{"a relay, with an address beside the empty one", "198.51.100.40", " ceo@bank.example <>", true, policy.Reject},
		{"a relay, with an encoded one", "198.51.100.40", " =?us-ascii?q?ceo=40bank.example?=, <>", true, policy.Reject},
	} {
		set.Rules.Local = c.local
		x := Explain(t.Context(), set, Question{
			Hints: Hints{Listener: auth.Inbound, Client: Client{Family: '4', IP: netip.MustParseAddr(c.ip), Port: 25000}},
			Helo:  "host", MailFrom: "root@host.invalid",
			Header: header.Fields{{Name: "From", Value: c.from}, {Name: "Subject", Value: " x"}}, Body: "x\r\n",
		})
		if x.Verdict.Action != c.want || x.Results.DMARC.Status == "pass" {
			t.Errorf("%s: %s by %q: %s, dmarc=%s", c.name, x.Verdict.Action, x.Verdict.Rule, x.Verdict.Reason, x.Results.DMARC.Status)
		}
	}
}

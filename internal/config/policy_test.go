package config

import (
	"testing"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/dmarc"
	"github.com/sealmilter/sealmilter/policy"
)

// TestPolicyOptions: the words beside the rules reach the built-in ones, those
// of the defaults without a file included.
func TestPolicyOptions(t *testing.T) {
	input := func(s dmarc.Status) policy.Input {
		return policy.Input{
			Env: &auth.Envelope{Direction: auth.Inbound},
			Results: &auth.Results{
				Author: auth.Author{Fields: 1, Domains: []string{"bank.example"}},
				DMARC:  &dmarc.Result{Status: s, AuthorDomain: "bank.example", Policy: dmarc.PolicyReject},
			},
		}
	}
	for options, want := range map[string][2]policy.Action{ // of a failure, and of a temperror
		"{}":                            {policy.Reject, policy.Tempfail},
		"{dmarc_reject: quarantine}":    {policy.Quarantine, policy.Tempfail},
		"{dmarc_temperror: tempfail}":   {policy.Reject, policy.Tempfail},
		"{dmarc_temperror: accept}":     {policy.Reject, policy.Accept},
		"{dmarc_temperror: quarantine}": {policy.Reject, policy.Quarantine},
		"{rules: []}":                   {policy.Accept, policy.Accept},
	} {
		p := parse(t, "policy: "+options).Policy.Compiled
		if got := [2]policy.Action{p.Decide(input(dmarc.Fail)).Action, p.Decide(input(dmarc.TempError)).Action}; got != want {
			t.Errorf("%s: %v, want %v", options, got, want)
		}
	}
	p := Default().Policy.Compiled
	if got := p.Decide(input(dmarc.Fail)).Rule + " " + p.Decide(input(dmarc.TempError)).Rule; got != "dmarc-reject-direct dmarc-unknown" {
		t.Errorf("the defaults without a file: %s", got)
	}
}

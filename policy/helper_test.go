package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/dmarc"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/auth/iprev"
	"github.com/sealmilter/sealmilter/auth/spf"
	"github.com/sealmilter/sealmilter/policy/tree"
)

// parse reads rules as YAML; internal/config does it for the product.
func parse(t testing.TB, text string) *tree.Node {
	t.Helper()
	var y yaml.Node
	if err := yaml.Unmarshal([]byte(text), &y); err != nil {
		t.Fatal(err)
	}
	if len(y.Content) == 0 {
		return nil
	}
	n := neutral(y.Content[0])
	return &n
}

func neutral(y *yaml.Node) tree.Node {
	n := tree.Node{Line: y.Line, Column: y.Column, Scalar: y.Value, Quoted: y.Style != 0}
	switch y.Kind {
	case yaml.MappingNode:
		n.Kind = tree.Map
		for i := 0; i < len(y.Content); i += 2 {
			n.Keys = append(n.Keys, neutral(y.Content[i]))
			n.Items = append(n.Items, neutral(y.Content[i+1]))
		}
	case yaml.SequenceNode:
		n.Kind = tree.List
		for _, x := range y.Content {
			n.Items = append(n.Items, neutral(x))
		}
	case yaml.ScalarNode:
		n.Kind = tree.Scalar
		if y.Tag == "!!null" {
			n.Kind = tree.Null
		}
	}
	return n
}

// compile compiles rules that must be right.
func compile(t testing.TB, text string, opt Options) *Policy {
	t.Helper()
	p, problems := Compile(parse(t, text), opt)
	for _, pr := range problems {
		if !pr.Warning {
			t.Fatalf("line %d: %s (%s)", pr.Line, pr.Message, pr.Hint)
		}
	}
	return p
}

// mail is an inbound message that passes everything; tests spoil it.
func mail() *Input {
	return &Input{
		Env: &auth.Envelope{
			Direction:  auth.Inbound,
			ClientIP:   netip.MustParseAddr("192.0.2.7"),
			ClientName: "out.good.example",
			Helo:       "out.good.example",
			MailFrom:   "Kim@Good.Example",
			Recipients: []string{"box@here.example", "Other@There.Example"},
			QueueID:    "4bQ7",
			Size:       20000,
			Header: header.Fields{
				{Name: "From", Value: " Kim <kim@good.example>"},
				{Name: "Subject", Value: " 50% off,\r\n\tonly today"},
				{Name: "X-Flag", Value: " no"},
				{Name: "x-flag", Value: " YES"},
			},
		},
		Results: &auth.Results{
			Author:  auth.Author{Fields: 1, Mailboxes: []string{"kim@good.example"}, Domains: []string{"good.example"}},
			IPRev:   &iprev.Result{Status: iprev.Pass},
			SPF:     &spf.Result{Status: spf.Pass, Domain: "good.example"},
			DKIMRan: true,
			DKIM: []dkim.Result{
				{Status: dkim.Fail, Domain: "list.example"},
				{Status: dkim.Pass, Domain: "good.example"},
			},
			DMARC: &dmarc.Result{
				Status: dmarc.Pass, AuthorDomain: "good.example", Policy: dmarc.PolicyReject,
				Record:  &dmarc.Record{Raw: "v=DMARC1; p=reject"},
				Aligned: []dmarc.Identifier{{Method: "dkim", Domain: "good.example"}},
			},
		},
	}
}

type change func(*Input)

func dmarcFail(p dmarc.Policy) change {
	return func(in *Input) {
		in.Results.SPF.Status = spf.Fail
		in.Results.DKIM = nil
		in.Results.DMARC = &dmarc.Result{Status: dmarc.Fail, AuthorDomain: "good.example", Policy: p}
	}
}

func direction(d auth.Direction) change { return func(in *Input) { in.Env.Direction = d } }

func fromFields(n int) change {
	return func(in *Input) {
		in.Results.Author = auth.Author{Fields: n, Err: fmt.Errorf("%d From fields", n)}
		in.Env.Header = nil
		for range n {
			in.Env.Header = append(in.Env.Header, header.Field{Name: "From", Value: " a@b.example"})
		}
	}
}

func firstHidden(in *Input) { in.Env.FirstHidden = true }

func malformedFrom(in *Input) {
	in.Results.Author = auth.Author{Fields: 1, Err: errors.New("no address")}
}

func noDomain(in *Input) { in.Results.Author = auth.Author{Fields: 1, Err: auth.ErrNoAuthor} }

func ownPrivate(in *Input) { in.OwnPrivate = true }

func ownHost(in *Input) { in.OwnHost = true }

// show writes a verdict as one line: action rule "reason" reply headers hold.
func show(v Verdict) string {
	action := string(v.Action)
	if action == "" {
		action = "UNDECIDED"
	}
	s := fmt.Sprintf("%s %s %q", action, v.Rule, v.Reason)
	if v.Reply != (Reply{}) {
		s += " | " + v.Reply.String()
	}
	for _, h := range v.Headers {
		s += fmt.Sprintf(" | %s: %s", h.Name, h.Value)
	}
	if v.Hold {
		s += " | hold"
	}
	for _, o := range v.Observed {
		s += fmt.Sprintf(" | observed %s %s %q", o.Rule, o.Action, o.Reason)
	}
	return strings.ReplaceAll(s, "  ", " ")
}

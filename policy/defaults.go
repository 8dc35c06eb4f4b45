package policy

import "github.com/sealmilter/sealmilter/policy/tree"

// defaultRules are the built-in rules, written as an administrator would write
// them. They never look at outbound mail, and never at mail that a machine of
// ours handed over without being listed (own_private).
func defaultRules(opt Options) tree.Node {
	s, l, m := scalarNode, listNode, mapNode
	type p = pair
	foreign := p{"direction", l(s("inbound"), s("relayed"))}
	notOwn := p{"own_private", s("false")}
	why := p{"reason", s("dmarc={dmarc} policy={dmarc.policy} domain={from.domain} indirect={indirect}")}

	// RFC 9989 §7.4: p=reject alone must not be the reason to reject. Beyond it
	// we know that the mail shows no mark of forwarding.
	direct := m(
		p{"name", s("dmarc-reject-direct")},
		p{"if", m(foreign, p{"dmarc", s("fail")}, p{"dmarc.policy", s("reject")}, p{"indirect", s("false")}, notOwn)},
		p{"action", s("reject")},
		p{"reply", s("550 5.7.1 rejected by the DMARC policy of {from.domain}")},
		why,
	)
	if opt.DMARCReject == "quarantine" {
		direct = m(pairOf(direct, 0), pairOf(direct, 1), p{"action", s("quarantine")}, why)
	}
	rules := l(
		// An old Postfix may hide the very field that is missing (docs/decisions/0023):
		// not the sender's fault, so nothing is refused, and not without a mark.
		m(
			p{"name", s("hidden-from")},
			p{"if", m(foreign, p{"from.hidden", s("true")}, notOwn)},
			p{"action", s("quarantine")},
			p{"reason", s("{from.error}")},
		),
		// RFC 9989 §4.2: DMARC leaves a message without a single, properly formed
		// From field to us; readers show whichever field they like.
		m(
			p{"name", s("broken-from")},
			p{"if", m(foreign, p{"from.count", m(p{"not", s("1")})}, notOwn)},
			p{"action", s("reject")},
			p{"reply", s("550 5.7.1 a message needs exactly one From field")},
			p{"reason", s("From fields: {from.count}")},
		),
		// RFC 9989 §4.2, §5.3.1: no domain, or one that can be read in two ways.
		// cron of one's own hosts writes "root (Cron Daemon)", in nobody's name.
		m(
			p{"name", s("unusable-from")},
			p{"if", m(foreign, p{"from.error", m(p{"not", s("")})}, notOwn,
				p{"not", m(p{"from.domainless", s("true")}, p{"own_host", s("true")})})},
			p{"action", s("reject")},
			p{"reply", s("550 5.7.1 the From field has no usable address")},
			p{"reason", s("{from.error}")},
		),
		direct,
		m(
			p{"name", s("dmarc-quarantine")},
			p{"if", m(foreign, p{"dmarc", s("fail")}, p{"dmarc.policy", l(s("quarantine"), s("reject"))}, notOwn)},
			p{"action", s("quarantine")},
			why,
		),
	)
	rules.Items = append(rules.Items, unknownRules(opt)...)
	return rules
}

// unknownRules are for mail under p=reject of which nobody knows whether it
// passes. The policy is known, so the DNS answers us: what does not answer are
// names that the sender chose (an SPF record, a key, a lame delegation below
// the author's domain). Accepting would let any of them switch p=reject off. Marks of
// forwarding do not help: they can be forged, and mail that was forwarded
// honestly comes again.
func unknownRules(opt Options) []tree.Node {
	s, m := scalarNode, mapNode
	type p = pair
	unknown := []pair{{"dmarc", s("temperror")}, {"dmarc.policy", s("reject")}, {"own_private", s("false")}}
	why := p{"reason", s("dmarc={dmarc} policy={dmarc.policy} domain={from.domain} spf={spf} dkim={dkim}")}
	foreign := append([]pair{{"direction", s("inbound")}, {"own_host", s("false")}}, unknown...)
	action := s("tempfail")
	switch opt.DMARCTempError {
	case "accept":
		return nil
	case "quarantine":
		action = s("quarantine")
	}
	rule := m(p{"name", s("dmarc-unknown")}, p{"if", m(foreign...)}, p{"action", action}, why)
	if action.Scalar == "tempfail" {
		// RFC 9989 §7.2: "best done with a 4xy SMTP reply code".
		rule = m(pairOf(rule, 0), pairOf(rule, 1), pairOf(rule, 2),
			p{"reply", s("451 4.7.1 the DNS does not tell whether the DMARC policy of {from.domain} lets this message pass, try again later")}, why)
	}
	// Who makes us ask more than we can must not gain by it that nobody looks at
	// the policy: it is not the author's name that does not answer.
	crowded := m(p{"name", s("dmarc-crowded")},
		p{"if", m(p{"direction", s("inbound")}, p{"own_host", s("false")}, p{"own_private", s("false")}, p{"dmarc.crowded", s("true")})},
		p{"action", action}, p{"reason", s("dmarc={dmarc} domain={from.domain} client={client.ip}")})
	if action.Scalar == "tempfail" {
		crowded = m(pairOf(crowded, 0), pairOf(crowded, 1), pairOf(crowded, 2),
			p{"reply", s("451 4.7.1 mail from your network needs too many DNS look-ups at a time, try again later")}, pairOf(crowded, 3))
	}
	// The queue of a host of ours is ours as well. Where a relay's first hop is
	// unknown, SPF did not run, which is no fault of the DNS and does not pass.
	ours := m(p{"any", listNode(m(p{"direction", s("relayed")}), m(p{"direction", s("inbound")}, p{"own_host", s("true")}))})
	failed := m(append([]pair{{"any", listNode(m(p{"spf", s("temperror")}), m(p{"dkim", s("temperror")}))}}, unknown...)...)
	relayed := m(p{"all", listNode(ours, m(p{"any", listNode(failed, m(p{"own_private", s("false")}, p{"dmarc.crowded", s("true")}))}))})
	return []tree.Node{rule, crowded, m(p{"name", s("dmarc-unknown-relayed")}, p{"if", relayed}, p{"action", s("quarantine")}, why)}
}

// The three constructors write the built-in rules down.

func scalarNode(s string) tree.Node { return tree.Node{Kind: tree.Scalar, Scalar: s} }

func listNode(items ...tree.Node) tree.Node { return tree.Node{Kind: tree.List, Items: items} }

type pair struct {
	key   string
	value tree.Node
}

func mapNode(pairs ...pair) tree.Node {
	n := tree.Node{Kind: tree.Map}
	for _, p := range pairs {
		n.Keys = append(n.Keys, scalarNode(p.key))
		n.Items = append(n.Items, p.value)
	}
	return n
}

// pairOf is the i-th entry of a map.
func pairOf(n tree.Node, i int) pair { return pair{n.Keys[i].Scalar, n.Items[i]} }

package policy

// defaultRules are the built-in rules, written as an administrator would write
// them. They never look at outbound mail, and never at mail that a machine of
// ours handed over without being listed (own_private).
func defaultRules(opt Options) Node {
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
		direct = m(direct.pair(0), direct.pair(1), p{"action", s("quarantine")}, why)
	}
	return l(
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
		m(
			p{"name", s("unusable-from")},
			p{"if", m(foreign, p{"from.error", m(p{"not", s("")})}, notOwn)},
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
}

// pair is the i-th entry of a map.
func (n Node) pair(i int) pair { return pair{n.Keys[i].Scalar, n.Items[i]} }

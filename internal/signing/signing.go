// Package signing says who may write, and be signed, as whom: rules about
// principals, and the addresses that each of them may put into From and Sender
// (RFC 5322 §3.6.2), compiled once and asked for each message.
//
// It is pure: it does not parse messages (package auth does), asks no database,
// and does not decide what becomes of a message whose principal may not write it
// (internal/transaction does). What the rules mean is docs/decisions/0028.
package signing

import (
	"net/netip"

	"github.com/sealmilter/sealmilter/auth"
)

// Action is what becomes of mail whose principal may not write it.
type Action string

const (
	Log     Action = "log"      // it is signed, and said
	SignNot Action = "sign_not" // it goes on without a signature
	Reject  Action = "reject"
)

// Principal is who hands a message over. Where somebody logged in, that is all
// that counts: a web mailer's users are not the host that it runs on.
type Principal struct {
	User   string     // who logged in, "" for nobody
	Client netip.Addr // unmapped, without zone
	Local  bool       // a program on this host
}

// Rule gives a principal addresses. Exactly one of the first three is set.
type Rule struct {
	User   UserPattern
	Client netip.Prefix
	Local  bool
	From   []Pattern
}

// Senders are compiled rules. Nil has none.
type Senders struct {
	users   map[string]*set // by the user's name in its one form
	domains map[string]*set // by the domain in it
	every   *set            // of all users
	clients []clientRule
	local   *set
}

type clientRule struct {
	net  netip.Prefix
	from *set
}

// Compile makes rules ready to be asked. Their order means nothing: all that
// speak of a principal hold together.
func Compile(rules []Rule) *Senders {
	s := &Senders{users: map[string]*set{}, domains: map[string]*set{}, every: newSet(), local: newSet()}
	nets := map[netip.Prefix]*set{}
	for _, r := range rules {
		into := s.local
		switch {
		case r.Local:
		case r.Client.IsValid():
			net := r.Client.Masked()
			if nets[net] == nil {
				s.clients = append(s.clients, clientRule{net, at(nets, net)})
			}
			into = nets[net]
		case r.User.kind == userExact:
			into = at(s.users, r.User.name)
		case r.User.kind == userDomain:
			into = at(s.domains, r.User.name)
		case r.User.kind == userEvery:
			into = s.every
		default: // it speaks of nobody
			continue
		}
		for _, p := range r.From {
			into.add(p)
		}
	}
	return s
}

// at is the set of a key, made where there is none.
func at[K comparable](m map[K]*set, key K) *set {
	if m[key] == nil {
		m[key] = newSet()
	}
	return m[key]
}

// Denied returns the first of the addresses that p may not use, by the rules or
// by more, which may be nil. ok: p may use all.
func (s *Senders) Denied(p Principal, more *Addresses, addrs []auth.Address) (denied auth.Address, ok bool) {
	u := parseUser(p.User)
	var sets []*set
	if s != nil {
		sets = s.of(p, u)
	}
	if more != nil && u.name != "" {
		sets = append(sets, &more.set)
	}
	for _, a := range addrs {
		local := foldLocal(a.Local)
		allowed := false
		for _, set := range sets {
			if allowed = set.has(u, local, a.Domain); allowed {
				break
			}
		}
		if !allowed {
			return a, false
		}
	}
	return auth.Address{}, true
}

// of are the addresses of the rules that speak of p, whose user is u.
func (s *Senders) of(p Principal, u user) (sets []*set) {
	if p.User != "" {
		if u.name == "" {
			return nil
		}
		sets = append(sets, s.every)
		if set := s.users[u.name]; set != nil {
			sets = append(sets, set)
		}
		if set := s.domains[u.domain]; set != nil && u.domain != "" {
			sets = append(sets, set)
		}
		return sets
	}
	if p.Local {
		sets = append(sets, s.local)
	}
	for _, c := range s.clients {
		if c.net.Contains(p.Client) {
			sets = append(sets, c.from)
		}
	}
	return sets
}

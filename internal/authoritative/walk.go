package authoritative

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/dnsclient"
)

// walk is one look-up, with the questions that it has left.
type walk struct {
	*Checker
	left int
}

var (
	errQuestions = fmt.Errorf("more than %d questions", maxQuestions)
	errNotAsked  = errors.New("not asked")
	errHidden    = errors.New("not an address of the world")
)

// spend takes n questions, or fewer when fewer are left.
func (w *walk) spend(n int) int {
	n = min(n, w.left)
	w.left -= n
	return n
}

// servers returns one Answer for each address to ask, without what it says, and
// with an Err for each server that has none.
func (w *walk) servers(ctx context.Context, name string) ([]Answer, error) {
	if len(w.Via) > 0 {
		var all []Answer
		for _, via := range w.Via[:min(len(w.Via), maxVia)] {
			all = append(all, Answer{Name: name, Server: via.String(), Addr: via})
		}
		return all, nil
	}
	hosts, err := w.hosts(ctx, name)
	if err != nil {
		return nil, err
	}
	if w.spend(2*len(hosts)) < 2*len(hosts) {
		return nil, errQuestions
	}
	found := make([][]Answer, len(hosts))
	err = each(len(hosts), func(i int) { found[i] = w.addresses(ctx, name, hosts[i]) })
	return slices.Concat(found...), err
}

// hosts walks up from name to the first zone that has servers. Where a server of a
// zone fails on the way it goes on: the zone above refers to the one below, which is
// no answer, and so the mistake never makes a record missing.
func (w *walk) hosts(ctx context.Context, name string) ([]string, error) {
	var failed error
	for zone := name; zone != ""; _, zone, _ = strings.Cut(zone, ".") {
		if w.spend(1) == 0 {
			return nil, errQuestions
		}
		ns, err := w.Resolver.LookupNS(ctx, zone)
		if err == nil && len(ns.Records) > 0 {
			hosts := slices.Sorted(slices.Values(ns.Records)) // the same 13 each time
			hosts = slices.Compact(hosts)
			return hosts[:min(len(hosts), maxHosts)], nil
		}
		if resolve.Temporary(err) {
			failed = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(fmt.Errorf("no name servers of %s found", name), failed)
}

// addresses are those of one server.
func (w *walk) addresses(ctx context.Context, name, host string) []Answer {
	v4, err4 := w.Resolver.LookupA(ctx, host)
	v6, err6 := w.Resolver.LookupAAAA(ctx, host)
	var all []Answer
	hidden := false
	for _, family := range [][]netip.Addr{v4.Records, v6.Records} {
		n := 0
		for _, a := range family {
			switch {
			case !w.allowed(a):
				hidden = true
			case n < maxAddresses:
				n++
				all = append(all, Answer{Name: name, Server: host, Addr: netip.AddrPortFrom(a, w.port())})
			}
		}
	}
	if len(all) > 0 {
		return all
	}
	none := Answer{Name: name, Server: host}
	switch {
	case resolve.Temporary(err4):
		none.Err = err4
	case resolve.Temporary(err6):
		none.Err = err6
	case hidden:
		none.Err, none.Skipped = errHidden, true
	default:
		none.Err, none.Skipped = errors.New("it has no address"), true
	}
	return []Answer{none}
}

// ask fills in what each server says; those that it does not ask any more have an
// Err.
func (w *walk) ask(ctx context.Context, servers []Answer, name string) ([]Answer, error) {
	ask := w.Ask
	if ask == nil {
		ask = dnsclient.AskTXT
	}
	via := len(w.Via) > 0
	n := w.spend(len(servers))
	err := each(n, func(i int) {
		a := &servers[i]
		if a.Err != nil {
			return
		}
		a.Err = errNotAsked
		said, err := ask(ctx, a.Addr, name, via)
		switch a.Err = err; {
		case err != nil:
		case !said.Authoritative && !via:
			a.Err = errors.New("it is no server of this zone")
		case said.Alias != "":
			a.Alias = strings.ToLower(said.Alias)
		default:
			a.Records = said.Records
		}
	})
	if n == len(servers) {
		return servers, err
	}
	for i := range servers[n:] {
		servers[n+i].Err = errQuestions
	}
	return servers, errQuestions
}

// each calls do for 0 to n-1, atOnce at a time, and returns when all have ended. A
// panic ends its own call.
func each(n int, do func(i int)) error {
	var all sync.WaitGroup
	turn := make(chan struct{}, atOnce)
	panics := make([]error, n)
	for i := range n {
		turn <- struct{}{}
		all.Go(func() {
			defer func() { <-turn }()
			defer func() {
				if p := recover(); p != nil {
					panics[i] = fmt.Errorf("panic: %v", p)
				}
			}()
			do(i)
		})
	}
	all.Wait()
	return errors.Join(panics...)
}

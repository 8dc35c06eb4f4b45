package milter

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/transaction"
)

// silent is a resolver that never answers; each question lasts until its asker
// gives up.
type silent struct {
	mu    sync.Mutex
	open  map[string]int
	begun chan string
}

func hang[T any](ctx context.Context, s *silent, q string) (resolve.Answer[T], error) {
	s.count(q, +1)
	s.begun <- q
	<-ctx.Done()
	s.count(q, -1)
	return resolve.Answer[T]{}, fmt.Errorf("%w: %w", resolve.ErrTemporary, ctx.Err())
}

func (s *silent) count(q string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[q] += n; s.open[q] == 0 {
		delete(s.open, q)
	}
}

func (s *silent) LookupTXT(ctx context.Context, name string) (resolve.Answer[string], error) {
	return hang[string](ctx, s, "TXT "+name)
}

func (s *silent) LookupA(ctx context.Context, name string) (resolve.Answer[netip.Addr], error) {
	return hang[netip.Addr](ctx, s, "A "+name)
}

func (s *silent) LookupAAAA(ctx context.Context, name string) (resolve.Answer[netip.Addr], error) {
	return hang[netip.Addr](ctx, s, "AAAA "+name)
}

func (s *silent) LookupMX(ctx context.Context, name string) (resolve.Answer[resolve.MX], error) {
	return hang[resolve.MX](ctx, s, "MX "+name)
}

func (s *silent) LookupPTR(ctx context.Context, ip netip.Addr) (resolve.Answer[string], error) {
	return hang[string](ctx, s, "PTR "+ip.String())
}

// wait returns when all of these questions have been asked.
func (s *silent) wait(t *testing.T, want ...string) {
	t.Helper()
	for len(want) > 0 {
		q := <-s.begun
		i := slices.Index(want, q)
		if i < 0 {
			t.Fatalf("asked %s, want %q", q, want)
		}
		want = slices.Delete(want, i, i+1)
	}
}

func (s *silent) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for q := range s.open {
		out = append(out, q)
	}
	slices.Sort(out)
	return out
}

// What is asked for a transaction ends before the next command is answered, and
// what is asked for a connection before it is closed, however the MTA ends
// them and however far they have come.
func TestQuestionsEndWithTheirTransaction(t *testing.T) {
	const ptr = "PTR 192.0.2.1"
	begin := func(t *testing.T, r *raw, s *silent) {
		r.frame('C', "out.sender.example\x004\x61\xa8192.0.2.1\x00")
		s.wait(t, ptr)
	}
	mail := func(t *testing.T, r *raw, s *silent, domain string) {
		r.frame('M', "<a@"+domain+">\x00")
		s.wait(t, "TXT "+domain, "TXT _dmarc."+domain)
	}
	header := func(t *testing.T, r *raw, s *silent) {
		r.frame('L', "DKIM-Signature\x00 v=1; a=ed25519-sha256; d=signer.example; s=s1; h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA\x00")
		r.frame('L', "From\x00 <a@author.example>\x00")
		r.frame('N', "")
		s.wait(t, "TXT s1._domainkey.signer.example", "TXT _dmarc.author.example")
	}
	stages := map[string]func(*testing.T, *raw, *silent){
		"CONNECT": func(*testing.T, *raw, *silent) {},
		"MAIL":    func(t *testing.T, r *raw, s *silent) { mail(t, r, s, "one.example") },
		"header":  func(t *testing.T, r *raw, s *silent) { mail(t, r, s, "one.example"); header(t, r, s) },
	}
	transaction := map[string]func(*raw){
		"ABORT": func(r *raw) { r.frame('A', "") },
		"HELO":  func(r *raw) { r.frame('H', "again\x00") },
		"MAIL":  func(*raw) {},
	}
	connection := map[string]func(*raw){
		"QUIT":         func(r *raw) { r.frame('Q', "") },
		"end of file":  func(r *raw) { _ = r.c.(*net.UnixConn).CloseWrite() },
		"broken frame": func(r *raw) { r.frame('?', "") },
	}
	for stage, reach := range stages {
		for name, end := range transaction {
			t.Run(stage+", then "+name, func(t *testing.T) {
				s, r := hanging(t)
				begin(t, r, s)
				reach(t, r, s)
				end(r)
				mail(t, r, s, "two.example")
				if got := s.asked(); !slices.Equal(got, []string{ptr, "TXT _dmarc.two.example", "TXT two.example"}) {
					t.Errorf("asked are %q", got)
				}
			})
		}
		for name, end := range connection {
			t.Run(stage+", then "+name, func(t *testing.T) {
				s, r := hanging(t)
				begin(t, r, s)
				reach(t, r, s)
				end(r)
				if !r.closed() || len(s.asked()) != 0 {
					t.Errorf("asked are %q", s.asked())
				}
			})
		}
		t.Run(stage+", then another client", func(t *testing.T) {
			s, r := hanging(t)
			begin(t, r, s)
			reach(t, r, s)
			r.frame('K', "")
			r.frame('C', "b.example\x004\x61\xa8192.0.2.2\x00")
			s.wait(t, "PTR 192.0.2.2")
			if got := s.asked(); !slices.Equal(got, []string{"PTR 192.0.2.2"}) {
				t.Errorf("asked are %q", got)
			}
		})
	}
}

// hanging is a server that asks a silent resolver, and a connection to it.
func hanging(t *testing.T) (*silent, *raw) {
	s := &silent{open: map[string]int{}, begun: make(chan string, 100)}
	l := newLab(t, func(set *transaction.Setup, _ *ServerConfig) { set.Auth.Resolver = s })
	return s, dialRaw(t, l.path)
}

// Who drops one transaction after the other has nothing asked ahead of its
// messages. They are judged all the same, and the first one ends that.
func TestNothingIsAskedAheadForWhoDropsTransactions(t *testing.T) {
	l := newLab(t)
	zone := l.set.Auth.Resolver.(*resolve.Zone)
	r := dialRaw(t, l.path)
	r.frame('C', "out.sender.example\x004\x61\xa8192.0.2.1\x00")
	asked := func(domain string) bool { return slices.Contains(zone.Asked(), "TXT _dmarc."+domain) }
	drop := func(domain string) {
		r.frame('M', "<a@"+domain+">\x00")
		if domain != "none.example" {
			waitFor(t, "the question about "+domain, func() bool { return asked(domain) })
		}
		r.frame('A', "")
	}
	message := func() {
		r.frame('M', "<a@sender.example>\x00")
		r.frame('L', "From\x00 <a@sender.example>\x00")
		r.frame('N', "")
		if edits, code := r.end(); code != 'c' || !strings.Contains(edits, "dmarc=pass") {
			t.Errorf("%c %q", code, edits)
		}
	}
	for _, domain := range []string{"one.example", "two.example", "three.example", "none.example"} {
		drop(domain)
	}
	r.frame('M', "<>\x00") // ABORT has no answer
	if asked("none.example") {
		t.Error("asked ahead although three transactions were dropped")
	}
	message()
	drop("again.example")
}

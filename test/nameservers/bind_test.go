//go:build e2e

package nameservers

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/internal/authoritative"
	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/internal/publisher"
)

const name = "s1._domainkey.example.com"

func (l *lab) publisher(t *testing.T, change func(*publisher.Config2136)) publisher.Publisher {
	t.Helper()
	cfg := publisher.Config2136{Server: l.addr(primaryIP).String(), TSIGFile: l.key("up")}
	if change != nil {
		change(&cfg)
	}
	p, err := publisher.NewRFC2136(cfg)
	if err != nil {
		t.Fatal(err, problem.Hint(err))
	}
	return p
}

func TestDynamicUpdate(t *testing.T) {
	l := newLab(t)
	p := l.publisher(t, nil)
	publish := func(t *testing.T, c publisher.Change) {
		t.Helper()
		if err := p.Publish(t.Context(), c); err != nil {
			t.Fatal(err, problem.Hint(err))
		}
	}
	long := "v=DKIM1; k=rsa; p=" + strings.Repeat("MIIBIjANBgkq+/", 50)
	for _, c := range []publisher.Change{
		{Name: name, Value: "v=DKIM1; k=rsa; p=AAAA", TTL: 60},
		{Name: name, Value: "v=DKIM1; k=rsa; p=AAAA", TTL: 60}, // again
		{Name: name, Value: long, TTL: 3600},
		{Name: name, Value: `a "quoted" \ and \065;`, TTL: 0},
		{Name: "S1._domainkey.EXAMPLE.com", Value: "v=DKIM1; p=", TTL: 60},
		{Name: name, Remove: true},
		{Name: name, Remove: true}, // again
		{Name: "none._domainkey.example.com", Remove: true},
		{Name: "mixed.dkim.example.com", Value: "three", TTL: 60}, // in place of two
		{Name: "cust.dkim.example.com", Value: "v=DKIM1; p=BBBB", TTL: 60},
	} {
		publish(t, c)
		if got := l.txt(t, primaryIP, strings.ToLower(c.Name)); got != c.Value+"|" && !(c.Remove && got == "") {
			t.Errorf("%+v: %q", c, got)
		}
	}
	if a, err := l.resolver.LookupA(t.Context(), "mixed.dkim.example.com"); err != nil || a.Records[0].String() != "192.0.2.1" {
		t.Errorf("the record of another type beside it: %v, %v", a, err)
	}
	if got := l.txt(t, primaryIP, "example.com"); got != "v=spf1 mx -all|" {
		t.Errorf("the zone's own: %s", got)
	}
}

// What the server says no to is told with what to do, and nothing is changed.
func TestRefusals(t *testing.T) {
	l := newLab(t)
	if err := l.publisher(t, nil).Publish(t.Context(), publisher.Change{Name: name, Value: "old", TTL: 60}); err != nil {
		t.Fatal(err)
	}
	file := func(name string, secret string) string {
		path := filepath.Join(t.TempDir(), "key")
		write(t, path, "hmac-sha256:"+name+":"+base64.StdEncoding.EncodeToString([]byte(secret)))
		return path
	}
	sha512, err := os.ReadFile(l.key("up"))
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "key")
	write(t, other, strings.Replace(string(sha512), "hmac-sha256", "hmac-sha512", 1))
	for title, tc := range map[string]struct {
		change     func(*publisher.Config2136)
		name       string
		want, hint string
		later      bool
	}{
		"other secret": {change: func(c *publisher.Config2136) { c.TSIGFile = file("up", "0123456789abcdef") },
			want: "another secret for key up", hint: "the same secret"},
		"unknown key": {change: func(c *publisher.Config2136) { c.TSIGFile = file("nobody", "0123456789abcdef") },
			want: "no key nobody of hmac-sha256", hint: "the same key"},
		"other algorithm": {change: func(c *publisher.Config2136) { c.TSIGFile = other }, want: "no key up of hmac-sha512", hint: "the same key"},
		"key without a grant": {change: func(c *publisher.Config2136) { c.TSIGFile = l.key("reader") },
			want: "refuses key reader to change it", hint: `in the zone "example.com": update-policy { grant reader subdomain _domainkey.example.com. TXT; };`},
		"outside the grant":      {name: "www.example.com", want: "refuses key up", hint: "grant up subdomain example.com. TXT;"},
		"zone without updates":   {name: "s1._domainkey.static.example", want: "refuses key up", hint: `in the zone "static.example"`},
		"zone that is elsewhere": {name: "s1._domainkey.example.org", want: "does not have its zone", hint: "the primary of the zone"},
		"name that is delegated": {name: "s1.away._domainkey.example.com", want: "does not have its zone", hint: "the primary of the zone"},
		"the zone itself":        {name: "example.com", want: "it is the zone itself"},
		"alias":                  {name: "cust._domainkey.example.com", want: "is an alias (CNAME) of cust.dkim.example.com: nothing was changed", hint: "cust.dkim.example.com itself"},
		"secondary": {change: func(c *publisher.Config2136) { c.Server = l.addr(secondaryIP).String() },
			want: "refuses key up", hint: "on the primary of the zone"},
		"our clock is ahead": {change: func(c *publisher.Config2136) { c.Now = func() time.Time { return time.Now().Add(time.Hour) } },
			want: "our clock and its clock differ: it has 20", hint: "timedatectl", later: true},
		"our clock is late": {change: func(c *publisher.Config2136) { c.Now = func() time.Time { return time.Now().Add(-time.Hour) } },
			want: "our clock and its clock differ: it has 20", hint: "timedatectl", later: true},
	} {
		t.Run(title, func(t *testing.T) {
			for _, remove := range []bool{false, true} {
				c := publisher.Change{Name: name, Value: "new", TTL: 60}
				if tc.name != "" {
					c.Name = tc.name
				}
				if c.Remove = remove; remove {
					c.Value = ""
				}
				err := l.publisher(t, tc.change).Publish(t.Context(), c)
				if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(problem.Hint(err), tc.hint) || errors.Is(err, publisher.ErrLater) != tc.later {
					t.Errorf("%v, hint %q; want %q", err, problem.Hint(err), tc.want)
				}
			}
			for n, want := range map[string]string{name: "old|", "example.com": "v=spf1 mx -all|", "cust._domainkey.example.com": "cust.dkim.example.com"} {
				if got := l.txt(t, primaryIP, n); got != want {
					t.Errorf("%s has %s", n, got)
				}
			}
		})
	}
	l.primary.stop()
	if err := l.publisher(t, nil).Publish(t.Context(), publisher.Change{Name: name, Value: "new", TTL: 60}); !errors.Is(err, publisher.ErrLater) || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("server down: %v", err)
	}
}

// An alias that comes between our look and our update stops the update.
func TestAliasInBetween(t *testing.T) {
	l := newLab(t)
	proxy, err := net.Listen("tcp", primaryIP+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	go func() {
		for n := 1; ; n++ {
			from, err := proxy.Accept()
			if err != nil {
				return
			}
			if n == 2 { // the update
				script := filepath.Join(l.primary.dir, "script")
				text := fmt.Sprintf("server %s %d\nzone example.com\nupdate add race._domainkey.example.com 5 CNAME elsewhere.example.\nsend\n", primaryIP, l.port)
				if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
					t.Error(err)
				}
				output(t, "nsupdate", "-k", l.key("reader"), script)
			}
			to, err := net.Dial("tcp", l.addr(primaryIP).String())
			if err != nil {
				t.Error(err)
				return
			}
			go func() { _, _ = io.Copy(to, from); to.Close() }()
			go func() { _, _ = io.Copy(from, to); from.Close() }()
		}
	}()
	p := l.publisher(t, func(c *publisher.Config2136) { c.Server = proxy.Addr().String() })
	err = p.Publish(t.Context(), publisher.Change{Name: "race._domainkey.example.com", Value: "new", TTL: 60})
	if err == nil || !strings.Contains(err.Error(), "is an alias (CNAME): nothing was changed") {
		t.Error(err)
	}
	if got := l.txt(t, primaryIP, "race._domainkey.example.com"); got != "elsewhere.example" {
		t.Error(got)
	}
}

// Every server of the zone is asked: one that has an old copy, or does not answer,
// is seen.
func TestEveryServer(t *testing.T) {
	l := newLab(t)
	p := l.publisher(t, nil)
	check := &authoritative.Checker{Resolver: l.resolver, Allow: netip.Addr.IsLoopback, Port: uint16(l.port)}
	ask := func(name, value string) authoritative.Verdict {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		r := check.TXT(ctx, name)
		t.Logf("%s: %v %v", name, r.Answers, r.Err)
		return r.Verdict(func(records []string) bool { return slices.Equal(records, []string{value}) })
	}
	publish := func(name, value string) {
		t.Helper()
		if err := p.Publish(t.Context(), publisher.Change{Name: name, Value: value, TTL: 5}); err != nil {
			t.Fatal(err, problem.Hint(err))
		}
	}
	if got := ask(name, "one"); got != authoritative.Missing {
		t.Errorf("before: %s", got)
	}
	publish(name, "one")
	eventually(t, "both servers show it", func() bool { return ask(name, "one") == authoritative.Shown })
	if got := l.txt(t, secondaryIP, name); got != "one|" {
		t.Errorf("the secondary has %q", got)
	}

	if got := ask("cust._domainkey.example.com", "two"); got != authoritative.Missing {
		t.Errorf("behind an alias, before: %s", got)
	}
	publish("cust.dkim.example.com", "two")
	eventually(t, "both servers show it behind the alias", func() bool { return ask("cust._domainkey.example.com", "two") == authoritative.Shown })

	l.secondary.pause(t)
	publish(name, "three")
	if got := ask(name, "three"); got != authoritative.Unknown {
		t.Errorf("the secondary is silent: %s", got)
	}
	if err := l.secondary.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both servers show it again", func() bool { return ask(name, "three") == authoritative.Shown })

	// The primary does not tell the secondary any more.
	l.primary.stop()
	check.Via = []netip.AddrPort{l.addr(secondaryIP)}
	if got := ask(name, "four"); got != authoritative.Missing {
		t.Errorf("the secondary has the old one: %s", got)
	}
	if got := ask(name, "three"); got != authoritative.Shown {
		t.Errorf("via the secondary: %s", got)
	}
	l.secondary.stop()
	if got := ask(name, "three"); got != authoritative.Unknown {
		t.Errorf("nobody answers: %s", got)
	}
}

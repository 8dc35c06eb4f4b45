package service

import (
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/admin"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/keys/publish"
	"github.com/sealmilter/sealmilter/test/faultdns"
)

// TestNewKeySignsWhenItIsPublished: keys made beside others, a reload, a restart: the
// published ones sign, until the DNS shows the new ones. A DNS that does not answer
// shows nothing.
func TestNewKeySignsWhenItIsPublished(t *testing.T) {
	d := newDaemon(t, config1)
	made, err := keys.Generate(filepath.Join(d.dir, "keys"), "example.com", keys.GenerateOptions{Selector: "s2", Now: func() time.Time { return time.Now().AddDate(0, 0, 1) }})
	if err != nil {
		t.Fatal(err)
	}
	zone := resolve.MustZone("")
	for _, k := range made {
		if err := zone.Add(k.Name(), "TXT", publish.Record(k)); err != nil {
			t.Fatal(err)
		}
	}
	var published atomic.Bool
	dns, err := faultdns.Start(zone, func(string, string) faultdns.Fault {
		if published.Load() {
			return faultdns.None
		}
		return faultdns.ServFail
	})
	if err != nil {
		t.Fatal(err)
	}
	defer dns.Close()
	asked := make(chan struct{}, 1)
	d.opt.After = func(wait time.Duration) <-chan time.Time {
		if wait != publicationEvery {
			return time.After(wait)
		}
		select {
		case asked <- struct{}{}:
		default:
		}
		return time.After(10 * time.Millisecond)
	}
	d.write(strings.Replace(config1, `{servers: ["127.0.0.1:53"]}`, `{servers: ["`+dns.Addr()+`"], cache_size: 0}`, 1))
	d.start()
	signedBy := func() string {
		t.Helper()
		if !d.signs() {
			t.Fatal("not signed")
		}
		_, line, _ := strings.Cut(d.wait("msg=message"), " signed=")
		names, _, _ := strings.Cut(line, " ")
		return names
	}
	<-asked
	c := admin.Client{Socket: filepath.Join(d.dir, "admin.sock")}
	for range 2 {
		if got := signedBy(); got != "s1._domainkey.example.com,s1e._domainkey.example.com" {
			t.Errorf("not published: signed by %s", got)
		}
		if r, err := c.Reload(t.Context()); err != nil || !r.OK {
			t.Fatal(r, err)
		}
	}
	if s, err := c.Status(t.Context()); err != nil || len(s.Keys) != 4 || s.Keys[0].Signs == s.Keys[0].Waits {
		t.Errorf("%+v %v", s.Keys, err)
	}
	published.Store(true)
	d.wait("the DNS shows a new key")
	for range 500 { // both are noticed in one round, or in two
		if left, _ := filepath.Glob(filepath.Join(d.dir, "keys/example.com/*.waiting")); len(left) == 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if r, err := c.Reload(t.Context()); err != nil || !r.OK { // the swap of the keys comes before it
		t.Fatal(r, err)
	}
	if got := signedBy(); got != "s2._domainkey.example.com,s2e._domainkey.example.com" {
		t.Errorf("published: signed by %s", got)
	}
}

//go:build e2e

package nameservers

import (
	"bufio"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/internal/publisher"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/keys/publish"
	"github.com/sealmilter/sealmilter/milter/client"
)

// killedAt are the steps of a rotation, in the words of the log: the daemon is killed as
// soon as it has said so, each time once more where a step comes once for each key.
var killedAt = []struct {
	text  string
	times int
}{
	{"made the next key of a domain", 1},
	{"published the record of a key", 2},
	{"the DNS shows a new key", 3}, // the first time of the old pair's
	{"a key has a successor", 2},
	{"emptied the record of an old key", 2},
	{"the record of an old key has gone", 1}, // the end is looked at in the folder
}

const rotationConfig = `authserv_id: mx.example.com
listen: unix:%[1]s/%[2]s.sock
admin: unix:%[1]s/%[2]s.admin
dns: {servers: ["%[3]s"]}
sign:
  keys: %[1]s/keys
  domains: [example.com]
  role: %[2]s
  published_via: ["%[3]s", "%[4]s"]
  rotate: {every: 24h, delay: 30s, overlap: 15s, publish: rfc2136, server: "%[3]s", tsig_file: %[5]s}
`

// host is one of two with a shared key folder.
type host struct {
	t       *testing.T
	lab     *lab
	dir     string
	program string
	role    string
	left    map[string]int // steps at which it is still to be killed

	mu     sync.Mutex
	log    strings.Builder
	kills  int
	signed map[string]int // messages by who signed them
}

// live runs the daemon, again and again, until stop is closed.
func (h *host) live(stop <-chan struct{}) {
	for {
		cmd := exec.Command(h.program, "serve", "--config", filepath.Join(h.dir, h.role+".yaml"), "--state", filepath.Join(h.dir, h.role+".state"))
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		out, err := cmd.StderrPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			h.t.Error(err)
			return
		}
		ended := make(chan struct{})
		go func() {
			select {
			case <-stop:
				_ = cmd.Process.Kill()
			case <-ended:
			}
		}()
		for sc := bufio.NewScanner(out); sc.Scan(); {
			if h.said(sc.Text()) {
				_ = cmd.Process.Kill()
			}
		}
		_ = cmd.Wait()
		close(ended)
		select {
		case <-stop:
			return
		default:
		}
	}
}

// said notes a line, and reports whether it is one to die after.
func (h *host) said(line string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !strings.Contains(line, "msg=message") {
		fmt.Fprintln(&h.log, line)
	}
	for text, left := range h.left {
		if left > 0 && strings.Contains(line, text) {
			h.left[text]--
			h.kills++
			return true
		}
	}
	return false
}

var selectorTag = regexp.MustCompile(`[ \t;]s=([^;\s]+);`)

// send has messages signed, one after the other, and holds each signature against what
// the name servers show. What the daemon does not take is tried again, as an MTA does.
func (h *host) send(stop <-chan struct{}) {
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		case <-time.After(20 * time.Millisecond):
		}
		s, err := client.Dial("unix", filepath.Join(h.dir, h.role+".sock"))
		if err != nil {
			continue
		}
		var a client.Answer
		if err = s.Connect(client.Peer{IP: netip.MustParseAddr("127.0.0.1"), Helo: "localhost"}); err == nil {
			a, err = s.Send(client.Message{MailFrom: "a@example.com", RcptTo: []string{"b@example.net"}, QueueID: fmt.Sprintf("4Q%d", n), Raw: "From: a@example.com\n\nhello\n"})
		}
		s.Close()
		if err != nil || a.Code != 250 {
			continue
		}
		head, _, _ := strings.Cut(a.Raw, "\r\n\r\n")
		var by []string
		for _, m := range selectorTag.FindAllStringSubmatch(strings.ReplaceAll(head, "\r\n", ""), -1) {
			by = append(by, m[1])
		}
		h.mu.Lock()
		h.signed[strings.Join(by, ",")]++
		h.mu.Unlock()
		if len(by) != 2 {
			h.t.Errorf("%s: signed by %q:\n%s", h.role, by, head)
		}
		for _, selector := range by {
			for _, ip := range []string{primaryIP, secondaryIP} {
				if got := h.lab.txt(h.t, ip, selector+"._domainkey.example.com"); !strings.Contains(got, "p=M") && !strings.Contains(got, "k=ed25519; p=") || strings.HasSuffix(got, "p=|") {
					h.t.Errorf("%s: signed by %s, of which %s shows %q", h.role, selector, ip, got)
				}
			}
		}
	}
}

// TestRotation has a pair follow another one over a real BIND with a secondary, while
// two hosts that share the key folder sign a stream of mail. The master is killed at each
// step. No message goes out unsigned, none with a key that a server does not show, and
// at the end one pair is active.
func TestRotation(t *testing.T) {
	l := newLab(t)
	dir := t.TempDir()
	program := filepath.Join(dir, "sealmilter")
	output(t, "go", "build", "-o", program, "github.com/sealmilter/sealmilter/cmd/sealmilter")
	folder := filepath.Join(dir, "keys")
	first, err := keys.Generate(folder, "example.com", keys.GenerateOptions{Selector: "s1"})
	if err != nil {
		t.Fatal(err)
	}
	old := time.Now().AddDate(0, 0, -2)
	for _, k := range first {
		if err := os.Chtimes(k.Path(), old, old); err != nil {
			t.Fatal(err)
		}
		if err := l.publisher(t, nil).Publish(t.Context(), publisher.Change{Name: k.Name(), Value: publish.Record(k), TTL: 5}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "both servers show the first pair", func() bool { return l.txt(t, secondaryIP, k.Name()) != "" })
	}
	stop := make(chan struct{})
	var all sync.WaitGroup
	var hosts []*host
	for _, role := range []string{"master", "follower"} {
		h := &host{t: t, lab: l, dir: dir, program: program, role: role, left: map[string]int{}, signed: map[string]int{}}
		if role == "master" {
			for _, s := range killedAt {
				h.left[s.text] = s.times
			}
		}
		write(t, filepath.Join(dir, role+".yaml"), fmt.Sprintf(rotationConfig, dir, role, l.addr(primaryIP), l.addr(secondaryIP), l.key("up")))
		if err := os.Mkdir(filepath.Join(dir, role+".state"), 0o700); err != nil {
			t.Fatal(err)
		}
		hosts = append(hosts, h)
		all.Go(func() { h.live(stop) })
		all.Go(func() { h.send(stop) })
	}
	began := time.Now()
	over := func() bool {
		store, _ := keys.Load(folder, []keys.DomainSpec{{Name: "example.com"}}, nil)
		gone, active := 0, 0
		for _, k := range store.All() {
			if !k.Life().Removed.IsZero() {
				gone++
			}
			if k.Life().State(time.Now()) == keys.Active {
				active++
			}
		}
		return gone == 2 && active == 2 && len(store.All()) == 4
	}
	for !over() && time.Since(began) < 5*time.Minute && !t.Failed() {
		time.Sleep(500 * time.Millisecond)
	}
	close(stop)
	all.Wait()
	store, problems := keys.Load(folder, []keys.DomainSpec{{Name: "example.com"}}, nil)
	if !over() || len(problems) > 0 {
		for _, k := range store.All() {
			t.Logf("%s: %+v", k, k.Life())
		}
		t.Errorf("not one active pair and one that has gone: %v", problems)
	}
	for _, h := range hosts {
		pairs := 0
		for by, n := range h.signed {
			t.Logf("%s: %d messages signed by %s", h.role, n, by)
			if !strings.Contains(by, "s1") {
				pairs++
			}
		}
		if pairs != 1 {
			t.Errorf("%s: %d new pairs signed", h.role, pairs)
		}
		if h.role == "master" {
			for _, text := range slices.Sorted(func(yield func(string) bool) {
				for text, left := range h.left {
					if left > 0 && !yield(text) {
						return
					}
				}
			}) {
				t.Errorf("never killed, or too rarely, at %q", text)
			}
			t.Logf("killed %d times in %s", h.kills, time.Since(began).Round(time.Second))
		}
		if t.Failed() {
			t.Log(h.log.String())
		}
	}
	for _, k := range first {
		eventually(t, "the old record is empty", func() bool { return l.txt(t, secondaryIP, k.Name()) == publish.Revoked(k)+"|" })
	}
}

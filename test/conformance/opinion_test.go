package conformance

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/header"
)

const (
	// someMessages are for every run of the tests; `make conformance` sets
	// SEALMILTER_MESSAGES to manyMessages.
	someMessages = 300
	manyMessages = 10_000
	messageSeed  = 20261122
)

func messages(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(cmp.Or(os.Getenv("SEALMILTER_MESSAGES"), strconv.Itoa(someMessages)))
	if err != nil || n < 1 {
		t.Fatalf("SEALMILTER_MESSAGES=%q is no number of messages", os.Getenv("SEALMILTER_MESSAGES"))
	}
	return n
}

// tally is what came of the signatures that one engine judged or made.
type tally struct {
	engine      string
	signatures  int
	passed      int
	unsupported int
	explained   map[string]int
	unexplained int
}

func newTallies(all []engine) []tally {
	var out []tally
	for _, e := range all {
		out = append(out, tally{engine: e.name(), explained: map[string]int{}})
	}
	return out
}

// judge counts one signature. reason is why it does not pass, nil when it does;
// details are for the first of those that nothing explains.
func (c *tally) judge(t *testing.T, reason error, g generated, f form, details func() string) {
	t.Helper()
	c.signatures++
	if reason == nil {
		c.passed++
		return
	}
	if name := explain(c.engine, g, f); name != "" {
		c.explained[name]++
		return
	}
	if c.unexplained++; c.unexplained <= 5 {
		t.Errorf("%s, %+v: %v\n%.6000s", c.engine, f, reason, details())
	}
}

// report prints the figures, and complains about an explanation that nothing
// needs any more.
func report(t *testing.T, tallies []tally, what string, n int) {
	t.Helper()
	for _, c := range tallies {
		t.Logf("%s %s: %d messages, %d signatures: %d pass, %d explained, %d unexplained; %d of an algorithm that it does not know",
			what, c.engine, n, c.signatures, c.passed, c.signatures-c.passed-c.unexplained, c.unexplained, c.unsupported)
		for _, d := range differences {
			if !strings.HasPrefix(c.engine, d.engine) {
				continue
			}
			t.Logf("    %d: %s", c.explained[d.name], d.name)
			ours := d.holds(generated{}, form{auid: "b="}) // only our signatures have i= of any kind
			if n >= manyMessages && c.explained[d.name] == 0 && !(ours && what == "we on") {
				t.Errorf("%s: not seen in %d messages: %s", c.engine, n, d.name)
			}
		}
		if c.unexplained > 0 {
			t.Errorf("%s: %d unexplained", c.engine, c.unexplained)
		}
		// The explanations must not swallow the test.
		if c.passed < c.signatures*9/10 {
			t.Errorf("%s: only %d of %d pass", c.engine, c.passed, c.signatures)
		}
	}
}

// signOurs puts one to three signatures of all forms on top of a message.
func signOurs(k *keyring, m maker, g generated) (header.Fields, []form, error) {
	var signers []dkim.Signer
	var forms []form
	var names []string
	for _, f := range g.fields {
		if !f.Is("DKIM-Signature") {
			names = append(names, strings.TrimRight(f.Name, " \t"))
		}
	}
	for range 1 + m.IntN(3) {
		f := form{algorithm: pick(m, "rsa-sha256", "ed25519-sha256"), header: pick(m, "simple", "relaxed"), body: pick(m, "simple", "relaxed")}
		s := dkim.Signer{Domain: signDomain, HeaderCanon: dkim.Canonicalization(f.header), BodyCanon: dkim.Canonicalization(f.body),
			Now: func() time.Time { return time.Now().Add(-time.Minute) }} // the others have no clock to set
		s.Selector, s.Key = k.signer(f.algorithm)
		for _, name := range names {
			if m.sometimes(2) {
				s.Headers = append(s.Headers, name)
			}
		}
		if m.sometimes(2) {
			s.Oversign = []string{"From", "Subject", "Cc", "X-Absent"}
		}
		switch m.IntN(20) {
		case 0:
			f.auid, s.AUID = "a=3Db=3Bc@mail.example.com", "a=b;c@mail.example.com"
		case 1, 2, 3:
			f.auid, s.AUID = "joe@example.com", "joe@example.com"
		case 4, 5, 6:
			f.auid, s.AUID = "@news.example.com", "@news.example.com"
		}
		if m.sometimes(4) {
			s.Expire = time.Hour
		}
		signers, forms = append(signers, s), append(forms, f)
	}
	signing, err := dkim.NewSigning(g.fields, signers)
	if err != nil {
		return nil, nil, err
	}
	m.pieces(g.body, func(p []byte) { signing.Write(p) })
	values, err := signing.Finish()
	if err != nil {
		return nil, nil, err
	}
	var out header.Fields
	for _, v := range values {
		out = append(out, header.Field{Name: "DKIM-Signature", Value: v})
	}
	return append(out, g.fields...), forms, nil
}

// TestTheyVerifyOurs: what we sign, go-msgauth, python3-dkim and Mail::DKIM
// verify, and so do we.
func TestTheyVerifyOurs(t *testing.T) {
	k := newKeyring(t)
	all := engines(t, k)
	tallies := newTallies(all)
	total := messages(t)
	for n := range total {
		m, g := maker{newRand(messageSeed, uint64(n)<<8|1)}, makeMessage(messageSeed, uint64(n)<<8)
		h, forms, err := signOurs(k, m, g)
		if err != nil {
			t.Fatalf("message %d: %v", n, err)
		}
		for i, r := range ourVerdicts(k, m, h, g.body)[:len(forms)] {
			if r.Status != dkim.Pass {
				t.Errorf("message %d, signature %d: our own engine says %s (%v)", n, i, r.Status, r.Err)
			}
		}
		raw := generated{h, g.body}.raw()
		answers, errs := make([][]verdict, len(all)), make([]error, len(all))
		var wg sync.WaitGroup
		for e := range all {
			wg.Go(func() { answers[e], errs[e] = all[e].verify(raw) })
		}
		wg.Wait()
		for e := range all {
			for i, f := range forms {
				if !slices.Contains(all[e].algorithms(), f.algorithm) {
					tallies[e].unsupported++
					continue
				}
				reason := errs[e]
				switch {
				case reason != nil:
				case i >= len(answers[e]):
					reason = fmt.Errorf("no verdict: %v", answers[e])
				case !answers[e][i].OK:
					reason = errors.New("does not verify: " + answers[e][i].Err)
				}
				tallies[e].judge(t, reason, g, f, func() string { return fmt.Sprintf("message %d, signature %d: %q", n, i, raw) })
			}
		}
	}
	report(t, tallies, "ours, by", total)
}

// TestWeVerifyTheirs is the other way round.
func TestWeVerifyTheirs(t *testing.T) {
	k := newKeyring(t)
	all := engines(t, k)
	tallies := newTallies(all)
	total := messages(t)
	for n := range total {
		m, g := maker{newRand(messageSeed, uint64(n)<<8|2)}, makeMessage(messageSeed, uint64(n)<<8)
		raw := g.raw()
		forms, fields, errs := make([]form, len(all)), make([]string, len(all)), make([]error, len(all))
		var wg sync.WaitGroup
		for e := range all {
			forms[e] = form{algorithm: pick(m, all[e].algorithms()...), header: pick(m, "simple", "relaxed"), body: pick(m, "simple", "relaxed")}
			wg.Go(func() { fields[e], errs[e] = all[e].sign(raw, forms[e]) })
		}
		wg.Wait()
		for e := range all {
			reason := errs[e]
			if reason == nil {
				reason = verifyTheirs(k, m, g, fields[e])
			}
			tallies[e].judge(t, reason, g, forms[e], func() string { return fmt.Sprintf("message %d: %q on %q", n, fields[e], raw) })
		}
	}
	report(t, tallies, "we on", total)
}

// verifyTheirs is why a field that another engine made does not pass here.
func verifyTheirs(k *keyring, m maker, g generated, field string) error {
	f, err := parseField(field)
	if err != nil {
		return err
	}
	r := ourVerdicts(k, m, append(header.Fields{f}, g.fields...), g.body)[0]
	if r.Status != dkim.Pass {
		return fmt.Errorf("we say %s: %w", r.Status, r.Err)
	}
	return nil
}

// Package spfsuite reads SPF test suites in openspf's YAML format, which the
// module blitiri.com.ar/go/spf ships in its testdata. auth/spf runs them over
// the zone double, test/conformance over a DNS server and the milter socket.
package spfsuite

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// Cases is how many there are in rfc7208-tests.yml, those among them that its
// copy marks `skip`.
const Cases = 203

// Scenario is one document of a suite: cases, and the zone that they share.
type Scenario struct {
	Description string
	Comment     string
	Tests       map[string]Case
	Zonedata    map[string][]map[string]yaml.Node
}

// Case is one check and what may come of it.
type Case struct {
	Helo, Host, MailFrom string
	Result               oneOrMore
	// Explanation is nil when the suite has no opinion, "DEFAULT" when the
	// sender's domain gives none.
	Explanation *string
}

// Allows reports whether the suite takes status for right.
func (c Case) Allows(status string) bool { return slices.Contains(c.Result, status) }

// WantExplanation is the text that a fail must bring along; ok is false when
// the suite has no opinion.
func (c Case) WantExplanation(name string) (text string, ok bool) {
	switch {
	case c.Explanation == nil:
		return "", false
	case *c.Explanation == "DEFAULT":
		return "", true
	case name == "v-macro-ip6":
		// The suite writes %{i} in upper case, RFC 7208 §7.4 and we in lower case.
		return strings.ToLower(*c.Explanation), true
	}
	return *c.Explanation, true
}

// oneOrMore is a string or a list of strings.
type oneOrMore []string

func (o *oneOrMore) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*o = oneOrMore{n.Value}
		return nil
	}
	var l []string
	err := n.Decode(&l)
	*o = l
	return err
}

// types are what a scenario's names can have records of.
var types = []string{"TXT", "A", "AAAA", "MX", "PTR"}

// Records gives add each record of the scenario: a name as the suite writes
// it, a type of types or CNAME, and its data (character-strings for TXT,
// preference and host for MX). "!timeout" as the only data says that questions
// for this name and type get no answer.
//
// The suite's conventions: SPF records stand for TXT records unless the name
// has TXT records of its own ("NONE" among them); TIMEOUT concerns the types
// that have no record.
func (s *Scenario) Records(add func(name, typ string, data ...string) error) error {
	for name, records := range s.Zonedata {
		var forTXT [][]string
		has := map[string]bool{}
		timeout, none := false, false
		put := func(typ string, data ...string) error {
			has[typ] = true
			return add(name, typ, data...)
		}
		for _, r := range records {
			for typ, n := range r {
				var data oneOrMore
				if err := n.Decode(&data); err != nil {
					return fmt.Errorf("%s %s: %w", name, typ, err)
				}
				var err error
				switch {
				case typ == "TIMEOUT":
					timeout = true
				case typ == "CNAMELOOP":
					err = put("CNAME", name)
				case typ == "SPF":
					forTXT = append(forTXT, data)
				case typ == "TXT" && n.Value == "NONE":
					none = true
				default:
					err = put(typ, data...)
				}
				if err != nil {
					return err
				}
			}
		}
		if !has["TXT"] && !none {
			for _, data := range forTXT {
				if err := put("TXT", data...); err != nil {
					return err
				}
			}
		}
		for _, typ := range types {
			if timeout && !has[typ] {
				if err := put(typ, "!timeout"); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Silent reports whether some question of the scenario gets no answer.
func (s *Scenario) Silent() bool {
	for _, records := range s.Zonedata {
		for _, r := range records {
			if _, ok := r["TIMEOUT"]; ok {
				return true
			}
		}
	}
	return false
}

// Load reads a file of the suites. Where the module cache does not have them
// the test is skipped, or fails under SEALMILTER_CI=1.
func Load(t *testing.T, file string) []Scenario {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "blitiri.com.ar/go/spf").Output()
	var f *os.File
	if err == nil {
		f, err = os.Open(filepath.Join(strings.TrimSpace(string(dir)), "testdata", file))
	}
	if err != nil {
		if os.Getenv("SEALMILTER_CI") == "1" {
			t.Fatal(err)
		}
		t.Skipf("the suite of module blitiri.com.ar/go/spf is not in the module cache: %v", err)
	}
	defer f.Close()
	var all []Scenario
	for d := yaml.NewDecoder(f); ; {
		var s Scenario
		err := d.Decode(&s)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
}

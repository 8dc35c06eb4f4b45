package spf

import (
	"errors"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

// scenario is one document of a test suite in openspf's YAML format: tests,
// and the zone that they share.
type scenario struct {
	Description string
	Comment     string
	Tests       map[string]struct {
		Helo, Host, MailFrom string
		Result               oneOrMore
		Explanation          *string
	}
	Zonedata map[string][]map[string]yaml.Node
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

// zone builds the DNS of a scenario. The suite's conventions: SPF records
// stand for TXT records unless the name has TXT records of its own ("NONE"
// among them); TIMEOUT concerns the types that have no record.
func (s *scenario) zone(t *testing.T) *resolve.Zone {
	t.Helper()
	z := &resolve.Zone{}
	add := func(name, typ string, data ...string) {
		if err := z.Add(name, typ, data...); err != nil {
			t.Fatal(err)
		}
	}
	for name, records := range s.Zonedata {
		var forTXT [][]string
		has := map[string]bool{}
		timeout, none := false, false
		for _, r := range records {
			for typ, n := range r {
				var data oneOrMore
				if err := n.Decode(&data); err != nil {
					t.Fatal(err)
				}
				switch {
				case typ == "TIMEOUT":
					timeout = true
				case typ == "CNAMELOOP":
					add(name, "CNAME", name)
				case typ == "SPF":
					forTXT = append(forTXT, data)
				case typ == "TXT" && n.Value == "NONE":
					none = true
				default:
					add(name, typ, data...)
					has[typ] = true
				}
			}
		}
		if !has["TXT"] && !none {
			for _, data := range forTXT {
				add(name, "TXT", data...)
				has["TXT"] = true
			}
		}
		for _, typ := range []string{"TXT", "A", "AAAA", "MX", "PTR"} {
			if timeout && !has[typ] {
				add(name, typ, "!timeout")
			}
		}
	}
	return z
}

// suite reads a file of the suites that blitiri.com.ar/go/spf ships.
func suite(t *testing.T, file string) []scenario {
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
	var all []scenario
	for d := yaml.NewDecoder(f); ; {
		var s scenario
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

// runSuite runs every case of a file except those in excluded, a map from
// case to reason, and returns how many there were.
func runSuite(t *testing.T, file string, excluded map[string]string) (ran int) {
	for i, s := range suite(t, file) {
		for name, tc := range s.Tests {
			t.Run(strconv.Itoa(i)+"/"+name, func(t *testing.T) {
				if reason := excluded[name]; reason != "" {
					t.Skip(reason)
				}
				ran++
				c := Checker{Resolver: s.zone(t), Receiver: "mx.receiver.example"}
				r := c.Check(t.Context(), netip.MustParseAddr(tc.Host), tc.Helo, tc.MailFrom)
				if !slices.Contains(tc.Result, string(r.Status)) {
					t.Errorf("status %s (%v), want %s", r.Status, r.Err, tc.Result)
				}
				// No verdict without a reason, and the reverse.
				if noVerdict := r.Status == None || r.Status == TempError || r.Status == PermError; noVerdict != (r.Err != nil) {
					t.Errorf("status %s with error %v", r.Status, r.Err)
				}
				if tc.Explanation == nil {
					return
				}
				want := *tc.Explanation
				if want == "DEFAULT" {
					want = ""
				}
				got := r.Explanation
				if name == "v-macro-ip6" {
					// The suite writes %{i} in upper case, RFC 7208 §7.4 and we
					// in lower case.
					want = strings.ToLower(want)
				}
				if got != want {
					t.Errorf("explanation %q, want %q", got, want)
				}
			})
		}
	}
	return ran
}

// TestRFC7208Suite is openspf's suite, all of it.
func TestRFC7208Suite(t *testing.T) {
	const cases = 203
	if n := runSuite(t, "rfc7208-tests.yml", nil); n != cases {
		t.Errorf("ran %d cases, want %d", n, cases)
	}
}

// TestPyspfSuite is pyspf's own suite, as far as it is about RFC 7208.
func TestPyspfSuite(t *testing.T) {
	runSuite(t, "pyspf-tests.yml", map[string]string{
		"default-modifier":       "pyspf's lax mode obeys default=, which RFC 7208 §6 wants ignored as an unknown modifier",
		"default-modifier-harsh": "pyspf's harsh mode answers \"ambiguous\", which is no result of RFC 7208 §2.6",
	})
}

package config

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the files that tests compare with")

// named is a Loader on a host with a proper name.
func named() Loader {
	return Loader{Hostname: func() (string, error) { return "mail.example.com", nil }}
}

// TestWrong: one mistake a file, and beside it, whole, what check prints.
func TestWrong(t *testing.T) { golden(t, "wrong", 100, false) }

// TestOdd: files that are in use for all that, with a warning.
func TestOdd(t *testing.T) { golden(t, "odd", 10, true) }

func golden(t *testing.T, dir string, least int, loads bool) {
	files, err := filepath.Glob("testdata/" + dir + "/*.yaml")
	if err != nil || len(files) < least {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c, problems := named().Parse("milter.yaml", data)
			if (c != nil) != loads || problems.Failed() == loads || len(problems) == 0 {
				t.Errorf("loads: %v, %d problems", c != nil, len(problems))
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(problems.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got := problems.String(); got != string(want) {
				t.Errorf("got\n%swant\n%s", got, want)
			}
			if (problems.Err() == nil) != loads {
				t.Errorf("Err is %v", problems.Err())
			}
		})
	}
}

// TestMended: what a hint says to write is in the file beside the wrong one, and
// that one loads without a word.
func TestMended(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.mended")
	if err != nil || len(files) < 50 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".mended"), func(t *testing.T) {
			base := strings.TrimSuffix(file, ".mended")
			wrong, err := os.ReadFile(base + ".yaml")
			if err != nil {
				t.Fatal(err)
			}
			right, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, problems := named().Parse("milter.yaml", wrong)
			if len(problems) == 0 {
				t.Fatal("nothing was wrong")
			}
			for _, text := range replacements(problems[0].Hint) {
				if unquoted, err := strconv.Unquote(text); err == nil && !strings.Contains(string(right), text) {
					text = unquoted
				}
				if !strings.Contains(string(right), text) {
					t.Errorf("the hint writes %q", text)
				}
			}
			c, problems := named().Parse("milter.yaml", right)
			if c == nil || len(problems) > 0 {
				t.Errorf("as the hint says: %s", problems)
			}
		})
	}
}

// replacements are the texts that a hint tells to write.
func replacements(hint string) []string {
	_, text, ok := strings.Cut(hint, "write ")
	if !ok {
		return nil
	}
	if _, other, ok := strings.Cut(text, " writes "); ok { // the escape of who really means it
		return []string{other}
	}
	for _, end := range []string{"; ", " for the ", " with plain", " in sign"} {
		text, _, _ = strings.Cut(text, end)
	}
	return []string{text}
}

func TestHostname(t *testing.T) {
	const hint = "\n  hint: set authserv_id to the name of your mail system, such as mail.example.com; next: sealmilter setup postfix --domain YOUR.DOMAIN does it\n"
	for _, tt := range []struct {
		name, host string
		err        error
		yaml       string
		want       string // the id, or problems when it begins with milter.yaml
	}{
		{"full name", "Mail.Example.COM.", nil, "mta: auto", "mail.example.com"},
		{"set in the file", "mail", nil, "authserv_id: mx.example.org", "mx.example.org"},
		{"null is not set", "mail.example.com", nil, "authserv_id:", "mail.example.com"},
		{"U-label", "", nil, "authserv_id: 예.example", "xn--2j5b.example"},
		{"no dot", "mail", nil, "mta: auto", `milter.yaml: authserv_id is not set, and this host is only called "mail"` + hint},
		{"localhost", "localhost.localdomain", nil, "mta: auto", `milter.yaml: authserv_id is not set, and this host is only called "localhost.localdomain"` + hint},
		{"empty", "", nil, "mta: auto", `milter.yaml: authserv_id is not set, and this host is only called ""` + hint},
		{"misspelled", "mail", nil, "authserv_di: mx.example.org", "milter.yaml:1: unknown field \"authserv_di\" in the file\n  hint: did you mean \"authserv_id\"?\n"},
		{"of another kind", "mail", nil, "authserv_id: [mx.example.org]", "milter.yaml:1: authserv_id must be a single value, not a list\n"},
		{"unknown", "", errors.New("no such thing"), `authserv_id: ""`, "milter.yaml:1: authserv_id is not set, and the name of this host is unknown: no such thing" + hint},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := Loader{Hostname: func() (string, error) { return tt.host, tt.err }}
			c, problems := l.Parse("milter.yaml", []byte(tt.yaml))
			got := problems.String()
			if c != nil {
				got = c.AuthservID
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestZeroLoaderAsksTheSystem: whatever it says, it is asked.
func TestZeroLoaderAsksTheSystem(t *testing.T) {
	if id, err := (Loader{}).HostID(); (id == "") == (err == nil) {
		t.Errorf("%q %v", id, err)
	}
}

// TestWarnings are usable configurations with a remark.
func TestWarnings(t *testing.T) {
	for yaml, want := range map[string]string{
		"authserv_id: acme":                                      "milter.yaml:1: warning: authserv_id: acme has no dot; another site may use the same\n  hint: set authserv_id to the name of your mail system, such as mail.example.com\n",
		"listen: [inet:8891]":                                    "milter.yaml:1: warning: inet:8891 lets every host and every user of this one connect\n  hint: whoever connects can have any mail signed for every listed domain; for an MTA on this host take a unix socket, for another one let the firewall admit that host only\n",
		"listen: [\"inet:127.0.0.1:8891\"]":                      "milter.yaml:1: warning: inet:127.0.0.1:8891 lets every user of this host connect\n  hint: whoever connects can have any mail signed for every listed domain, and may open the port before we do; for an MTA on this host take a unix socket\n",
		"listen: [\"inet:192.0.2.1:8891\"]":                      "milter.yaml:1: warning: inet:192.0.2.1:8891 lets every user of this host and every host that reaches it connect\n  hint: whoever connects can have any mail signed for every listed domain, and may open the port before we do; for an MTA on this host take a unix socket\n",
		"socket: {mode: \"0662\"}":                               "milter.yaml:1: warning: socket.mode 0662 lets every user of this host connect\n  hint: whoever connects can have any mail signed for every listed domain: 0660, and the MTA's group\n",
		"egress: [100.64.1.1]":                                   "milter.yaml:1: warning: 100.64.1.1 is not a public address\n  hint: write the address that other hosts see; behind NAT it is the gateway's\n",
		"egress: [224.0.0.1]":                                    "milter.yaml:1: warning: 224.0.0.1 is not a public address\n  hint: write the address that other hosts see; behind NAT it is the gateway's\n",
		"dns: {timeout: 30s}":                                    "milter.yaml:1: warning: dns.timeout 30s is longer than limits.message_timeout 10s\n",
		"sign: {domains: [local]}":                               "milter.yaml:1: warning: domain local has no dot\n  hint: outside your own network nobody finds its key; write the whole domain, such as example.com\n",
		"sign: {headers: [From, Bcc]}":                           "milter.yaml:1: warning: Bcc is often changed or removed on the way, which breaks the signature\n  hint: leave it away (RFC 6376 section 5.4.1)\n",
		"mta: sendmail\nsign: {canonicalization: simple/simple}": "milter.yaml:2: warning: Sendmail rewrites address fields, which breaks simple header signatures\n  hint: relaxed/relaxed\n",
		"policy: {rules: [{name: a, action: accept}, defaults]}": "milter.yaml:1: warning: this rule is never reached\n  hint: the rule of line 1 has no \"if\" and takes every message\n",
	} {
		c, problems := named().Parse("milter.yaml", []byte(yaml))
		if got := problems.String(); c == nil || got != want || problems.Err() != nil {
			t.Errorf("%s\ngot  %swant %s", yaml, got, want)
		}
	}
}

func TestManyProblems(t *testing.T) {
	c, problems := named().Parse("milter.yaml", []byte("listen: ["+strings.Repeat("x,", 500)+"]\negress: ["+strings.Repeat("10.0.0.1,", 500)+"]\n"))
	if c != nil || len(problems) > 101 {
		t.Errorf("%d problems", len(problems))
	}
	// Warnings alone must not turn into an error, nor hide one.
	warn := "egress:\n" + strings.Repeat(" - 10.0.0.1\n", 200)
	if c, problems := named().Parse("milter.yaml", []byte(warn)); c == nil || len(problems) != 101 {
		t.Errorf("%d problems", len(problems))
	}
	if c, problems := named().Parse("milter.yaml", []byte(warn+"mta: exim\n")); c != nil || !problems.Failed() {
		t.Error("the error behind the warnings is lost")
	}
}

func TestTooLarge(t *testing.T) {
	_, problems := named().Parse("milter.yaml", []byte("mta: auto #"+strings.Repeat("x", 1<<20)))
	if got := problems.String(); got != "milter.yaml: the file is larger than 1048576 bytes\n" {
		t.Error(got)
	}
}

func TestLoadMissing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "milter.yaml")
	_, problems := named().Load(path)
	if got := problems.String(); !strings.HasPrefix(got, path+": cannot be read: no such file or directory\n  hint: the smallest useful file") {
		t.Error(got)
	}
	_, problems = named().Load(t.TempDir())
	if got := problems.String(); !strings.Contains(got, "cannot be read: is a directory\n  hint: name the file in it: /") || !strings.HasSuffix(got, "/milter.yaml\n") {
		t.Error(got)
	}
	if got := readHint("/etc/sealmilter/milter.yaml", fs.ErrNotExist); !strings.HasPrefix(got, "sealmilter setup postfix --domain example.com makes it; by hand, the smallest") {
		t.Error(got)
	}
	if got := readHint(path, fs.ErrPermission); !strings.HasPrefix(got, "do it as root") {
		t.Error(got)
	}
}

// TestFieldsBetterLeftUnsigned: RFC 6376 §5.4, §5.4.1, in both lists; no word
// where nothing is wrong.
func TestFieldsBetterLeftUnsigned(t *testing.T) {
	for name, want := range map[string]string{
		"Return-Path": "must not be signed", "dkim-signature": "must not be signed", "Authentication-Results": "must not be signed", "X-Quarantine": "must not be signed",
		"Received": "is often changed", "Comments": "is often changed", "Keywords": "is often changed", "Bcc": "is often changed", "Resent-Bcc": "is often changed",
		"Content-Length": "is often changed", "Full-Name": "is often changed", "X-Mine": "",
	} {
		for _, list := range []string{"headers", "oversign"} {
			_, problems := named().Parse("milter.yaml", []byte("sign: {"+list+": [From, "+name+"]}\n"))
			if got := problems.String(); want == "" && got != "" || !strings.Contains(got, name+" "+want) && want != "" || problems.Failed() != (want == "must not be signed") {
				t.Errorf("%s in %s: %s", name, list, got)
			}
		}
	}
	for yaml, want := range map[string]string{
		"sign: {headers: [From, To, from]}":                       "from is in sign.headers twice",
		"sign: {oversign: [From, To, to]}":                        "to is in sign.oversign twice",
		"mta: sendmail\nsign: {canonicalization: simple/relaxed}": "Sendmail rewrites address fields",
		"mta: sendmail\nsign: {canonicalization: relaxed/simple}": "",
		"mta: postfix\nsign: {canonicalization: simple/simple}":   "",
	} {
		_, problems := named().Parse("milter.yaml", []byte(yaml))
		if got := problems.String(); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %s", yaml, got)
		}
	}
}

// TestNotOdd: what is right, or said on purpose, gets no word.
func TestNotOdd(t *testing.T) {
	for _, yaml := range []string{
		"outbound: {networks: [192.168.5.0/32, 192.168.5.1, 2001:db8::/32, \"2001:db8::/128\", 10.0.0.0/8]}",
		"sign: {domains: [github.io, {name: co.uk, subdomains: false}, example.co.uk, xn--2j5b.example]}", "sign: {domains: []}",
		"sign: {keys: \"/k/keys#ours\"}", "sign: {domains: [example.com]}#main", "listen: [local:/run/y.sock]", "mta: auto # “quoted”",
		"policy: {rules: [{name: a, if: {header.Subject: a “b” c}, action: reject}, defaults]}",
	} {
		if c, problems := named().Parse("milter.yaml", []byte(yaml)); c == nil || len(problems) > 0 {
			t.Errorf("%s: %s", yaml, problems)
		}
	}
}

// TestOneMistakeOneProblem: no second one that follows from the first, and no other
// line than the one that is wrong.
func TestOneMistakeOneProblem(t *testing.T) {
	nameless := Loader{Hostname: func() (string, error) { return "vm", nil }}
	for yaml, want := range map[string]string{
		"authserv-id: mail.example.com": "milter.yaml:1: unknown field \"authserv-id\" in the file\n  hint: did you mean \"authserv_id\"?\n",
		"authserv_id:mail.example.com":  "milter.yaml:1: no space behind \"authserv_id:\"\n  hint: write authserv_id: mail.example.com\n",
		"reports:\n  -x: y\nsign:\n  via: ses\nmetrics: a: b\n": "milter.yaml:5: not YAML: mapping values are not allowed in this context\n" +
			"  hint: a value with \": \" in it needs quotes; otherwise check the indentation\n",
	} {
		if c, problems := nameless.Parse("milter.yaml", []byte(yaml)); c != nil || problems.String() != want {
			t.Errorf("got\n%swant\n%s", problems, want)
		}
	}
}

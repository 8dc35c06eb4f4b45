package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/internal/config"
)

func made(t *testing.T) string {
	t.Helper()
	text, err := pageOf("../../milter.yaml.example")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestPageIsUpToDate: docs/milter.yaml.md is what `make docs` writes.
func TestPageIsUpToDate(t *testing.T) {
	page, err := os.ReadFile("../../docs/milter.yaml.md")
	if err != nil || string(page) != made(t) {
		t.Errorf("docs/milter.yaml.md is not what the example and the defaults say: make docs (%v)", err)
	}
}

// part is what the page says about one option.
func part(page, path string) string {
	_, after, _ := strings.Cut(page, "# "+path+"\n")
	text, _, _ := strings.Cut(after, "\n#")
	return text
}

// TestPageNamesEveryOption: with its default, or that there is none to have.
func TestPageNamesEveryOption(t *testing.T) {
	page := made(t)
	paths := config.Paths()
	if n := len(regexp.MustCompile(`(?m)^##+ `).FindAllString(page, -1)); n != len(paths) {
		t.Errorf("%d headings, %d options", n, len(paths))
	}
	for i, p := range paths {
		section := i+1 < len(paths) && strings.HasPrefix(paths[i+1], p+".")
		if text := part(page, p); !section && !strings.Contains(text, "Default: `") && !strings.Contains(text, "Each entry has one") {
			t.Errorf("%s: no default: %q", p, text)
		}
	}
}

// TestPageSays: values, defaults and comments of each kind come from where they are
// written.
func TestPageSays(t *testing.T) {
	page := made(t)
	for path, want := range map[string][]string{
		"sign.expire":              {"A time from 0s to 8760h. Default: `0s`.", "x= tag, such as 7d"},
		"sign.domains.subdomains":  {"Default: `true`."},
		"sign.domains.name":        {"A domain. Each entry has one."},
		"sign.domains":             {"```yaml\n  - example.com\n", "  - {name: example.net, selectors: [s1, s2], subdomains: false}\n```\n"},
		"sign.senders.rules.user":  {"A user. Each entry has one of user, client and local."},
		"sign.senders.on_mismatch": {"`log`, `sign_not`, `reject`. Default: `log`.", "it goes unsigned"},
		"outbound.reinjected":      {"`skip`, `sign`. Default: `skip`.", "list server hands back. sign would"}, // a comment of two lines
		"limits.packet_size":       {"A size from 64KiB to 64MiB. Default: `1MiB`."},
		"socket.mode":              {"Default: `\"0660\"`."},
		"policy.rules":             {"Default: `[defaults]`.", "broken-from"},
		"listen.direction":         {"`auto`, `outbound`, `inbound`. Default: `auto`."},
		"reports":                  {"A map. Default: `{}`.", "not built yet"},
	} {
		for _, w := range want {
			if !strings.Contains(part(page, path), w) {
				t.Errorf("%s lacks %q:\n%s", path, w, part(page, path))
			}
		}
	}
}

// TestComments: each goes to its option, one of several lines as a whole.
func TestComments(t *testing.T) {
	text, err := os.ReadFile("../../milter.yaml.example")
	if err != nil {
		t.Fatal(err)
	}
	_, about := comments(string(text))
	for path, lines := range about {
		if strings.Contains(strings.Join(lines, "\n"), "#") && path != "policy.rules" {
			t.Errorf("%s: %q", path, lines)
		}
	}
	if len(about) < 60 || len(about["outbound.reinjected"]) != 2 || len(about["policy.rules"]) < 50 {
		t.Errorf("%d names, reinjected %q", len(about), about["outbound.reinjected"])
	}
}

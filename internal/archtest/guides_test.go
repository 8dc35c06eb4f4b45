package archtest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// fencedBlocks are the blocks between ``` lines of a Markdown text, each with
// its opening line. Comment lines are left out: they are translated.
func fencedBlocks(text string) []string {
	var all []string
	in := false
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(trimmed, "```"):
			if in = !in; in {
				all = append(all, line)
			}
		case in && !strings.HasPrefix(trimmed, "#"):
			all[len(all)-1] += line
		}
	}
	return all
}

// drifted says what a translated guide has otherwise than its original: its
// commands, or the links from one to the other.
func drifted(name, original, translated string) []string {
	var wrong []string
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if !strings.Contains(original, "(ko/"+name+")") {
		say("the original does not link to ko/%s", name)
	}
	if !strings.Contains(translated, "(../"+name+")") {
		say("the translation does not link to ../%s", name)
	}
	want, got := fencedBlocks(original), fencedBlocks(translated)
	if len(want) == 0 {
		say("the original has no blocks")
	}
	if len(got) != len(want) {
		say("%d blocks, the original has %d", len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			say("block %d is\n%swant\n%s", i+1, got[i], want[i])
		}
	}
	return wrong
}

// TestGuidesInKorean: a reader of a translation types what a reader of the
// original types.
func TestGuidesInKorean(t *testing.T) {
	guides := filepath.Join(root, "docs/guides")
	paths, err := filepath.Glob(filepath.Join(guides, "ko", "*.md"))
	if err != nil || len(paths) < 3 {
		t.Fatalf("%d guides in Korean, %v", len(paths), err)
	}
	for _, p := range paths {
		name := filepath.Base(p)
		translated, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		original, err := os.ReadFile(filepath.Join(guides, name))
		if err != nil {
			t.Errorf("docs/guides/ko/%s has no original: %v", name, err)
			continue
		}
		for _, w := range drifted(name, string(original), string(translated)) {
			t.Errorf("docs/guides/ko/%s: %s", name, w)
		}
	}
}

// The check itself must be able to fail.
func TestGuidesInKoreanRefuses(t *testing.T) {
	const original = "[한국어](ko/a.md)\n\n```\n# why\nrun --one\n```\n\ntext\n\n```yaml\nsign: {}\n```\n"
	const translated = "[English](../a.md)\n\n```\n# 이유\nrun --one\n```\n\n글\n\n```yaml\nsign: {}\n```\n"
	for _, c := range []struct {
		name, original, translated, want string
	}{
		{"the same", original, translated, ""},
		{"another command", original, strings.Replace(translated, "--one", "--two", 1), "block 1 is"},
		{"a line less", original, strings.Replace(translated, "run --one\n", "", 1), "block 1 is"},
		{"other white space", original, strings.Replace(translated, "sign: {}", "sign:  {}", 1), "block 2 is"},
		{"another kind of block", original, strings.Replace(translated, "```yaml", "```", 1), "block 2 is"},
		{"a block less", original, strings.Replace(translated, "```yaml\nsign: {}\n```\n", "", 1), "1 blocks, the original has 2"},
		{"a block more", original, translated + "```\nmore\n```\n", "3 blocks, the original has 2"},
		{"two blocks in another order", original, "[English](../a.md)\n```yaml\nsign: {}\n```\n```\nrun --one\n```\n", "block 1 is"},
		{"no link to the original", original, strings.Replace(translated, "(../a.md)", "", 1), "does not link to ../a.md"},
		{"no link to the translation", strings.Replace(original, "(ko/a.md)", "", 1), translated, "does not link to ko/a.md"},
		{"nothing to compare", "[한국어](ko/a.md)\n", "[English](../a.md)\n", "no blocks"},
	} {
		got := strings.Join(drifted("a.md", c.original, c.translated), "; ")
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

var (
	oneMachine   = regexp.MustCompile(`sealmilter[-_]\S*[._](?:amd64|x86_64)\.(?:deb|rpm)`)
	passwordFile = regexp.MustCompile(`>>? ?(/etc/\S*(?:password|mysql-|-sql\.conf)\S*)`)
	getsPostfix  = regexp.MustCompile(`(?m)^apt(?:-get)? install .*\bpostfix\b`)
)

// misleads says what a guide has people do that goes wrong on some machine.
func misleads(text string) []string {
	var wrong []string
	for _, name := range oneMachine.FindAllString(text, -1) {
		wrong = append(wrong, name+": arm64 has another: $(dpkg --print-architecture), $(uname -m)")
	}
	for _, block := range fencedBlocks(text) {
		for _, at := range passwordFile.FindAllStringSubmatchIndex(block, -1) {
			path := block[at[2]:at[3]]
			first := regexp.MustCompile(`(?m)^ *install .*-m 06[04]0 /dev/null ` + regexp.QuoteMeta(path) + `$`)
			if !first.MatchString(block[:at[0]]) {
				wrong = append(wrong, path+": everybody's to read until its chmod: install -m 0600 /dev/null "+path+" before")
			}
		}
	}
	if getsPostfix.MatchString(text) && !strings.Contains(text, "Internet Site") {
		wrong = append(wrong, "nothing about Debian's question (Internet Site): with `No configuration` there is no main.cf")
	}
	return wrong
}

func TestGuidesMislead(t *testing.T) {
	for _, glob := range []string{"README.md", "docs/guides/*.md", "docs/guides/ko/*.md"} {
		paths, err := filepath.Glob(filepath.Join(root, glob))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %v, %v", glob, paths, err)
		}
		for _, p := range paths {
			text, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range misleads(string(text)) {
				t.Errorf("%s: %s", strings.TrimPrefix(p, root+"/"), w)
			}
		}
	}
}

// The check itself must be able to fail: these lines stood there once.
func TestGuidesMisleadRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"apt install ./dist/sealmilter_*_amd64.deb\n":                                                                                "arm64",
		"`dnf install -y ./sealmilter-*.x86_64.rpm`\n":                                                                               "arm64",
		"apt install ./sealmilter_*_$(dpkg --print-architecture).deb\n":                                                              "",
		"```\ncat > /etc/postfix/relay_password <<'CONF'\n```\n":                                                                     "everybody's",
		"```\ncat > /etc/postfix/relay_password <<'CONF'\nCONF\nchmod 0600 /etc/postfix/relay_password\n```\n":                       "everybody's",
		"```\ninstall -m 0600 /dev/null /etc/postfix/relay_password\ncat > /etc/postfix/relay_password <<'CONF'\n```\n":              "",
		"```\ninstall -m 0644 /dev/null /etc/postfix/relay_password\ncat > /etc/postfix/relay_password <<'CONF'\n```\n":              "everybody's",
		"```\ninstall -m 0600 /dev/null /etc/other\ncat > /etc/dovecot/dovecot-sql.conf.ext <<'CONF'\n```\n":                         "everybody's",
		"```\n  printf x \\\n > /etc/postfix/mysql-$table.cf\n```\n":                                                                 "everybody's",
		"```\n  install -g postfix -m 0640 /dev/null /etc/postfix/mysql-$table.cf\n  printf x > /etc/postfix/mysql-$table.cf\n```\n": "",
		"apt-get install -y postfix libsasl2-modules\n":                                                                              "Internet Site",
		"apt-get install -y postfix libsasl2-modules\n\nIt asks: choose \"Internet Site\".\n":                                        "",
		"apt-get install -y libsasl2-modules\n":                                                                                      "",
	} {
		got := strings.Join(misleads(text), "; ")
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

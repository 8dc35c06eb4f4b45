package config

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealmilter/sealmilter/policy"
	"github.com/sealmilter/sealmilter/policy/tree"
)

func example(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../milter.yaml.example")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestExampleIsTheDefaults: the example loads, without a warning, and says
// nothing that an empty file would not.
func TestExampleIsTheDefaults(t *testing.T) {
	c, problems := named().Parse("milter.yaml.example", []byte(example(t)))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	want := Default()
	want.AuthservID = "mail.example.com"
	if diff := cmp.Diff(want, c, same); diff != "" {
		t.Errorf("(-default +example)\n%s", diff)
	}
}

// TestExampleMentionsEverything: each section sets each of its fields; fields
// of list entries and optional objects stand in a comment.
func TestExampleMentionsEverything(t *testing.T) {
	text := example(t)
	file, problems := parseTree([]byte(text))
	if file == nil {
		t.Fatal(problems)
	}
	for _, path := range Paths() {
		n := file
		names := strings.Split(path, ".")
		for i, name := range names {
			if n.Kind != tree.Map || len(n.Items) == 0 {
				// An element of a list, or of an object that is empty by default.
				if !regexp.MustCompile(`(?m)#.*\b` + name + `: `).MatchString(text) {
					t.Errorf("%s is not mentioned", path)
				}
				break
			}
			if n = n.Get(name); n == nil {
				t.Errorf("%s is not set", strings.Join(names[:i+1], "."))
				break
			}
		}
	}
	for _, word := range append(append(policy.FieldNames(), policy.ActionNames()...), "any", "all", "not", "glob", "cidr", "regex", "min", "max",
		"name", "if", "action", "reply", "reason", "headers", "observe", "percent") {
		if !regexp.MustCompile(`# .*(^|[^\w.])` + regexp.QuoteMeta(word) + `($|[^\w.]|\.\s)`).MatchString(text) {
			t.Errorf("policy: %s is not mentioned", word)
		}
	}
}

// TestExampleRules: the commented rules are rules.
func TestExampleRules(t *testing.T) {
	_, after, _ := strings.Cut(example(t), "  # rules:\n")
	var b strings.Builder
	b.WriteString("policy:\n  rules:\n")
	for line := range strings.Lines(after) {
		rest, ok := strings.CutPrefix(line, "  # ")
		if !ok {
			break
		}
		b.WriteString("  " + rest)
	}
	c := parse(t, b.String())
	if n := len(c.Policy.Rules.Items); n != 4 {
		t.Errorf("%d entries\n%s", n, b.String())
	}
}

// TestExampleNamesTheDefaultRules: and no other ones.
func TestExampleNamesTheDefaultRules(t *testing.T) {
	text := example(t)
	for _, name := range []string{"broken-from", "unusable-from", "dmarc-reject-direct", "dmarc-quarantine"} {
		if !strings.Contains(text, name) {
			t.Errorf("%s is not mentioned", name)
		}
		// The name is taken only by a built-in rule.
		if _, problems := named().Parse("f", []byte("policy: {rules: [defaults, {name: "+name+", action: accept}]}")); !problems.Failed() {
			t.Errorf("no built-in rule is called %s", name)
		}
	}
}

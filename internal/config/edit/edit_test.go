package edit

import (
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/problem"
)

// editCase is a file of testdata: why it is there, what is done (operation), the
// file as it was (before), and as it is then (after) or what the administrator is
// told (refused). What txtar cannot hold is said in the operation: "crlf" (both
// files have CR LF), "cut" (before has no line end at its end), "cut both".
type editCase struct {
	change        Change
	before, after string
	refused       string
}

func readCase(t *testing.T, path string) editCase {
	t.Helper()
	a, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Comment) == 0 || len(a.Files) != 3 || a.Files[0].Name != "operation" || a.Files[1].Name != "before" {
		t.Fatal("a case has a reason, and the files operation, before, and after or refused")
	}
	c := editCase{before: string(a.Files[1].Data)}
	switch last := string(a.Files[2].Data); a.Files[2].Name {
	case "after":
		c.after = last
	case "refused":
		c.refused = last
	default:
		t.Fatalf("unknown file %s", a.Files[2].Name)
	}
	for line := range strings.Lines(string(a.Files[0].Data)) {
		switch words := strings.Fields(line); words[0] {
		case "authserv_id":
			c.change.AuthservID = words[1]
		case "mta":
			c.change.MTA = words[1]
		case "listen":
			c.change.Listen = words[1]
		case "domains":
			c.change.Domains = words[1:]
		case "networks":
			for _, w := range words[1:] {
				c.change.Networks = append(c.change.Networks, netip.MustParsePrefix(w))
			}
		case "crlf":
			c.before, c.after = strings.ReplaceAll(c.before, "\n", "\r\n"), strings.ReplaceAll(c.after, "\n", "\r\n")
		case "cut":
			c.before = strings.TrimRight(c.before, "\r\n")
			if len(words) > 1 {
				c.after = strings.TrimRight(c.after, "\r\n")
			}
		default:
			t.Fatalf("unknown operation %s", line)
		}
	}
	return c
}

func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d cases, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			c := readCase(t, file)
			before := []byte(c.before)
			got, err := c.change.Apply(before)
			if string(before) != c.before {
				t.Error("the caller's text was changed")
			}
			if c.refused != "" {
				if err == nil {
					t.Fatalf("not refused:\n%s", got)
				}
				if d := cmp.Diff(c.refused, "error: "+err.Error()+"\nhint: "+problem.Hint(err)+"\n"); d != "" {
					t.Error(d)
				}
				return
			}
			if err != nil {
				t.Fatalf("%v (%s)", err, problem.Hint(err))
			}
			if d := cmp.Diff(c.after, string(got)); d != "" {
				t.Error(d)
			}
			if again, err := c.change.Apply(got); err != nil || string(again) != string(got) {
				t.Errorf("a second time it is\n%s%v", again, err)
			}
			checkConfig(t, c.change, got)
		})
	}
}

// checkConfig: the daemon reads in the new text what was asked for.
func checkConfig(t *testing.T, change Change, text []byte) {
	t.Helper()
	l := config.Loader{Hostname: func() (string, error) { return "mail.example.com", nil }}
	cfg, problems := l.Parse("milter.yaml", text)
	if cfg == nil {
		t.Fatalf("%v\n%s", problems, text)
	}
	listed := map[string]bool{}
	for _, d := range cfg.Sign.Domains {
		listed[d.Name] = true
	}
	for _, d := range change.Domains {
		if !listed[d] {
			t.Errorf("%s is not listed", d)
		}
	}
	if change.MTA != "" && cfg.MTA != change.MTA {
		t.Errorf("mta %s", cfg.MTA)
	}
}

// FuzzApply: whatever stands in the file, an edit is refused or done once.
func FuzzApply(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.txtar")
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(a.Files[1].Data)
	}
	change := Change{AuthservID: "m.x", Listen: "unix:/run/x", MTA: "postfix", Domains: []string{"example.com", "b.x"},
		Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	f.Fuzz(func(t *testing.T, data []byte) {
		once, err := change.Apply(data)
		if err != nil {
			return
		}
		if document(string(once)) == nil {
			t.Fatalf("cannot be read any more:\n%q", once)
		}
		if again, err := change.Apply(once); err != nil || string(again) != string(once) {
			t.Errorf("%v\n%q\nand then\n%q", err, once, again)
		}
	})
}

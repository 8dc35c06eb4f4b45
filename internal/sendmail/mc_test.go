package sendmail

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// debian is the shape of Debian's sendmail.mc; redhat that of Rocky's.
const (
	debian = `divert(-1)dnl
# It's a comment with a quote, INPUT_MAIL_FILTER(` + "`no', `S=unix:/no'" + `)
divert(0)dnl
include(` + "`/usr/share/sendmail/cf/m4/cf.m4'" + `)dnl
dnl INPUT_MAIL_FILTER(` + "`old', `S=unix:/old'" + `)dnl
define(` + "`confPRIVACY_FLAGS',dnl\n`needmailhelo,restrictqrun'" + `)dnl
MAILER_DEFINITIONS
MAILER(` + "`local'" + `)dnl
MAILER(` + "`smtp'" + `)dnl
`
	redhat = `include(` + "`/usr/share/sendmail-cf/m4/cf.m4'" + `)dnl
INPUT_MAIL_FILTER(` + "`clamav', `S=local:/run/clamav.sock, F=, T=S:4m'" + `)dnl
INPUT_MAIL_FILTER(` + "`opendkim', `S=inet:8891@localhost'" + `)
MAIL_FILTER(` + "`spare', `S=unix:/spare'" + `)
dnl MASQUERADE_AS(` + "`mydomain.com'" + `)dnl
FEATURE(masquerade_envelope)dnl
MAILER(smtp)dnl
`
	ours = "unix:/run/sealmilter/milter.sock"
)

func names(m *MC) []string {
	var out []string
	for _, f := range m.Filters() {
		out = append(out, f.Name+" "+f.Spec)
	}
	return out
}

func TestFilters(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want []string
	}{
		"comments do not count":    {debian, nil},
		"order; spares are not in": {redhat, []string{"clamav S=local:/run/clamav.sock, F=, T=S:4m", "opendkim S=inet:8891@localhost"}},
		"the list wins":            {redhat + "define(`confINPUT_MAIL_FILTERS', `spare, clamav')\n", []string{"spare S=unix:/spare", "clamav S=local:/run/clamav.sock, F=, T=S:4m"}},
		"added behind the list":    {"define(`confINPUT_MAIL_FILTERS', `a')MAIL_FILTER(a,`S=x')INPUT_MAIL_FILTER(b,`S=y')", []string{"a S=x", "b S=y"}},
		"nested quotes":            {"define(`x', ``a, (b'')INPUT_MAIL_FILTER(`f', `S=unix:/f')", []string{"f S=unix:/f"}},
		"broken":                   {"INPUT_MAIL_FILTER(`f', `S=unix:/f", []string{"f S=unix:/f"}},
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(tc.want, names(Parse(tc.text))); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestDefinesAndIncludes(t *testing.T) {
	m := Parse(debian)
	if got := m.Define("confPRIVACY_FLAGS"); got != "needmailhelo,restrictqrun" {
		t.Errorf("Define: %q", got)
	}
	if d := cmp.Diff([]string{"/usr/share/sendmail/cf/m4/cf.m4"}, m.Includes()); d != "" {
		t.Error(d)
	}
}

func TestPlan(t *testing.T) {
	for name, tc := range map[string]struct {
		text   string
		before string // what our lines stand in front of
		filter []string
	}{
		"in front of the mailers":  {debian, "MAILER_DEFINITIONS\n", []string{"sealmilter"}},
		"behind the other milters": {redhat, "dnl MASQUERADE_AS", []string{"clamav", "opendkim", "sealmilter"}},
		"behind a list":            {redhat + "define(`confINPUT_MAIL_FILTERS', `clamav')dnl", "", []string{"clamav", "sealmilter"}},
		"in front of rulesets":     {"OSTYPE(linux)\nLOCAL_RULESETS\nSx\n", "LOCAL_RULESETS", []string{"sealmilter"}},
		"an empty file":            {"", "", []string{"sealmilter"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := Parse(tc.text).Plan(ours)
			if p.Problem != "" || p.ByHand {
				t.Fatalf("%+v", p)
			}
			_, rest, ok := strings.Cut(p.Text, p.Lines)
			if !ok || !strings.HasPrefix(rest, tc.before) {
				t.Errorf("at the wrong place:\n%s", p.Text)
			}
			var got []string
			for _, f := range Parse(p.Text).Filters() {
				got = append(got, f.Name)
			}
			if d := cmp.Diff(tc.filter, got); d != "" {
				t.Error(d)
			}
			if again := Parse(p.Text).Plan(ours); again.Text != p.Text {
				t.Errorf("a second plan differs:\n%s", again.Text)
			}
			if back, found := Undo(p.Text); !found || strings.TrimSuffix(back, "\n") != strings.TrimSuffix(tc.text, "\n") {
				t.Errorf("undone:\n%s", back)
			}
			moved := Parse(p.Text).Plan("inet:8890@127.0.0.1")
			if strings.Contains(moved.Text, ours) || strings.Count(moved.Text, blockBegin) != 1 {
				t.Errorf("another socket:\n%s", moved.Text)
			}
			var last string
			for _, f := range Parse(WithWitness(p.Text, "witness", "unix:/w")).Filters() {
				last = f.Name
			}
			if last != "witness" {
				t.Errorf("the last milter is %s", last)
			}
		})
	}
}

func TestPlanSays(t *testing.T) {
	for name, tc := range map[string]struct{ text, warning, problem string }{
		"by hand":                     {"INPUT_MAIL_FILTER(`dkim', `S=local:/run/sealmilter/milter.sock')", "has no F=T", ""},
		"our name on another socket":  {"INPUT_MAIL_FILTER(`sealmilter', `S=unix:/x')", "", "on another socket, unix:/x"},
		"masquerading":                {"MASQUERADE_AS(`example.com')dnl", "MASQUERADE_AS(example.com) rewrites From", ""},
		"genericstable":               {"FEATURE(`genericstable', `hash /etc/mail/genericstable')", "rewrites From", ""},
		"milters of one port":         {"DAEMON_OPTIONS(`Port=587, Name=MSA, InputMailFilters=clamav')", "does not pass sealmilter", ""},
		"no masquerading in comments": {redhat, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := Parse(tc.text).Plan(ours)
			got := strings.Join(p.Warnings, "\n")
			if tc.warning == "" && got != "" || !strings.Contains(got, tc.warning) {
				t.Errorf("warnings %q", got)
			}
			if tc.problem == "" && p.Problem != "" || !strings.Contains(p.Problem, tc.problem) {
				t.Errorf("problem %q", p.Problem)
			}
			if p.ByHand && p.Text != tc.text {
				t.Errorf("a line by hand was touched: %s", p.Text)
			}
		})
	}
}

func TestUndoLeavesWhatItCannotTell(t *testing.T) {
	text := "a\n" + blockBegin + "\nb\n"
	if got, found := Undo(text); found || got != text {
		t.Errorf("%v %q", found, got)
	}
}

func FuzzPlan(f *testing.F) {
	for _, s := range []string{debian, redhat, "", "`", "a(", "a(b(,)", "dnl", "#", blockBegin} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p := Parse(text).Plan(ours)
		if p.Problem != "" || p.ByHand || !strings.HasSuffix(text, "\n") || strings.Contains(text, blockBegin) {
			return
		}
		if back, found := Undo(p.Text); !found || back != text {
			t.Errorf("%q\nundone %q", text, back)
		}
	})
}

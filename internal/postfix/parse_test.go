package postfix

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Whatever the text, the parsers give it back.
func TestRoundTrip(t *testing.T) {
	for _, dir := range []string{"debian12", "el9", "centos7", "amavis"} {
		for _, name := range []string{"main.cf", "master.cf"} {
			text := fixture(t, dir, name)
			if got := ParseMain(text).String(); got != text {
				t.Errorf("%s/%s: main.cf parser changed it", dir, name)
			}
			if got := ParseMaster(text).String(); got != text {
				t.Errorf("%s/%s: master.cf parser changed it", dir, name)
			}
		}
	}
}

func fixture(t *testing.T, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestMainEdits(t *testing.T) {
	const list = "a = 1\nm = x,\n# why\n\n   y\n# end\nb = 2\n"
	for _, c := range []struct {
		name, in string
		edit     func(*MainCF)
		want     string
	}{
		{"set in place, comments stay", list, func(m *MainCF) { m.Set("m", "z") }, "a = 1\nm = z\n# why\n\n# end\nb = 2\n"},
		{"append to lines", list, func(m *MainCF) { m.Append("m", "z") }, "a = 1\nm = x,\n# why\n\n   y\n    z\n# end\nb = 2\n"},
		{"append to a line", "m = x \nb = 2\n", func(m *MainCF) { m.Append("m", "z") }, "m = x z\nb = 2\n"},
		{"append to an empty value", "m =\nb = 2\n", func(m *MainCF) { m.Append("m", "z") }, "m = z\nb = 2\n"},
		{"append to nothing, no line end", "b = 2", func(m *MainCF) { m.Append("m", "z") }, "b = 2\nm = z\n"},
		{"the last one counts", "m = 1\nm = 2\n", func(m *MainCF) { m.Set("m", "3") }, "m = 1\nm = 3\n"},
		{"delete", list, func(m *MainCF) { m.Delete("m") }, "a = 1\n# why\n\n# end\nb = 2\n"},
		{"name is not a prefix", "mm = 1\n", func(m *MainCF) { m.Set("m", "3") }, "mm = 1\nm = 3\n"},
		{"commented out is not set", "#m = 1\n", func(m *MainCF) { m.Set("m", "3") }, "#m = 1\nm = 3\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := ParseMain(c.in)
			c.edit(m)
			if got := m.String(); got != c.want {
				t.Errorf("got\n%q, want\n%q", got, c.want)
			}
		})
	}
}

func TestMasterEdits(t *testing.T) {
	const in = "smtp inet n - y - - smtpd\n  -o a=1\n# note\n  -o { b = x y }\n#  -o c=3\n25 inet n - n - - smtpd -o a=1 -v\n"
	for _, c := range []struct {
		name string
		edit func(*MasterCF)
		want string
	}{
		{"set", func(m *MasterCF) { m.Set("smtp inet", "a", "2") }, "smtp inet n - y - - smtpd\n  -o a=2\n# note\n  -o { b = x y }\n#  -o c=3\n25 inet n - n - - smtpd -o a=1 -v\n"},
		{"set braced", func(m *MasterCF) { m.Set("smtp inet", "b", "p q") }, "smtp inet n - y - - smtpd\n  -o a=1\n# note\n  -o { b = p q }\n#  -o c=3\n25 inet n - n - - smtpd -o a=1 -v\n"},
		{"add behind the last line", func(m *MasterCF) { m.Set("smtp inet", "c", "2") }, "smtp inet n - y - - smtpd\n  -o a=1\n# note\n  -o { b = x y }\n  -o c=2\n#  -o c=3\n25 inet n - n - - smtpd -o a=1 -v\n"},
		{"delete a line", func(m *MasterCF) { m.Delete("smtp inet", "a") }, "smtp inet n - y - - smtpd\n# note\n  -o { b = x y }\n#  -o c=3\n25 inet n - n - - smtpd -o a=1 -v\n"},
		{"delete within a line", func(m *MasterCF) { m.Delete("25 inet", "a") }, "smtp inet n - y - - smtpd\n  -o a=1\n# note\n  -o { b = x y }\n#  -o c=3\n25 inet n - n - - smtpd -v\n"},
		{"no such entry", func(m *MasterCF) { m.Set("26 inet", "a", "2") }, in},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := ParseMaster(in)
			c.edit(m)
			if got := m.String(); got != c.want {
				t.Errorf("got\n%s, want\n%s", got, c.want)
			}
		})
	}
}

func TestMasterOptions(t *testing.T) {
	m := ParseMaster("s inet n - y - - smtpd -ox=1 -o x=2 -o\n  y={ inet:a, b=c } -o { z = p q }\n")
	s, ok := m.Get("s inet")
	if !ok || s.Command != "smtpd" || s.Chroot != "y" {
		t.Fatalf("%+v", s)
	}
	for name, want := range map[string]string{"x": "2", "y": "{ inet:a, b=c }", "z": "p q"} {
		if got, _ := s.Option(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
}

func TestList(t *testing.T) {
	got := List(" a,b { unix:x, default_action=accept }\n\t{y}")
	want := []string{"a", "b", "{ unix:x, default_action=accept }", "{y}"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestExpand(t *testing.T) {
	v := Values{"a": "1", "b": "$a ${a} $(a)", "loop": "$loop", "x_y": "z"}
	for in, want := range map[string]string{"$b": "1 1 1", "$x_y.$a": "z.1", "$none": "$none", "${a?{b}}": "${a?{b}}", "$": "$", "$$a": "$a", "${a": "${a"} {
		if got := v.Expand(in); got != want {
			t.Errorf("%q -> %q, want %q", in, got, want)
		}
	}
	_ = v.Expand("$loop") // ends
	v = Values{"a": strings.Repeat("$a", 8)}
	if got := v.Expand("$a"); len(got) > 1<<16 {
		t.Errorf("%d bytes of a parameter that grows when it is expanded", len(got))
	}
}

// master(5): the default of the chroot column changed with 3.0.
func TestChrooted(t *testing.T) {
	for _, c := range []struct {
		version, level, column string
		want                   bool
	}{
		{"2.10.1", "", "-", true}, {"2.10.1", "", "n", false},
		{"3.5.25", "2", "-", false}, {"3.5.25", "0", "-", true}, {"3.7.11", "3.6", "y", true}, {"3.7.11", "3.6", "-", false},
	} {
		v := Values{"mail_version": c.version, "compatibility_level": c.level}
		if got := v.Chrooted(Service{Chroot: c.column}); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("a = 1\n  b\n# c\n d\n")
	f.Add("s inet n - y - - smtpd -o { a = b }\n -o c={")
	f.Fuzz(func(t *testing.T, text string) {
		if got := ParseMain(text).String(); got != text {
			t.Fatalf("%q became %q", text, got)
		}
		m := ParseMaster(text)
		if got := m.String(); got != text {
			t.Fatalf("%q became %q", text, got)
		}
		if strings.ContainsAny(text, "{") || strings.Contains(text, "-o") {
			return // Postfix does not start with half of a brace or option
		}
		if all := m.Services(); len(all) > 0 {
			m.Set(all[0].Key(), "fuzz", "x y")
			if now, _ := m.Get(all[0].Key()); now.find("fuzz") == nil {
				t.Fatalf("%q: option is lost in %q", text, m)
			}
		}
		Values{"a": text}.Expand("$a" + text)
	})
}

func TestMilters(t *testing.T) {
	got := Milters(" unix:a,inet:b:1\t{ unix:c, default_action = accept } {} { unterminated")
	want := []Milter{{"unix:a", ""}, {"inet:b:1", ""}, {"unix:c", "accept"}, {"unterminated", ""}}
	if !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

package auth

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/auth/header"
)

func addressesOf(t *testing.T, from string) string {
	t.Helper()
	a := ParseAuthor(header.Fields{{Name: "From", Value: " " + from}})
	return list(a.Addresses)
}

func list(all []Address) string {
	var out []string
	for _, x := range all {
		out = append(out, x.String())
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// TestAddresses: every address that some reading has, with its local part, and
// nothing of a field that cannot be read.
func TestAddresses(t *testing.T) {
	for from, want := range map[string]string{
		"kim@a.example": "kim@a.example",
		"Kim <Kim@A.Example>, lee@b.example, Lee <lee@b.example>":                 "Kim@a.example lee@b.example",
		`"kim@b.example via Foo" <desk@a.example>`:                                "desk@a.example",
		"ceo@b.example <eve@a.example>":                                           "ceo@b.example eve@a.example",
		"=?utf-8?q?=3Cceo=40b.example=3E?= <eve@a.example>":                       "@a.example ceo@b.example eve@a.example",
		"'kim@a.example' <kim@a.example>":                                         "kim@a.example",
		"eve@a.example (<ceo@b.example>)":                                         "ceo@b.example eve@a.example",
		"<@b.example:eve@a.example>":                                              "@b.example eve@a.example",
		`Board: "kim lee"@a.example, x@b.example;`:                                `"kim lee"@a.example x@b.example`,
		`"ceo@b.example"@a.example eve@a.example`:                                 `"ceo@b.example"@a.example "ceo@b.example"@a.exampleeve @b.example eve@a.example`,
		"kim@BÜCHER.example":                                                      "kim@xn--bcher-kva.example",
		"kim@a.example.":                                                          "kim@a.example",
		"kim@a.example, x@[192.0.2.1]":                                            "", // no author domain
		"root (Cron Daemon)":                                                      "",
		"a@a.example,b@b.example,c@c.example,d@d.example,e@e.example,f@f.example": "",
	} {
		if got := addressesOf(t, from); got != want {
			t.Errorf("%s: %q, want %q", from, got, want)
		}
	}
	// Two fields are none.
	if a := ParseAuthor(header.Fields{{Name: "From", Value: " a@a.example"}, {Name: "From", Value: " b@a.example"}}); a.Err == nil || a.Addresses != nil {
		t.Errorf("two fields: %+v", a)
	}
}

// TestAddressesBound: what is beyond the bound of a domain stands as an address
// without local part, which no list of addresses allows.
func TestAddressesBound(t *testing.T) {
	var b strings.Builder
	for i := range 3 * maxMailboxes {
		fmt.Fprintf(&b, " u%d@a.example,", i)
	}
	b.WriteString(" last@b.example")
	a := ParseAuthor(header.Fields{{Name: "From", Value: b.String()}})
	if n := len(a.Addresses); n != maxMailboxes+2 || !slices.Contains(a.Addresses, Address{"", "a.example"}) || !slices.Contains(a.Addresses, Address{"last", "b.example"}) {
		t.Errorf("%d addresses: %v", n, a.Addresses[max(0, n-3):])
	}
}

func TestParseSender(t *testing.T) {
	field := func(name, value string) header.Field { return header.Field{Name: name, Value: value} }
	for name, c := range map[string]struct {
		h    header.Fields
		want string
		err  string
	}{
		"none":                {header.Fields{field("From", " kim@a.example")}, "", ""},
		"one":                 {header.Fields{field("From", " kim@a.example"), field("SENDER", " Lee <lee@b.example>")}, "lee@b.example", ""},
		"several":             {header.Fields{field("Sender", " a@a.example"), field("Sender ", " b@b.example")}, "a@a.example b@b.example", ""},
		"nobody":              {header.Fields{field("Sender", " root (Cron Daemon)")}, "", ""},
		"unreadable":          {header.Fields{field("Sender", " a@a.example\x01")}, "", "the Sender field cannot be read"},
		"a literal":           {header.Fields{field("Sender", " x@[192.0.2.1], a@a.example")}, "", "the Sender field cannot be read"},
		"hidden":              {header.Fields{field("Subject", " x\rSender: a@a.example")}, "", "a Sender field is hidden in another one"},
		"an invisible letter": {header.Fields{field("Sender\u200b", " a@a.example")}, "a@a.example", ""},
	} {
		got, err := ParseSender(c.h)
		said := ""
		if err != nil {
			said = err.Error()
		}
		if list(got) != c.want || said != c.err {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
}

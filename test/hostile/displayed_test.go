package hostile

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/header"
)

// TestDisplayed: the naive view sees what is there to be seen.
func TestDisplayed(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"From", " a@one.example", "one.example"},
		{"from \t", " Kim <a@One.Example.>", "one.example"},
		{"Fr\x00om", " a@one.example", "one.example"},
		{"To", " a@one.example", ""},
		{"X", " y\rFrom: a@one.example", "one.example"},
		{"From", " a@one.example\x00, b@two.example", "one.example two.example"},
		{"From", ` "x@two.example" <a@one.example> (y@three.example)`, "one.example"},
		{"From", " (<x@two.example>) a@one.example", "one.example two.example"},
		{"From", " <@two.example:a@one.example>", "one.example two.example"},
		{"From", " g: a@one.example; b@two.example", "one.example two.example"},
		{"From", " " + b64("x@two.example") + " <a@one.example>", "one.example"},
		{"From", " " + b64("<x@two.example>") + " <a@one.example>", "one.example two.example"},
		{"From", " " + b64("x@two.example, y") + " <a@one.example>", "one.example two.example"},
		{"From", " " + b64("x@two.example") + ", <a@one.example>", "one.example two.example"},
		{"From", " =?utf-7?Q?+ADw-x+AEA-two.example+AD4-?= <a@one.example>", "one.example two.example"},
		{"From", " x@ｔwo。example", "two.example"},
		{"From", " Kim @ home", ""},
		{"From", " x@two (c) \r\n .example <a@one.example>", "one.example two.example"},
		{"From", " 'x@two.example' <a@one.example>", "one.example two.example"},
		{"From", ` "=?utf-8?Q?=22_=3Cx=40two=2Eexample=3E=22?=" <a@one.example>`, "one.example two.example"},
		{"From", " =?utf-8?Q?x=40two=2Eexample=28?= <a@one.example>", "one.example two.example"},
		{"From", " =?utf-8?Q?x=40two=2Eexample=22?= <a@one.example>", "one.example two.example"},
		{"From", " =?utf-8?Q?=3Cx=40two=2Eexample?= <a@one.example>", "one.example two.example"},
		{"From", " =?utf-8?Q?x=40two=2Eexample=0A?= <a@one.example>", "one.example two.example"},
		{"From", " a@one.example (=?utf-8?Q?=29=2C_x=40two=2Eexample_=28?=)", "one.example two.example"},
	} {
		if got := strings.Join(Displayed(header.Fields{{Name: c.name, Value: c.value}}), " "); got != c.want {
			t.Errorf("%q %q: %q, want %q", c.name, c.value, got, c.want)
		}
	}
}

// FuzzAuthor: whoever is displayed is an author to us, or nobody is.
func FuzzAuthor(f *testing.F) {
	g := maker{rng: rand.New(rand.NewPCG(1, 9989)), now: now}
	for range 300 {
		f.Add(" " + g.oddFrom(attacker))
	}
	f.Fuzz(func(t *testing.T, value string) {
		h := header.Fields{{Name: "From", Value: value}}
		a := auth.ParseAuthor(h)
		if a.Err != nil {
			return
		}
		// Who may write as whom is about addresses: no domain may be without one.
		for _, d := range a.Domains {
			if !slices.ContainsFunc(a.Addresses, func(x auth.Address) bool { return x.Domain == d }) {
				t.Errorf("%q: no address of %q in %q", value, d, a.Addresses)
			}
		}
		for _, x := range a.Addresses {
			if !slices.Contains(a.Domains, x.Domain) {
				t.Errorf("%q: the domain of %q is not in %q", value, x, a.Domains)
			}
		}
		for _, d := range Displayed(h) {
			if !slices.Contains(a.Domains, d) && !slices.Contains(a.Shown, d) {
				t.Errorf("%q displays %q; authors %q, shown %q", value, d, a.Domains, a.Shown)
			}
		}
	})
}

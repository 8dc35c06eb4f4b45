package doctor

import (
	"fmt"
	"io"
	"strings"

	"github.com/sealmilter/sealmilter/internal/doctor/words"
	"github.com/sealmilter/sealmilter/internal/plain"
)

// Language is the one asked for by flag, else that of the first locale that is set.
func Language(flag string, locales ...string) (words.Lang, bool) {
	if flag == "" {
		return words.OfLocale(locales...), true
	}
	return words.Parse(flag)
}

// Still is what to tell somebody who waits.
func Still() words.Text { return words.Say("... asking the DNS, and looking at the MTA") }

// Print shows findings on a terminal, each value on one line (package plain).
func Print(w io.Writer, all []Finding, lang words.Lang) {
	n := map[Level]int{}
	for _, finding := range all {
		f := finding.In(lang)
		n[f.Level]++
		fmt.Fprintf(w, "%s  %-6s %s: %s\n", f.Level, f.Check, plain.Text(f.Subject), plain.Text(f.Message))
		want := f.Want
		if strings.Contains(strings.ReplaceAll(f.Paste, `" "`, ""), want) {
			want = "" // it stands in what to paste
		}
		line := func(label words.Text, text string) {
			if text != "" {
				// A record to paste stands in one line, however long it is.
				fmt.Fprintf(w, "             %s %s\n", label.In(lang), plain.Clip(text, len(text)))
			}
		}
		line(words.Say("seen  "), f.Seen)
		line(words.Say("want  "), want)
		line(words.Say("paste "), f.Paste)
		line(words.Say("who   "), finding.Who.Text().In(lang))
		for _, ask := range f.Ask {
			line(words.Say("ask   "), ask)
		}
	}
	fmt.Fprintf(w, "\n%s\n", words.Say("%d passed, %d warnings, %d failed", n[Pass], n[Warn], n[Fail]).In(lang))
}

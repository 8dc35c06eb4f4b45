package hostile

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/auth/header"
)

// Problems lists what is wrong with the verdict on m, whatever the case is
// about:
//
//   - dmarc=pass while somebody is displayed as the author who did not send it;
//   - dkim=pass or spf=pass for a domain that sent nothing;
//   - our field missing, not on top, not grammatical, or with more results in
//     it for a naive reader than for a careful one;
//   - a field that may pass for our results and is still there;
//   - anything else of the header section gone or changed;
//   - a reply other than 550, and 451 where the DNS leaves p=reject undecided, or
//     one that says nothing.
//
// A rejected message has no fields to look at.
func (v Verdict) Problems(m Message) []string {
	p := slices.Clone(v.Errors)
	say := func(format string, args ...any) { p = append(p, fmt.Sprintf(format, args...)) }
	if v.Code != 250 {
		waits := v.Code == 451 && strings.HasPrefix(v.Text, "4.7.1 the DNS does not tell ")
		if !waits && (v.Code != 550 || !strings.HasPrefix(v.Text, "5.7.1 ")) {
			say("reply %d %s", v.Code, v.Text)
		}
		return p
	}
	own, rest := v.ownField()
	if own == "" {
		return append(p, "our Authentication-Results are not on top")
	}
	id, results, err := ReadResults(own)
	if err != nil {
		return append(p, err.Error())
	}
	if id != AuthservID {
		say("authserv-id %q", id)
	}
	if n := len(naiveResults.FindAllString(strings.ReplaceAll(own, "policy.dmarc=", ""), -1)); n != len(results) {
		say("a naive reader finds %d results, there are %d: %s", n, len(results), own)
	}
	shown := m.shown()
	for _, r := range results {
		var who []string
		switch {
		case r.Status != "pass":
			continue
		case r.Method == "dmarc":
			if len(shown) == 0 || !slices.Contains(shown, r.Props["header.from"]) {
				say("dmarc=pass for %q, displayed is %q", r.Props["header.from"], shown)
			}
			who = shown
		case r.Method == "dkim":
			who = []string{r.Props["header.d"]}
		case r.Method == "spf":
			who = []string{r.Props["smtp.mailfrom"] + r.Props["smtp.helo"]}
		}
		for _, d := range who {
			if !m.sentBy(d) {
				say("%s=pass, and %s has not sent it: %s", r.Method, d, own)
			}
		}
	}
	return append(p, untouched(m.Fields, rest)...)
}

// shown are the domains that a reader may take for the author's. Where none is
// displayed, what is quoted is all that there is.
func (m Message) shown() []string {
	if all := Displayed(m.Fields); len(all) > 0 {
		return all
	}
	return quoted(m.Fields)
}

// sentBy reports whether d's owner has sent the message.
func (m Message) sentBy(d string) bool {
	return slices.ContainsFunc(m.True, func(t string) bool {
		if name, exact := strings.CutPrefix(t, "="); exact {
			return name == d
		}
		return organization(t) == organization(d)
	})
}

// naiveResults is how a filter looks for results without regard to quotes.
var naiveResults = regexp.MustCompile(`(?i)(?:arc|auth|dkim|dmarc|iprev|spf)\s*=\s*(?:pass|fail|softfail|none|neutral|policy|temperror|permerror)`)

// organization is the organizational domain in the zone of this package: two
// labels.
func organization(d string) string {
	labels := strings.Split(strings.ToLower(d), ".")
	return strings.Join(labels[max(0, len(labels)-2):], ".")
}

// ownField returns our results and the fields below them. X-Quarantine may
// stand between.
func (v Verdict) ownField() (string, header.Fields) {
	if len(v.Fields) == 0 || v.Fields[0].Name != "Authentication-Results" {
		return "", v.Fields
	}
	rest := v.Fields[1:]
	if len(rest) > 0 && rest[0].Name == "X-Quarantine" {
		rest = rest[1:]
	}
	return v.Fields[0].Value, rest
}

// untouched compares what was sent with what is left below our own fields.
func untouched(sent, left header.Fields) (p []string) {
	for _, f := range left {
		if forged(f) || sameName(f.Name, "X-Quarantine") {
			p = append(p, fmt.Sprintf("forged field is still there: %.200q", f.Raw()))
		}
	}
	for _, f := range sent {
		switch {
		case len(left) > 0 && left[0] == f:
			left = left[1:]
		case forged(f), anyResults(f), visible(f.Name) == "X-Quarantine":
		default:
			p = append(p, fmt.Sprintf("a field is gone: %.200q", f.Raw()))
		}
	}
	if len(left) > 0 {
		p = append(p, fmt.Sprintf("a field came or changed: %.200q", left[0].Raw()))
	}
	return p
}

// forged reports whether some reader may take a field, or a line that some
// reader finds in it, for results of ours.
func forged(f header.Field) bool {
	return slices.ContainsFunc(resultLines(f), func(value string) bool {
		return ourID.MatchString(strings.TrimSpace(withoutComments(value)))
	})
}

// anyResults: fields of this name may go, whoever's they are, when it is not
// clear whose they are.
func anyResults(f header.Field) bool { return len(resultLines(f)) > 0 }

// resultLines returns the values of the Authentication-Results that a reader
// finds in a field, control characters removed.
func resultLines(f header.Field) (values []string) {
	for _, line := range displayedLines(f.Raw()) {
		name, value, ok := strings.Cut(line, ":")
		if ok && strings.EqualFold(visible(name), "Authentication-Results") {
			values = append(values, controls.ReplaceAllString(value, ""))
		}
	}
	return values
}

var (
	controls = regexp.MustCompile(`[\x00-\x1f\x7f]`)
	ourID    = regexp.MustCompile(`(?i)^"?\.?` + regexp.QuoteMeta(AuthservID) + `(?:[^a-z0-9._-]|\.?(?:$|[; ]))`)
)

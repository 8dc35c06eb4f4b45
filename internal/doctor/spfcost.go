package doctor

import (
	"errors"
	"strings"

	"github.com/sealmilter/sealmilter/auth/spf"
	"github.com/sealmilter/sealmilter/internal/doctor/words"
)

// manyLookups is where a record comes close to RFC 7208 §4.6.4's ten terms: the
// next include: of a service may break it, or a change of theirs.
const manyLookups = 9

// spfEnd looks at what a record says of everybody whom it does not name.
func spfEnd(d Domain, record string) []Finding {
	f := Finding{Level: Warn, Check: "spf", Subject: d.Name, Seen: show(record), Want: words.Say("~all at the end"), Who: Zone}
	switch last := lastWord(record); {
	case openEnd(record):
		f.Message = words.Say("the record has no all at its end: everybody whom it does not name is neutral, as if it were not there")
		f.Paste = txt(d.Name, clip(strings.TrimSpace(record)+" ~all"))
	case strings.EqualFold(last, "?all"):
		f.Message = words.Say("the record ends in ?all: everybody whom it does not name is neutral, as if it were not there")
		f.Paste = txt(d.Name, clip(strings.TrimSuffix(strings.TrimSpace(record), last)+"~all"))
	default:
		return nil
	}
	return []Finding{f}
}

func lastWord(record string) string {
	w := strings.Fields(record)
	if len(w) == 0 {
		return ""
	}
	return w[len(w)-1]
}

// spfCost is what the whole record costs its receivers, as the engine counted it for an
// address that no term names; told is whether the egress addresses have said so already.
func spfCost(d Domain, record string, res spf.Result, told bool) []Finding {
	f := Finding{Level: Warn, Check: "spf", Subject: d.Name, Seen: show(record), Who: Zone}
	switch {
	case told || res.Status == spf.TempError:
		return nil
	case errors.Is(res.Err, spf.ErrLookups):
		f.Level = Fail
		f.Message = words.Say("the whole record needs more than the 10 look-ups that receivers do: who is not named in its first terms gets permerror (RFC 7208 section 4.6.4)")
		f.Want = words.Say("fewer include:, a: and mx terms")
	case errors.Is(res.Err, spf.ErrVoidLookups):
		f.Level = Fail
		f.Message = words.Say("more than two terms lead nowhere (%s): who is not named before them gets permerror (RFC 7208 section 4.6.4)", voidTerms(res))
		f.Want = words.Say("no terms whose names do not exist")
	case res.Status == spf.PermError:
		f.Level, f.Message, f.Want = Fail, words.Say("the record is broken: %s", clip(res.Err.Error())), words.Say("a record that can be evaluated")
	case res.Lookups >= manyLookups:
		f.Message = words.Say("the whole record needs %d of the 10 look-ups that receivers do (RFC 7208 section 4.6.4)", res.Lookups)
		f.Want = words.Say("fewer include:, a: and mx terms")
	case res.VoidLookups > 0:
		f.Message = words.Say("%d of the two terms that may lead nowhere do (%s): with a third the record breaks (RFC 7208 section 4.6.4)", res.VoidLookups, voidTerms(res))
		f.Want = words.Say("no terms whose names do not exist")
	default:
		return nil
	}
	return []Finding{f}
}

// voidTerms are the terms whose questions found nothing.
func voidTerms(res spf.Result) string {
	var terms []string
	for _, s := range res.Trace {
		if s.Term != "" && strings.Contains(s.Note, "void") && len(terms) < 5 {
			terms = append(terms, s.Term)
		}
	}
	return clip(strings.Join(terms, ", "))
}

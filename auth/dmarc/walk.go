package dmarc

import (
	"context"
	"strings"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

// maxLabels is the number of labels from which on a walk jumps: a name with as
// many or more goes on at its rightmost maxLabels-1 (RFC 9989 §4.10 step 4).
// No walk asks more than maxLabels questions.
const maxLabels = 8

// look is the answer of one question for a policy record: the record, nil for
// positively none, or the error that leaves it open.
type look struct {
	record *Record
	err    error
}

// evaluation is the work for one message: each name is asked for once, however
// many author domains and identifiers lead to it.
type evaluation struct {
	resolver resolve.Resolver
	max      int // identifier domains that may be walked
	walked   int
	looks    map[string]look
	walks    map[string]*walk
}

func (e *Evaluator) begin() *evaluation {
	v := &evaluation{resolver: e.Resolver, max: e.MaxIdentifiers, looks: map[string]look{}, walks: map[string]*walk{}}
	if v.max <= 0 {
		v.max = maxIdentifiers
	}
	return v
}

// look asks for the policy record at domain (RFC 9989 §4.10 steps 1, 2).
func (v *evaluation) look(ctx context.Context, domain string) look {
	if l, ok := v.looks[domain]; ok {
		return l
	}
	l := v.ask(ctx, domain)
	v.looks[domain] = l
	return l
}

// ask is look without the memory. It touches nothing of v.
func (v *evaluation) ask(ctx context.Context, domain string) (l look) {
	switch a, err := v.resolver.LookupTXT(ctx, "_dmarc."+domain); {
	case resolve.Temporary(err):
		l.err = err
	case err == nil:
		n := 0
		for _, txt := range a.Records {
			if r, err := ParseRecord(txt); err == nil {
				l.record = r
				n++
			}
		}
		if n != 1 {
			// Step 2: "If multiple DMARC Policy Records are returned for a single
			// target, they are all discarded."
			l.record = nil
		}
	}
	return l
}

// walk is a DNS tree walk (RFC 9989 §4.10).
type walk struct {
	start string
	found []found // longest name first
	// err ended the walk early: what it would have found is open, and so are
	// the organizational domain and, without a record at start, the policy.
	err error
}

type found struct {
	domain string
	record *Record
}

// walk walks from start towards the root, the top-level domain included.
func (v *evaluation) walk(ctx context.Context, start string) *walk {
	if w := v.walks[start]; w != nil {
		return w
	}
	w := &walk{start: start}
	v.walks[start] = w
	for name := start; name != ""; name = next(name) {
		l := v.look(ctx, name)
		if l.err != nil {
			w.err = l.err
			break
		}
		if l.record == nil {
			continue
		}
		w.found = append(w.found, found{name, l.record})
		if l.record.PSD != "u" {
			break // steps 2, 6: psd=y and psd=n end the walk
		}
	}
	return w
}

// next is the next target of a walk (steps 3, 4, 7), "" at its end.
func next(name string) string {
	if n := labels(name); n > maxLabels {
		return rightmost(name, maxLabels-1)
	}
	_, parent, _ := strings.Cut(name, ".")
	return parent
}

// orgDomain selects the organizational domain from the records of a complete
// walk (RFC 9989 §4.10.2).
func (w *walk) orgDomain() string {
	org := w.start // nothing found: the initial target itself
	for _, f := range w.found {
		switch {
		case f.record.PSD == "n": // rule 1
			return f.domain
		case f.record.PSD == "y" && f.domain != w.start: // rule 2
			// Counted off the start and not off the names that were asked for: the
			// jump from 8 labels may have left this one out.
			return rightmost(w.start, labels(f.domain)+1)
		}
		org = f.domain // rule 3: the fewest labels so far
	}
	return org
}

// discover finds the record that applies to author: its own, that of its
// organizational domain, or that of its PSD (RFC 9989 §4.10.1). Nil and a nil
// error: there is positively none.
func (v *evaluation) discover(ctx context.Context, author string) (*found, error) {
	// The walk goes beyond a record at the author domain only when alignment
	// needs it.
	if l := v.look(ctx, author); l.err != nil || l.record != nil {
		return &found{author, l.record}, l.err
	}
	// §4.10.1 starts this walk one step up, at the name that follows here too.
	w := v.walk(ctx, author)
	if w.err != nil {
		return nil, w.err
	}
	return w.applicable(), nil
}

// applicable chooses among the records of a walk from an author domain, which
// has none itself (RFC 9989 §4.10.1). Nil: there is none.
func (w *walk) applicable() *found {
	if len(w.found) == 0 {
		return nil
	}
	org := w.orgDomain()
	for i := range w.found {
		if w.found[i].domain == org {
			return &w.found[i]
		}
	}
	// The organizational domain has no record, so rule 2 chose it: the PSD's
	// record ended the walk.
	return &w.found[len(w.found)-1]
}

// beyond is the walk from start as far as it is known: names that do not
// answer are taken for ones without a record. It is what a failed walk is
// replaced by where an attacker may have chosen the name that fails, a lame
// delegation below his victim's. Its questions are asked side by side: where
// nothing answers at all, they cost the time of one.
func (v *evaluation) beyond(ctx context.Context, start string) *walk {
	var open []string
	for name := start; name != ""; name = next(name) {
		if _, asked := v.looks[name]; !asked {
			open = append(open, name)
		}
	}
	looks := make([]look, len(open))
	if len(open) > 0 {
		each(len(open), func(i int) { looks[i] = v.ask(ctx, open[i]) })
	}
	for i, name := range open {
		v.looks[name] = looks[i]
	}
	w := &walk{start: start}
	for name := start; name != ""; name = next(name) {
		r := v.looks[name].record
		if r == nil {
			continue
		}
		w.found = append(w.found, found{name, r})
		if r.PSD != "u" {
			break
		}
	}
	return w
}

func labels(name string) int { return strings.Count(name, ".") + 1 }

// rightmost returns the last n labels of name.
func rightmost(name string, n int) string {
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '.' {
			if n--; n == 0 {
				return name[i+1:]
			}
		}
	}
	return name
}

// within reports whether name is domain or below it.
func within(name, domain string) bool {
	return name == domain || strings.HasSuffix(name, "."+domain)
}

package conformance

import (
	"cmp"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/auth/resolve"
)

const (
	// someFroms is what every run of the tests reads, SEALMILTER_FROM more.
	someFroms = 2000
	// honestFroms is how many odd From fields of honest mail are.
	honestFroms = 1000
	fromBatch   = 5000
)

// readers are the implementations whose authors must be ours, too.
type readers struct {
	dovecot      *dovecot
	python, perl *program
}

func startReaders(t *testing.T) *readers {
	t.Helper()
	return &readers{
		dovecot: needDovecot(t),
		python:  needProgram(t, "python3", "/usr/bin/python3", "-c", "import email", "authors.py"),
		perl: needProgram(t, "libemail-address-xs-perl and libmailtools-perl", "/usr/bin/perl", "-e",
			"use Email::Address::XS; use Mail::Address; use JSON::PP", "authors.pl"),
	}
}

// shown is whom each reader shows for the author of each field.
func (r *readers) shown(t *testing.T, values []string) []map[string][]string {
	t.Helper()
	fields := make([][]byte, len(values))
	for i, v := range values {
		fields[i] = []byte(v)
	}
	all := make([]map[string][]string, len(values))
	for i := range all {
		all[i] = map[string][]string{}
	}
	for _, p := range []*program{r.python, r.perl} {
		var found []map[string][]string
		if err := p.ask(map[string]any{"fields": fields}, "", &found); err != nil {
			t.Fatal(err)
		}
		if len(found) != len(values) {
			t.Fatalf("%d answers to %d fields", len(found), len(values))
		}
		for i, m := range found {
			for name, addresses := range m {
				all[i][name] = addresses
			}
		}
	}
	found, err := r.dovecot.authors(values)
	if err != nil {
		t.Fatal(err)
	}
	for i, addresses := range found {
		all[i]["Dovecot"] = addresses
	}
	return all
}

// shownDomain is the domain that a user sees in an address, "" for none: nothing
// has a domain in it that is no name, or of one label only.
func shownDomain(address string) string {
	at, quoted := -1, false
	for i := 0; i < len(address); i++ {
		switch c := address[i]; {
		case c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == '@' && !quoted:
			at = i
		}
	}
	if at < 0 {
		return ""
	}
	d := address[at+1:]
	d = strings.TrimFunc(d, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsPunct(r) && r != '-' && r != '_' || unicode.IsSymbol(r) && r != unicode.ReplacementChar
	})
	d = strings.Join(strings.Fields(d), "")
	n, err := resolve.CanonicalName(d)
	if err != nil || !strings.Contains(n, ".") {
		return ""
	}
	return n
}

func parseFrom(value string) auth.Author {
	return auth.ParseAuthor(header.Fields{{Name: "From", Value: value}})
}

// missed lists whom a reader shows and we do not count.
func missed(a auth.Author, shown map[string][]string) (list []string) {
	if a.Err != nil {
		return nil
	}
	for name, addresses := range shown {
		for _, address := range addresses {
			if d := shownDomain(address); d != "" && !slices.Contains(a.Domains, d) {
				list = append(list, name+" shows "+strconv.Quote(address))
			}
		}
	}
	slices.Sort(list)
	return list
}

// TestFromReaders: whom Dovecot, Python or Perl shows as the author of a
// hostile From field is an author to us, or there is none.
func TestFromReaders(t *testing.T) {
	n, err := strconv.Atoi(cmp.Or(os.Getenv("SEALMILTER_FROM"), strconv.Itoa(someFroms)))
	if err != nil || n < 1 {
		t.Fatalf("SEALMILTER_FROM=%q is no number of fields", os.Getenv("SEALMILTER_FROM"))
	}
	r := startReaders(t)
	usable, several, bad := 0, 0, 0
	for from := 0; from < n; from += fromBatch {
		values := make([]string, min(fromBatch, n-from))
		for i := range values {
			values[i] = makeFrom(uint64(from + i))
		}
		for i, shown := range r.shown(t, values) {
			a := parseFrom(values[i])
			if a.Err == nil {
				usable++
			}
			if len(a.Domains) > 1 {
				several++
			}
			if list := missed(a, shown); len(list) > 0 {
				if bad++; bad <= 20 {
					t.Errorf("field %d %q: authors %q; %s", from+i, values[i], a.Domains, strings.Join(list, "; "))
				}
			}
		}
	}
	t.Logf("%d fields, %d usable, %d of them with several author domains, %d with an author that we miss", n, usable, several, bad)
	// A generator that makes only rubbish, or only what is simple, tests nothing.
	if usable < n/4 || several < n/20 {
		t.Errorf("%d of %d fields are usable, %d have several author domains", usable, n, several)
	}
}

// TestHonestFrom: odd From fields of honest mail are never refused, and have no
// author but the one who sends. What a reader shows confirms it.
func TestHonestFrom(t *testing.T) {
	r := startReaders(t)
	values := make([]string, honestFroms)
	for i := range values {
		values[i] = honestFrom(uint64(i))
	}
	for i, shown := range r.shown(t, values) {
		a := parseFrom(values[i])
		if a.Err != nil || slices.ContainsFunc(a.Domains, func(d string) bool { return d != honestDomain && d != "mail."+honestDomain }) {
			t.Errorf("field %d %q: %q, %v", i, values[i], a.Domains, a.Err)
		}
		if list := missed(a, shown); len(list) > 0 {
			t.Errorf("field %d %q: %s", i, values[i], strings.Join(list, "; "))
		}
	}
}

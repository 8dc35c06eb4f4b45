package doctor

import (
	"context"
	"strings"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/keys/publish"
)

// misplaced says in a sentence where the record of a key stands instead of where it
// should, "" where it is not to be found; seen is the record as NAME TXT DATA.
func misplaced(ctx context.Context, r resolve.Resolver, d Domain, k *keys.Key) (sentence, seen string) {
	for _, at := range []struct{ name, sentence string }{
		{k.Name() + "." + d.SDID, "the record stands one domain too deep, because the DNS panel adds the domain to the name: type the name without ." + d.SDID},
		{k.Domain, "the record stands at " + k.Domain + " itself: its name is " + k.Name()},
		{k.Selector + "." + k.Domain, "the record stands at " + k.Selector + "." + k.Domain + ": ._domainkey is missing in the name"},
		{k.Selector + ".domainkey." + k.Domain, "the record stands below domainkey: the name has an underscore, ._domainkey"},
	} {
		if resolve.CheckName(at.name) != nil {
			continue
		}
		a, err := r.LookupTXT(ctx, at.name)
		if err != nil {
			continue
		}
		for _, text := range a.Records {
			if publish.Shows(k, []string{text}) || at.name != k.Domain && strings.Contains(strings.ToLower(text), "v=dkim1") {
				return at.sentence, txt(at.name, clip(text))
			}
		}
	}
	return "", ""
}

// bare is a record without white space, for comparing.
func bare(s string) string { return strings.Join(strings.Fields(s), "") }

// severalStrings reports whether the records are the pieces of want, each published as a
// record of its own.
func severalStrings(records []string, want string) bool {
	if len(records) != 2 {
		return false
	}
	return bare(records[0]+records[1]) == bare(want) || bare(records[1]+records[0]) == bare(want)
}

// likeSPF is a TXT record that was meant to be an SPF record and is none, with what is
// wrong with it.
func likeSPF(records []string) (text, sentence string) {
	for _, t := range records {
		l := strings.ToLower(t)
		rest, begins := strings.CutPrefix(strings.TrimLeft(l, "\" '\\"), "v=spf1")
		switch {
		case begins && strings.HasPrefix(l, "v=spf1"):
			return t, "a blank has to follow v=spf1, and not " + quoted(rest)
		case begins:
			return t, "it does not begin with v=spf1: quotation marks or blanks are part of it"
		case strings.HasPrefix(l, "spf1 "), strings.HasPrefix(l, "v=spf "), strings.HasPrefix(l, "v= spf1"), strings.HasPrefix(l, "v =spf1"):
			return t, "it has to begin with v=spf1"
		}
	}
	return "", ""
}

// quoted is the first character of s in quotes.
func quoted(s string) string {
	for _, r := range s {
		return `"` + clip(string(r)) + `"`
	}
	return "nothing"
}

// openEnd reports whether a record has no last word: no all and no redirect=.
func openEnd(record string) bool {
	for _, w := range strings.Fields(strings.ToLower(record)) {
		if strings.TrimLeft(w, "+-~?") == "all" || strings.HasPrefix(w, "redirect=") {
			return false
		}
	}
	return true
}

// misplacedDMARC says where a DMARC record stands instead of _dmarc., "" for nowhere.
func misplacedDMARC(ctx context.Context, r resolve.Resolver, domain string) (sentence, seen string) {
	for _, at := range []struct{ name, sentence string }{
		{"dmarc." + domain, "the record stands at dmarc." + domain + ": the name has an underscore, _dmarc"},
		{"_dmarc." + domain + "." + domain, "the record stands one domain too deep, because the DNS panel adds the domain to the name: type _dmarc alone"},
		{domain, "the record stands at " + domain + " itself: its name is _dmarc." + domain},
	} {
		if resolve.CheckName(at.name) != nil {
			continue
		}
		a, err := r.LookupTXT(ctx, at.name)
		if err != nil {
			continue
		}
		for _, text := range a.Records {
			if strings.HasPrefix(strings.ToLower(bare(text)), "v=dmarc1") {
				return at.sentence, txt(at.name, clip(text))
			}
		}
	}
	return "", ""
}

// withoutMailto is the first address of rua= or ruf= that is no URI, "" for none.
func withoutMailto(record string) string {
	for tag := range strings.SplitSeq(record, ";") {
		name, value, _ := strings.Cut(tag, "=")
		if name = strings.ToLower(strings.TrimSpace(name)); name != "rua" && name != "ruf" {
			continue
		}
		for uri := range strings.SplitSeq(value, ",") {
			if uri = strings.TrimSpace(uri); strings.Contains(uri, "@") && !strings.Contains(uri, ":") {
				return clip(uri)
			}
		}
	}
	return ""
}

package doctor

import (
	"context"
	"strings"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/doctor/words"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/keys/publish"
)

// place is where a record may stand by mistake, and what to say then.
type place struct {
	name     string
	sentence words.Text
}

// tooDeep: a panel that adds the domain was given the whole name.
func tooDeep(domain string) words.Text {
	return words.Say("the record stands one domain too deep, because the DNS panel adds the domain to the name: type the name without .%s", domain)
}

// misplaced says in a sentence where the record of a key stands instead of where it
// should, nothing where it is not to be found; seen is the record as NAME TXT DATA.
func misplaced(ctx context.Context, r resolve.Resolver, d Domain, k *keys.Key) (sentence, seen words.Text) {
	for _, at := range []place{
		{k.Name() + "." + d.SDID, tooDeep(d.SDID)},
		{k.Domain, words.Say("the record stands at %s itself: its name is %s", k.Domain, k.Name())},
		{k.Selector + "." + k.Domain, words.Say("the record stands at %s: ._domainkey is missing in the name", k.Selector+"."+k.Domain)},
		{k.Selector + ".domainkey." + k.Domain, words.Say("the record stands below domainkey: the name has an underscore, ._domainkey")},
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
	return words.Text{}, words.Text{}
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
func likeSPF(records []string) (text string, sentence words.Text) {
	for _, t := range records {
		l := strings.ToLower(t)
		rest, begins := strings.CutPrefix(strings.TrimLeft(l, "\" '\\"), "v=spf1")
		switch {
		case begins && strings.HasPrefix(l, "v=spf1"):
			return t, words.Say("a blank has to follow v=spf1, and not %s", quoted(rest))
		case begins:
			return t, words.Say("it does not begin with v=spf1: quotation marks or blanks are part of it")
		case strings.HasPrefix(l, "spf1 "), strings.HasPrefix(l, "v=spf "), strings.HasPrefix(l, "v= spf1"), strings.HasPrefix(l, "v =spf1"):
			return t, words.Say("it has to begin with v=spf1")
		}
	}
	return "", words.Text{}
}

// quoted is the first character of s in quotes.
func quoted(s string) words.Text {
	for _, r := range s {
		return words.Data(`"` + clip(string(r)) + `"`)
	}
	return words.Say("nothing")
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

// misplacedDMARC says where a DMARC record stands instead of _dmarc., nothing for nowhere.
func misplacedDMARC(ctx context.Context, r resolve.Resolver, domain string) (sentence, seen words.Text) {
	for _, at := range []place{
		{"dmarc." + domain, words.Say("the record stands at dmarc.%s: the name has an underscore, _dmarc", domain)},
		{"_dmarc." + domain + "." + domain, words.Say("the record stands one domain too deep, because the DNS panel adds the domain to the name: type _dmarc alone")},
		{domain, words.Say("the record stands at %s itself: its name is %s", domain, "_dmarc."+domain)},
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
	return words.Text{}, words.Text{}
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

package publish

import (
	"slices"
	"strings"
)

// State is what the DNS has of a record.
type State string

const (
	Missing   State = "missing"
	Differs   State = "differs"
	Published State = "published"
)

// Compare tells the state of a record, of the records of its type at its name. Of SPF
// it is published where all that we propose is in the one record that there is, and of
// DMARC where there is one: both may say more than we know.
func (e Entry) Compare(records []string) State {
	begins := func(prefix string) (found []string) {
		for _, r := range records {
			if strings.HasPrefix(strings.ToLower(r), prefix) {
				found = append(found, r)
			}
		}
		return found
	}
	var same bool
	switch {
	case len(e.Value) > maxRecord:
	case e.Type == TypeCNAME:
		same = len(records) == 1 && strings.EqualFold(strings.TrimSuffix(records[0], "."), e.Value)
	case strings.HasPrefix(e.Value, "v=spf1"):
		if records = begins("v=spf1"); len(records) == 1 && !e.Placeholder {
			same = allows(strings.ToLower(records[0]), e.Value)
		} else if len(records) == 1 { // we do not know what is missing; doctor asks
			same = true
		}
	case strings.HasPrefix(e.Value, "v=DMARC1"):
		records = begins("v=dmarc1")
		same = len(records) == 1
	default:
		same = len(records) == 1 && sameKey(e.Value, records[0])
	}
	switch {
	case len(records) == 0:
		return Missing
	case same:
		return Published
	}
	return Differs
}

// allows reports whether an SPF record has the terms that we propose.
func allows(have, want string) bool {
	words := strings.Fields(have)
	// RFC 7208 §10.1.2 has "a -all" for the name of a host, as which ours ends.
	if strings.HasSuffix(want, " -all") && slices.ContainsFunc(words, func(w string) bool { return w == "a" || w == "+a" }) {
		return true
	}
	return !slices.ContainsFunc(strings.Fields(want), func(w string) bool {
		return w != "mx" && w != "~all" && w != "-all" && !slices.Contains(words, strings.ToLower(w))
	})
}

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

// Compare tells the state of a record, of the TXT records at its name. Of SPF it is
// published where all that we propose is in the one record that there is, and of DMARC
// where there is one: both may say more than we know.
func (t TXT) Compare(records []string) State {
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
	case len(t.Value) > maxRecord:
	case strings.HasPrefix(t.Value, "v=spf1"):
		if records = begins("v=spf1"); len(records) == 1 && !t.Placeholder {
			have := strings.Fields(strings.ToLower(records[0]))
			same = !slices.ContainsFunc(strings.Fields(t.Value), func(w string) bool {
				return w != "mx" && w != "~all" && !slices.Contains(have, strings.ToLower(w))
			})
		} else if len(records) == 1 { // we do not know what is missing; doctor asks
			same = true
		}
	case strings.HasPrefix(t.Value, "v=DMARC1"):
		records = begins("v=dmarc1")
		same = len(records) == 1
	default:
		same = len(records) == 1 && sameKey(t.Value, records[0])
	}
	switch {
	case len(records) == 0:
		return Missing
	case same:
		return Published
	}
	return Differs
}

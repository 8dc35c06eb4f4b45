package keys

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// checkDomain accepts a domain in its one canonical form: A-labels, lower
// case, no trailing dot. It also makes the name safe as a folder's name: with
// these bytes and without empty labels there is no way out of the key folder.
func checkDomain(name string) error {
	if len(name) > 253 {
		return fmt.Errorf("domain name is longer than 253 bytes")
	}
	if strings.ToLower(name) != name {
		return fmt.Errorf("domain name %q is not in lower case", name)
	}
	if err := checkLabels(name); err != nil {
		return fmt.Errorf("domain name %q: %w", name, err)
	}
	return nil
}

// checkSelector accepts RFC 6376 §3.1's sub-domain *("." sub-domain), and the
// underscore, which is no letter of that grammar but is in use. Together with
// domain it must fit into a DNS name.
func checkSelector(selector, domain string) error {
	if err := checkLabels(selector); err != nil {
		return fmt.Errorf("selector %q: %w", clip(selector), err)
	}
	if len(selector)+len("._domainkey.")+len(domain) > 253 {
		return fmt.Errorf("selector %q: %s._domainkey.%s is longer than 253 bytes", clip(selector), clip(selector), domain)
	}
	return nil
}

func checkLabels(name string) error {
	for label := range strings.SplitSeq(name, ".") {
		switch {
		case label == "":
			return errors.New("empty label")
		case len(label) > 63:
			return errors.New("label longer than 63 bytes")
		case label[0] == '-', label[len(label)-1] == '-':
			return errors.New("label begins or ends with a hyphen")
		}
		for i := 0; i < len(label); i++ {
			switch c := label[i]; {
			case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
			default:
				return fmt.Errorf("byte %q in a label", c)
			}
		}
	}
	return nil
}

// clip bounds what an error repeats of a name.
func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "..."
	}
	return s
}

const selectorDate = "20060102"

// datedSelector is what Generate calls a key that is made at t.
func datedSelector(t time.Time) string { return "s" + t.UTC().Format(selectorDate) }

// madeAt decides which of two keys is the newer one. A file's modification
// time alone is not enough: a backup or a configuration manager that copies
// the folder gives all keys the same one. So the day in a dated selector
// counts, and the modification time counts within that day and for selectors
// without a date.
func madeAt(selector string, modified time.Time) time.Time {
	if len(selector) < 1+len(selectorDate) || selector[0] != 's' {
		return modified
	}
	if rest := selector[1+len(selectorDate):]; rest != "" && rest[0] >= '0' && rest[0] <= '9' {
		return modified // a longer number, not a date
	}
	day, err := time.Parse(selectorDate, selector[1:1+len(selectorDate)])
	if err != nil {
		return modified
	}
	if age := modified.Sub(day); age >= 0 && age < 24*time.Hour {
		return modified
	}
	return day
}

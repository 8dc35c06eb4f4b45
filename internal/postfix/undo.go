package postfix

import (
	"fmt"
	"slices"
	"strings"
)

// Revert takes changes out of files that may have been edited since. What now
// has another value than we gave it stays, apart from our milter in a list; it
// says so in kept.
func Revert(main *MainCF, master *MasterCF, changes []Change, milter Endpoint, queue string) (kept []string) {
	for _, c := range slices.Backward(changes) {
		value, set := main.Get(c.Name)
		if c.Service != "" {
			s, ok := master.Get(c.Service)
			if !ok {
				continue
			}
			value, set = s.Option(c.Name)
		}
		list := strings.HasSuffix(c.Name, "smtpd_milters")
		switch {
		case !set:
		case strings.Join(List(value), " ") == strings.Join(List(c.After), " "):
			putBack(main, master, c)
		case list && milter.in(value, queue):
			items := dropWitness(slices.DeleteFunc(List(value), func(i string) bool { return milter.is(i, queue) }))
			c.Before, c.Raw, c.Had = strings.Join(items, sep(c)), "", len(items) > 0 || c.Had
			putBack(main, master, c)
		case list:
		default:
			kept = append(kept, fmt.Sprintf("%s: %s = %s is not what set-up wrote and stays", c.Place(), c.Name, value))
		}
	}
	return kept
}

func sep(c Change) string {
	if c.Service == "" {
		return " "
	}
	return ","
}

func putBack(main *MainCF, master *MasterCF, c Change) {
	switch {
	case c.Service != "" && c.Had && c.Raw != "":
		master.setRaw(c.Service, c.Name, c.Raw)
	case c.Service != "" && c.Had:
		master.Set(c.Service, c.Name, c.Before)
	case c.Service != "":
		master.Delete(c.Service, c.Name)
	case c.Had && c.Raw != "":
		main.SetRaw(c.Name, c.Raw)
	case c.Had:
		main.Set(c.Name, c.Before)
	default:
		main.Delete(c.Name)
	}
}

// Merge is the record after a second set-up: what the first one found, and what
// stands there now.
func Merge(old, now []Change) []Change {
	out := slices.Clone(old)
	for _, c := range now {
		i := slices.IndexFunc(out, func(o Change) bool { return o.Service == c.Service && o.Name == c.Name })
		if i < 0 {
			out = append(out, c)
			continue
		}
		out[i].After, out[i].Why = c.After, c.Why
	}
	return out
}

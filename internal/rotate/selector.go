package rotate

import (
	"fmt"
	"strings"
	"time"

	"github.com/sealmilter/sealmilter/keys"
)

// baseOf is the selector of the pair that a key of Generate's belongs to: its own of an
// RSA key, and the one without the e of an Ed25519 key; "" for a key of another form.
func baseOf(k *keys.Key) string {
	if k.Algorithm() == keys.RSASHA256 {
		return k.Selector
	}
	base, ok := strings.CutSuffix(k.Selector, "e")
	if !ok {
		return ""
	}
	return base
}

// NextSelector names the pair that follows the keys of a domain: by the day, or by that
// of two names that take turns which is not in use (a customer has put CNAMEs there once
// and for all); "" while the records of both are needed. Reuse: keys of that name have gone, and are
// in the way.
func NextSelector(list []*keys.Key, turns []string, now time.Time) (selector string, reuse bool) {
	taken, needed := map[string]bool{}, map[string]bool{}
	for _, k := range list {
		base, state := baseOf(k), k.Life().State(now)
		taken[k.Selector] = true
		needed[base] = needed[base] || state != keys.Retired
	}
	for _, t := range turns {
		if !needed[t] {
			return t, taken[t] || taken[t+"e"]
		}
	}
	if len(turns) > 0 {
		return "", false
	}
	day := "s" + now.UTC().Format("20060102")
	for i := 0; ; i++ {
		name := day
		if i > 0 {
			name = fmt.Sprintf("%s-%d", day, i+1)
		}
		if !taken[name] && !taken[name+"e"] {
			return name, false
		}
	}
}

// Waiting is the selector of a pair that has been made to follow the present one, "" for
// none. Half of it may be missing.
func Waiting(list []*keys.Key, now time.Time) string {
	for _, k := range list {
		switch s := k.Life().State(now); {
		case s == keys.Active:
			return "" // what is older waits for nothing
		case k.Life().Waits && (s == keys.New || s == keys.Published):
			return baseOf(k)
		}
	}
	return ""
}

package rotate

import (
	"time"

	"github.com/sealmilter/sealmilter/keys"
)

// Outlook says what happens to a key next, and when, as far as that is known; "" where
// nothing is to come.
func Outlook(now time.Time, set Settings, k *keys.Key) (what string, at time.Time) {
	l := k.Life()
	switch l.State(now) {
	case keys.New:
		if set.Publishes && (l.Waits || !l.Absent.IsZero()) {
			return "its record is being published", time.Time{}
		}
		return "publish its record", time.Time{}
	case keys.Published:
		if l.Activate.IsZero() {
			return "", time.Time{} // a younger one signs
		}
		return "signs", l.Activate
	case keys.Active:
		switch {
		case !l.Retire.IsZero():
			return "gives way to a new one", l.Retire
		case set.Every > 0 && !set.Listed:
			return "a successor is made", k.Created().Add(set.Every)
		}
	case keys.Retiring:
		if l.Remove.IsZero() {
			return "", time.Time{}
		}
		return "its record may go", l.Remove
	case keys.Retired:
		if l.Removed.IsZero() && !set.Publishes {
			return "remove its record, or empty it (p=)", time.Time{}
		}
	}
	return "", time.Time{}
}

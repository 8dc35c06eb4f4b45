package tree

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// ParseSize reads a whole number that is not negative, in bytes where it is a
// size: "512", "64KiB", "10MiB", "1GiB".
func ParseSize(s string) (int64, error) {
	num, unit := s, int64(1)
	for _, u := range []struct {
		name string
		n    int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}} {
		if rest, ok := strings.CutSuffix(s, u.name); ok {
			num, unit = strings.TrimRight(rest, " "), u.n
		}
	}
	n, err := strconv.ParseUint(num, 10, 63)
	if err != nil || num[0] == '+' || int64(n) > math.MaxInt64/unit {
		return 0, fmt.Errorf("%s is not a number, 512 or 64KiB or 10MiB", Quote(s))
	}
	return int64(n) * unit, nil
}

// ParseDuration reads Go's durations and whole days ("7d"). A second line of
// the error's text is a hint.
func ParseDuration(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		hint := "write 500ms, 3s, 5m, 2h or 7d"
		if _, e := strconv.Atoi(s); e == nil {
			hint = "write " + s + "s for seconds"
		}
		return 0, fmt.Errorf("%s is not a duration\n%s", Quote(s), hint)
	}
	return d, nil
}

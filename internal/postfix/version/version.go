// Package version reads Postfix's mail_version, as postconf prints it and as
// Postfix tells milters in the v macro.
package version

import (
	"strconv"
	"strings"
)

// Version is a release, "3.7.11", or a snapshot, "3.12-20260821", which comes
// before the release 3.12.0. The zero Version is one that could not be read.
type Version struct {
	Major, Minor int
	Patch        int // -1 for a snapshot
}

// maxNumber bounds each part; a snapshot's date is none of them.
const maxNumber = 9999

// Parse reads a mail_version: two or three numbers with dots between, then
// anything behind a "-" ("3.12-20260821", "2.11.0-RC2"). ok is false for all
// other texts.
func Parse(s string) (v Version, ok bool) {
	numbers, suffix, dated := strings.Cut(s, "-")
	parts := strings.Split(numbers, ".")
	if len(parts) < 2 || len(parts) > 3 || dated && suffix == "" {
		return Version{}, false
	}
	n := [3]int{0, 0, -1}
	for i, p := range parts {
		v, err := strconv.ParseUint(p, 10, 32)
		if err != nil || v > maxNumber {
			return Version{}, false
		}
		n[i] = int(v)
	}
	return Version{n[0], n[1], n[2]}, true
}

// FromMacro reads the v macro, "Postfix 3.7.11". What another MTA says there, or
// a Postfix that was told to call itself otherwise, is not read.
func FromMacro(v string) (Version, bool) {
	number, ok := strings.CutPrefix(v, "Postfix ")
	if !ok {
		return Version{}, false
	}
	return Parse(number)
}

// AtLeast compares with a release series, the snapshots before it included.
func (v Version) AtLeast(major, minor int) bool {
	return v.Major > major || v.Major == major && v.Minor >= minor
}

// HidesFirst reports whether this Postfix keeps the first field of the header
// section from every milter, whatever it is. It means its own Received field,
// which from 2.10.5 and 2.11.3 on it recognises. Of the older series all count
// as hiding; of a version that could not be read nothing is said.
func (v Version) HidesFirst() bool {
	switch {
	case v.Major != 2:
		return false
	case v.Minor == 10:
		return v.Patch < 5
	case v.Minor == 11:
		return v.Patch < 3
	}
	return v.Minor < 10
}

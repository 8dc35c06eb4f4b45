package publish

import (
	"strings"

	"github.com/sealmilter/sealmilter/keys"
)

// Shows reports whether the TXT records at a key's name are its record: one, of its
// kind of key, with its public half (RFC 6376 §3.6.1; white space within p= counts for
// nothing).
func Shows(k *keys.Key, records []string) bool {
	return len(records) == 1 && sameKey(Record(k), records[0])
}

// sameKey reports whether a record has the key of ours.
func sameKey(ours, record string) bool {
	want, got := tags(ours), tags(record)
	if want["p"] == "" {
		return false
	}
	kind := got["k"]
	if kind == "" {
		kind = "rsa" // RFC 6376 §3.6.1
	}
	return got["p"] == want["p"] && kind == want["k"] && (got["v"] == "" || got["v"] == want["v"])
}

// maxRecord bounds what is read of a record; the largest key has 700 bytes.
const maxRecord = 8 << 10

// tags are the values of a tag list without white space.
func tags(record string) map[string]string {
	out := map[string]string{}
	if len(record) > maxRecord {
		return out
	}
	for tag := range strings.SplitSeq(record, ";") {
		name, value, _ := strings.Cut(tag, "=")
		name = strings.TrimSpace(name)
		if _, twice := out[name]; twice && name != "" {
			return map[string]string{} // RFC 6376 §3.2: the whole list is invalid
		}
		out[name] = strings.Join(strings.Fields(value), "")
	}
	return out
}

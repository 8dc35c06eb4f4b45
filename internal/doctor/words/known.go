package words

import (
	"regexp"
	"strings"
)

// Known is what another room says, as a sentence where a table has it: keys tells its
// problems in English alone. What no table has stays as it is.
func Known(s string) Text {
	for format := range koreanKeys {
		pattern := strings.ReplaceAll(regexp.QuoteMeta(format), "%s", "(.+)")
		if m := regexp.MustCompile("^" + pattern + "$").FindStringSubmatch(s); m != nil {
			args := make([]any, len(m)-1)
			for i := range args {
				args[i] = Known(m[i+1])
			}
			return Text{[]part{{format: format, args: args}}}
		}
	}
	return Data(s)
}

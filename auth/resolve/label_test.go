package resolve

import (
	"strings"
	"testing"
)

func TestLongLabel(t *testing.T) {
	for name, tc := range map[string]struct {
		name string
		want bool
	}{
		"as long as it can be":        {strings.Repeat("ü", 126), false},
		"longer":                      {strings.Repeat("ü", 127), true},
		"many labels":                 {strings.Repeat(strings.Repeat("ü", 100)+".", 9), false},
		"full stops of other scripts": {strings.Repeat(strings.Repeat("ü", 100)+"。", 9), false},
		"the last of many":            {"a.b.ü." + strings.Repeat("平", 200), true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := longLabel(tc.name); got != tc.want {
				t.Error(got)
			}
			if _, err := CanonicalName(tc.name); tc.want && (err == nil || !strings.Contains(err.Error(), "label longer than 63 bytes")) {
				t.Error(err)
			}
		})
	}
}

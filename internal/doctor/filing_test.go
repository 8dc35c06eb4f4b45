package doctor

import (
	"strings"
	"testing"
)

func TestQuarantine(t *testing.T) {
	for _, c := range []struct {
		mode, filed string
		level       Level
		message     string
	}{
		{"tag", "", Warn, "nothing that was found here files it"},
		{"tag", "/etc/procmailrc", Pass, "filed by /etc/procmailrc"},
		{"hold", "", Pass, "hold queue"},
		{"hold", "/etc/procmailrc", Pass, "hold queue"},
	} {
		f := Quarantine(c.mode, c.filed)
		if f.Level != c.level || !strings.Contains(f.Message.String(), c.message) || !f.Want.Empty() != (c.level == Warn) {
			t.Errorf("%q %q: %+v", c.mode, c.filed, f)
		}
	}
}

package observe

import (
	"strings"

	"github.com/sealmilter/sealmilter/auth"
)

// The words of the results; "" is a check that did not run.

func spfWord(r *auth.Results) string {
	if r.SPF == nil {
		return ""
	}
	return string(r.SPF.Status)
}

func iprevWord(r *auth.Results) string {
	if r.IPRev == nil {
		return ""
	}
	return string(r.IPRev.Status)
}

func dmarcWord(r *auth.Results) string {
	if r.DMARC == nil {
		return ""
	}
	return string(r.DMARC.Status)
}

// dkimWords lists each signature as result:domain.
func dkimWords(r *auth.Results) string {
	if r.DKIMRan && len(r.DKIM) == 0 {
		return "none"
	}
	var b strings.Builder
	for i, d := range r.DKIM {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(string(d.Status))
		if d.Domain != "" {
			b.WriteString(":" + d.Domain)
		}
	}
	return b.String()
}

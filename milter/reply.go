package milter

import (
	"fmt"
	"strings"

	gomilter "github.com/emersion/go-milter"

	"github.com/sealmilter/sealmilter/policy"
)

// maxReplyText bounds the text of a reply; RFC 5321 §4.5.3.1.5 allows a reply
// line of 512 bytes.
const maxReplyText = 400

// sendReply answers the end of a message. Always with codes, never with the
// MTA's own bare REJECT or TEMPFAIL, which differ between MTAs.
func sendReply(w *wire, r policy.Reply) error {
	w.begin(byte(gomilter.ActReplyCode))
	w.str(fmt.Sprintf("%d %s %s", r.Code, r.Enhanced, replyText(r.Text)))
	return w.flush()
}

// replyText makes a text safe for both MTAs: printable ASCII (Sendmail strips
// the eighth bit), one line, `%` doubled (both expand it as a format).
func replyText(s string) string {
	b := []byte(s)
	if len(b) > maxReplyText {
		b = b[:maxReplyText]
	}
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return strings.ReplaceAll(string(b), "%", "%%")
}

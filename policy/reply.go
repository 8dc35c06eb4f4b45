package policy

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Reply is an SMTP reply (RFC 5321 §4.2) with its enhanced code (RFC 3463).
// The zero Reply is no reply.
type Reply struct {
	Code     int
	Enhanced string
	Text     string // printable ASCII, one line, at most 400 bytes
}

func (r Reply) String() string { return fmt.Sprintf("%d %s %s", r.Code, r.Enhanced, r.Text) }

// The texts of a rule that gives none.
const (
	rejectText   = "message rejected by local policy"
	tempfailText = "try again later"
)

// DefaultReply is the reply of Reject and Tempfail where nothing else is said.
// Every reply begins here: RFC 3463 §3.8, x.7.1 = delivery not authorized.
func DefaultReply(a Action) Reply {
	if a == Reject {
		return Reply{550, "5.7.1", rejectText}
	}
	return Reply{451, "4.7.1", tempfailText}
}

// replyTemplate is a rule's reply before its fields are filled in.
type replyTemplate struct {
	code     int // 0: the default
	enhanced string
	text     template
}

func (t replyTemplate) expand(f *facts, a Action) Reply {
	r := DefaultReply(a)
	if t.code == 0 {
		return r
	}
	r.Code, r.Enhanced = t.code, t.enhanced
	if s := strings.TrimSpace(t.text.expand(f)); s != "" {
		r.Text = s
	}
	return r
}

var errReplyForm = errors.New(`reply must be "CODE TEXT" or "CODE X.Y.Z TEXT"`)

// splitReply takes "550 5.7.1 text" apart and checks that it fits the action.
// Without an enhanced code it gets the default one of its class.
func splitReply(s string, a Action) (code int, enhanced, text string, err error) {
	num, rest, _ := strings.Cut(s, " ")
	code, err = strconv.Atoi(num)
	if err != nil || len(num) != 3 {
		return 0, "", "", errReplyForm
	}
	def := DefaultReply(a)
	// RFC 5321 §4.2.1: the first digit is the class, the second at most 5.
	if class := def.Enhanced[0]; num[0] != class || num[1] > '5' {
		return 0, "", "", fmt.Errorf("reply code %d does not fit action %s, which needs %cxx", code, a, class)
	}
	rest = strings.TrimLeft(rest, " ")
	first, after, _ := strings.Cut(rest, " ")
	enhanced = def.Enhanced
	if isEnhanced(first) {
		// RFC 2034 §4: both codes say the same class.
		if first[0] != num[0] {
			return 0, "", "", fmt.Errorf("enhanced code %s does not fit reply code %d", first, code)
		}
		enhanced, rest = first, strings.TrimLeft(after, " ")
	}
	if rest == "" {
		return 0, "", "", errors.New("reply has no text")
	}
	return code, enhanced, rest, nil
}

// isEnhanced: RFC 2034 §4, class "." subject "." detail.
func isEnhanced(s string) bool {
	parts := strings.Split(s, ".")
	if len(s) > 9 || len(parts) != 3 || len(parts[0]) != 1 {
		return false
	}
	for _, p := range parts {
		n, err := strconv.ParseUint(p, 10, 10)
		if err != nil || n > 999 || strconv.FormatUint(n, 10) != p {
			return false
		}
	}
	return true
}

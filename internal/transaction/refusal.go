package transaction

import (
	"fmt"

	"github.com/sealmilter/sealmilter/policy"
)

// InternalError is the answer where we could not do our part: never a 5xx
// (RFC 3463 §3.4, x.3.0 = other or undefined mail system status).
var InternalError = policy.Reply{Code: 451, Enhanced: "4.3.0", Text: "message authentication failed internally, try again later"}

// refusal is the verdict about a message that is refused for its header.
func (h *head) refusal() policy.Verdict {
	if h.tooMany() {
		return policy.Verdict{Action: policy.Reject, Rule: "forged-results",
			Reply:  policy.Reply{Code: 550, Enhanced: "5.7.1", Text: "too many header fields that only this host may add"},
			Reason: fmt.Sprintf("more than %d fields that only this host may add", h.lim.HeaderFields)}
	}
	return policy.Verdict{Action: policy.Reject, Rule: "header-size",
		// RFC 3463 §3.4: x.3.4 = message too big for system.
		Reply:  policy.Reply{Code: 552, Enhanced: "5.3.4", Text: "the header section is too large"},
		Reason: fmt.Sprintf("a header section of more than %d bytes", (maxBeyond+1)*h.lim.HeaderSize)}
}

// comeAgain is the verdict about a message whose header found no room: ours is
// not sent unsigned, and others' is not let in unread.
func (h *head) comeAgain() policy.Verdict {
	return policy.Verdict{Action: policy.Tempfail, Rule: "header-memory",
		// RFC 3463 §3.4: x.3.2 = system not accepting network messages.
		Reply:  policy.Reply{Code: 451, Enhanced: "4.3.2", Text: "too much mail with large headers at the moment, try again later"},
		Reason: fmt.Sprintf("all messages together hold %d bytes of header (limits.header_memory)", h.lim.HeaderMemory)}
}

package transaction

import (
	"fmt"
	"strings"

	"github.com/sealmilter/sealmilter/auth/header"
)

// head is a header section on its way in, with what is to be removed from it.
type head struct {
	lim     Limits
	foreign []string // the authserv-ids that this client may not use
	account account

	fields    header.Fields
	size      int            // bytes so far
	overLimit string         // why the section is not complete
	claimed   []claim        // deletions: results that claim our id, labels that are ours to give
	dropped   map[int]bool   // the same, as places in fields
	seen      map[string]int // how many fields of each name there were; beyond the limits, of those that only we may write
	beyond    int            // bytes of the fields beyond the limits
	misplaced bool           // a field that hides results lies there, where its index is not known
}

func newHead(lim Limits, foreign []string, a account) head {
	return head{lim: lim, foreign: foreign, account: a, dropped: map[int]bool{}, seen: map[string]int{}}
}

// add takes one field as the MTA shows it: folds are LF, and without leadingSpace
// the MTA has eaten the space after the colon.
func (h *head) add(name, value string, leadingSpace bool) {
	if h.account.starved || h.refused() { // whatever else comes
		h.size += len(name) + len(value) + 3
		return
	}
	f := header.Field{Name: name, Value: crlf(value)}
	if !leadingSpace {
		f.Value = " " + f.Value
	}
	ours := h.claim(f)
	switch {
	case h.account.starved:
	case h.overLimit != "":
		h.beyond += f.Len()
	case len(h.fields) >= h.lim.HeaderFields:
		h.overLimit = fmt.Sprintf("more than %d header fields", h.lim.HeaderFields)
	case f.Len() > h.lim.FieldSize:
		h.overLimit = fmt.Sprintf("a header field of more than %d bytes", h.lim.FieldSize)
	case h.size+f.Len() > h.lim.HeaderSize:
		h.overLimit = fmt.Sprintf("a header section of more than %d bytes", h.lim.HeaderSize)
	case !h.hold(f.Len()):
	default:
		if ours {
			h.dropped[len(h.fields)] = true
		}
		h.fields = append(h.fields, f)
	}
	h.size += f.Len()
}

// hold reports whether n more bytes may be kept. If not, nothing is kept at all.
func (h *head) hold(n int) bool {
	if h.account.hold(n) {
		return true
	}
	h.fields, h.claimed, h.dropped, h.seen = nil, nil, nil, nil
	return false
}

// kept is the header section as the MTA will send it: without the fields that
// are about to be removed.
func (h *head) kept() header.Fields {
	if len(h.dropped) == 0 {
		return h.fields
	}
	kept := make(header.Fields, 0, len(h.fields))
	for i, f := range h.fields {
		if !h.dropped[i] {
			kept = append(kept, f)
		}
	}
	return kept
}

// crlf makes CRLF of every line end; the MTAs send LF.
func crlf(s string) string {
	if !strings.Contains(s, "\n") {
		return s
	}
	if strings.Contains(s, "\r") {
		s = strings.ReplaceAll(s, "\r\n", "\n")
	}
	return strings.ReplaceAll(s, "\n", "\r\n")
}

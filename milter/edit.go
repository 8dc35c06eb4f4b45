package milter

import (
	"strings"

	gomilter "github.com/emersion/go-milter"

	"github.com/sealmilter/sealmilter/internal/transaction"
)

// apply sends the edits. It may be called only between the end of body and
// the answer to it.
func apply(w *wire, t terms, edits []transaction.Edit) error {
	for _, e := range edits {
		switch e.Op {
		case transaction.Change:
			w.begin(byte(gomilter.ActChangeHeader))
			w.u32(uint32(e.Index))
			w.str(e.Name)
			w.str(wireValue(e.Value, t.leadingSpace()))
		case transaction.Delete:
			w.begin(byte(gomilter.ActChangeHeader))
			w.u32(uint32(e.Index))
			w.str(e.Name)
			w.str("")
		case transaction.Insert:
			w.begin(byte(gomilter.ActInsertHeader))
			w.u32(0)
			w.str(e.Name)
			w.str(wireValue(e.Value, t.leadingSpace()))
		case transaction.Quarantine:
			if !t.quarantine() {
				continue
			}
			w.begin(byte(gomilter.ActQuarantine))
			w.str(e.Value)
		}
		if err := w.flush(); err != nil {
			return err
		}
	}
	return nil
}

// wireValue turns a field value into what the MTA wants: LF for folds, and no
// leading space where the MTA adds it (without SMFIP_HDR_LEADSPC).
func wireValue(v string, leadingSpace bool) string {
	v = strings.NewReplacer("\r\n", "\n", "\r", "", "\x00", "").Replace(v)
	if !leadingSpace {
		v = strings.TrimPrefix(v, " ")
	}
	return v
}

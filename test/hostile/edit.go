package hostile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/auth/header"
)

// editor applies edits as both MTAs would: Postfix counts again after each
// deletion, Sendmail keeps a field's number.
type editor struct {
	postfix  header.Fields
	sendmail []sendmailField
	errs     []string
}

type sendmailField struct {
	header.Field
	gone bool
}

func newEditor(h header.Fields) *editor {
	e := &editor{postfix: slices.Clone(h)}
	for _, f := range h {
		e.sendmail = append(e.sendmail, sendmailField{Field: f})
	}
	return e
}

func (e *editor) edit(code byte, index int, name, value string) {
	if strings.ContainsAny(name+value, "\r\x00") {
		e.errs = append(e.errs, fmt.Sprintf("edit with CR or NUL: %q %q", name, value))
	}
	value = strings.ReplaceAll(value, "\n", "\r\n")
	f := header.Field{Name: name, Value: value}
	switch {
	case code == 'i' && index == 0:
		e.postfix = slices.Insert(e.postfix, 0, f)
		e.sendmail = slices.Insert(e.sendmail, 0, sendmailField{Field: f})
	case code == 'm' && value == "":
		n := 0
		i := slices.IndexFunc(e.postfix, func(f header.Field) bool {
			if sameName(f.Name, name) {
				n++
			}
			return n == index
		})
		n = 0
		j := slices.IndexFunc(e.sendmail, func(f sendmailField) bool {
			if sameName(f.Name, name) {
				n++
			}
			return n == index
		})
		if i < 0 || j < 0 {
			e.errs = append(e.errs, fmt.Sprintf("no field %d called %q to delete", index, name))
			return
		}
		e.postfix = slices.Delete(e.postfix, i, i+1)
		e.sendmail[j].gone = true
	default:
		e.errs = append(e.errs, fmt.Sprintf("edit %q at %d of %q", code, index, name))
	}
}

// sameName: the MTAs compare names without case and white space at the end.
func sameName(a, b string) bool {
	return strings.EqualFold(strings.TrimRight(a, " \t"), strings.TrimRight(b, " \t"))
}

func (e *editor) result() (header.Fields, []string) {
	var other header.Fields
	for _, f := range e.sendmail {
		if !f.gone {
			other = append(other, f.Field)
		}
	}
	if !slices.Equal(e.postfix, other) {
		e.errs = append(e.errs, "Postfix and Sendmail would end up with different fields")
	}
	return e.postfix, e.errs
}

package publish

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// errNoRecords: Amazon refuses a change batch without a change.
var errNoRecords = errors.New("no DKIM record to put into a change batch")

// What Amazon takes in one batch. An UPSERT counts twice.
const (
	maxBatchRecords = 1000
	maxBatchBytes   = 32000
)

// route53Form holds the DKIM records only. UPSERT replaces all records of a name and
// type: right for a selector of ours, wrong for the domain's own name, where
// SPF lives beside other people's records, and for a DMARC policy.
type route53Form struct{ all []Entry }

func (f *route53Form) add(_ *bufio.Writer, _ string, records []Entry) error {
	for _, e := range records {
		if e.Need != Advice {
			f.all = append(f.all, e)
		}
	}
	return nil
}

func (f *route53Form) note(*bufio.Writer, string) {}

func (f *route53Form) close(b *bufio.Writer) error {
	type value struct{ Value string }
	type set struct {
		Name            string
		Type            string
		TTL             int
		ResourceRecords []value
	}
	type change struct {
		Action            string
		ResourceRecordSet set
	}
	batch := struct {
		Comment string
		Changes []change
	}{Comment: "DKIM keys made by sealmilter. SPF and DMARC are left out: they may exist already; see the plain form."}
	size := 0
	for _, e := range f.all {
		v := e.Value + "."
		if e.Type != TypeCNAME {
			var quoted []string
			for _, c := range e.Chunks() {
				quoted = append(quoted, quoteTXT(c))
			}
			v = strings.Join(quoted, " ")
		}
		size += len(v)
		batch.Changes = append(batch.Changes, change{"UPSERT", set{e.Name + ".", e.typ(), ttl, []value{{v}}}})
	}
	switch {
	case len(batch.Changes) == 0:
		return errNoRecords
	case 2*len(batch.Changes) > maxBatchRecords || 2*size > maxBatchBytes:
		return fmt.Errorf("%d records of %d bytes are more than Amazon takes in one change batch", len(batch.Changes), size)
	}
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(batch)
}

// Package secondopinion asks go-msgauth, a DKIM verifier that shares no code
// with ours, what it thinks of a message (RFC 6376 §6). Every key proves itself
// here before it is trusted, and explain prints the two verdicts side by side.
//
// It is not in the path of inbound mail: go-msgauth's own habits (it compares
// i= and d= case-sensitively, makes permerror of several key records and fail
// of l=) are reported as they are, and the two engines may differ there.
// It is the only importer of github.com/emersion/go-msgauth outside tests.
package secondopinion

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/emersion/go-msgauth/dkim"
)

// The limits of auth's own engine. go-msgauth has none: it works in time
// quadratic in the size of a field and in the number of fields.
const (
	maxHeader     = 512 << 10
	maxField      = 128 << 10
	maxFields     = 1000
	maxSignatures = 8
)

// The words of RFC 8601 §2.7.1 that go-msgauth can give.
const (
	Pass      = "pass"
	Fail      = "fail"
	PermError = "permerror"
	TempError = "temperror"
)

// Verdict is what go-msgauth says of one signature.
type Verdict struct {
	Status string // Pass, Fail, PermError or TempError
	Domain string // d= as written
	AUID   string // i= as written, "@" and d= when absent
	Err    error  // why it is not Pass
}

// VerifyMessage verifies the DKIM signatures of a message, whose lines may end
// in CRLF or LF. The verdicts are in the order of the DKIM-Signature fields,
// top first; of more than 8, the first 8 are verified. No signature: no verdict.
//
// lookupTXT returns one string a record, and neither records nor an error when
// there positively are none (resolve.Void); every error is a temporary one. It
// is called from several goroutines, all of which have ended when VerifyMessage
// returns. The error says that the message could not be read or that its header
// section is beyond the limits above.
func VerifyMessage(raw io.Reader, lookupTXT func(name string) ([]string, error)) ([]Verdict, error) {
	// go-msgauth leaves its goroutines behind when reading fails, so it is told
	// of an end where there was an error.
	body := &quietReader{r: bufio.NewReader(raw)}
	header, err := readHeader(body.r)
	if err != nil {
		return nil, fmt.Errorf("second opinion: %w", err)
	}
	found, err := dkim.VerifyWithOptions(io.MultiReader(bytes.NewReader(header), body), &dkim.VerifyOptions{
		LookupTXT: func(name string) ([]string, error) {
			records, err := lookupTXT(name)
			if err != nil {
				err = temporary{err}
			}
			return records, err
		},
		MaxVerifications: maxSignatures,
	})
	if body.err != nil {
		err = body.err
	}
	if err != nil && !errors.Is(err, dkim.ErrTooManySignatures) {
		return nil, fmt.Errorf("second opinion: %w", err)
	}
	var verdicts []Verdict
	for _, v := range found {
		verdicts = append(verdicts, Verdict{Status: status(v.Err), Domain: v.Domain, AUID: v.Identifier, Err: v.Err})
	}
	return verdicts, nil
}

func status(err error) string {
	switch {
	case err == nil:
		return Pass
	case dkim.IsTempFail(err):
		return TempError
	case dkim.IsPermFail(err):
		return PermError
	}
	return Fail
}

// Prove reports why a message that we have signed with the key
// selector._domainkey.domain does not verify against record, the text that is
// or will be published there. Only that name answers, so nothing but a
// signature with this key can pass.
func Prove(signed []byte, domain, selector, record string) error {
	name := selector + "._domainkey." + domain
	verdicts, err := VerifyMessage(bytes.NewReader(signed), func(asked string) ([]string, error) {
		if strings.EqualFold(asked, name) {
			return []string{record}, nil
		}
		return nil, errOtherKey
	})
	if err != nil {
		return err
	}
	reason := errors.New("the message has no signature with this key")
	for _, v := range verdicts {
		switch v.Status {
		case Pass:
			return nil
		case TempError: // errOtherKey
		default:
			reason = v.Err
		}
	}
	return fmt.Errorf("second opinion: %s does not verify: %w", name, reason)
}

// errOtherKey makes a temperror of the signatures that are not to be proved:
// the key in question never has that result.
var errOtherKey = errors.New("not the key to prove")

// readHeader reads up to and including the empty line, and adds that line to a
// message that ends before it.
func readHeader(r *bufio.Reader) ([]byte, error) {
	var header []byte
	fields, field := 0, 0
	for start := true; ; {
		part, err := r.ReadSlice('\n')
		if len(part) > 0 && start {
			if line := string(part); line == "\n" || line == "\r\n" {
				return append(header, "\r\n"...), nil
			}
			if part[0] != ' ' && part[0] != '\t' {
				fields, field = fields+1, 0
			}
		}
		start = err == nil
		header = append(header, part...)
		field += len(part)
		switch {
		case len(header) > maxHeader:
			return nil, fmt.Errorf("header section is over %d bytes", maxHeader)
		case field > maxField:
			return nil, fmt.Errorf("header field is over %d bytes", maxField)
		case fields > maxFields:
			return nil, fmt.Errorf("more than %d header fields", maxFields)
		case errors.Is(err, io.EOF):
			if len(header) > 0 && header[len(header)-1] != '\n' {
				header = append(header, "\r\n"...)
			}
			return append(header, "\r\n"...), nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

// quietReader remembers an error and gives io.EOF in its place.
type quietReader struct {
	r   *bufio.Reader
	err error
}

func (q *quietReader) Read(p []byte) (int, error) {
	n, err := q.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		q.err, err = err, io.EOF
	}
	return n, err
}

// temporary is a net.Error, the only thing that go-msgauth takes for a
// temporary failure, and only where it is not wrapped.
type temporary struct{ error }

func (temporary) Timeout() bool   { return false }
func (temporary) Temporary() bool { return true }
func (t temporary) Unwrap() error { return t.error }

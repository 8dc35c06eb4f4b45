package dkim

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxColumn is how long the lines of our fields get (RFC 5322 §2.1.1), unless
// a single word is longer.
const maxColumn = 77

// folder writes words into lines.
type folder struct {
	b      strings.Builder
	column int
}

// add writes a word, on a new line when this one has no room for it; space says
// whether a space stands between it and the word before on the same line.
func (f *folder) add(word string, space bool) {
	n := len(word)
	if space {
		n++
	}
	switch {
	case f.column+n > maxColumn:
		f.newLine()
	case space:
		f.b.WriteByte(' ')
		f.column++
	}
	f.b.WriteString(word)
	f.column += len(word)
}

func (f *folder) newLine() {
	f.b.WriteString("\r\n ")
	f.column = 1
}

// unsigned is the value of the field with an empty b=, in the tag order of the
// RFC's own examples.
func (it *signing) unsigned(now time.Time) string {
	f := folder{column: len(fieldName) + 1}
	f.add("v=1;", true)
	f.add("a="+it.algorithm+";", true)
	f.add(fmt.Sprintf("c=%s/%s;", it.HeaderCanon, it.BodyCanon), true)
	f.add("d="+it.Domain+";", true)
	f.add("s="+it.Selector+";", true)
	if it.AUID != "" {
		f.add("i="+it.AUID+";", true)
	}
	t := now.Unix()
	f.add("t="+strconv.FormatInt(t, 10)+";", true)
	if it.Expire > 0 {
		f.add("x="+strconv.FormatInt(t+int64(it.Expire/time.Second), 10)+";", true)
	}
	f.newLine()
	for i, n := range it.names {
		if i == 0 {
			n = "h=" + n
		}
		f.add(n+separator(i, len(it.names)), false)
	}
	f.newLine()
	sum := it.body.Sum()
	f.add("bh="+base64.StdEncoding.EncodeToString(sum[:])+";", false)
	f.newLine()
	f.b.WriteString("b=")
	return f.b.String()
}

func separator(i, n int) string {
	if i == n-1 {
		return ";"
	}
	return ":"
}

// foldSignature appends b='s value. Verifiers delete it with all white space
// around it (RFC 6376 §3.7), so its folds are free.
func foldSignature(value, b64 string) string {
	f := folder{column: len(" b=")}
	f.b.WriteString(value)
	for len(b64) > 0 {
		n := min(maxColumn-f.column, len(b64))
		f.b.WriteString(b64[:n])
		if b64 = b64[n:]; b64 != "" {
			f.newLine()
		}
	}
	return f.b.String()
}

// encodeQP writes dkim-quoted-printable (RFC 6376 §2.11). Bytes above ASCII are
// encoded although RFC 8616 §5 allows them in some messages: it is right in all.
func encodeQP(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c := s[i]; c > ' ' && c < 0x7f && c != '=' && c != ';' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "=%02X", c)
		}
	}
	return b.String()
}

//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// serial makes every address and Message-ID of a run distinct.
var serial atomic.Int64

// remote is a fresh address of the outside world; its mail lands in the sink.
func remote(name string) string { return fmt.Sprintf("%s-%d@remote.example", name, serial.Add(1)) }

// box is a fresh mailbox of ours.
func box(name string) string { return fmt.Sprintf("%s-%d@good.example", name, serial.Add(1)) }

// compose builds a message with the usual fields; more are fields on top of them, each with its CRLF.
func compose(author, to, subject, body string, more ...string) []byte {
	var m bytes.Buffer
	for _, f := range more {
		m.WriteString(f)
	}
	fmt.Fprintf(&m, "From: %s\r\nTo: <%s>\r\nSubject: %s\r\nDate: %s\r\nMessage-ID: <%d.%d@e2e>\r\nMIME-Version: 1.0\r\n"+
		"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n%s\r\n",
		author, to, subject, time.Now().Format(time.RFC1123Z), os.Getpid(), serial.Add(1), body)
	return m.Bytes()
}

// field is one header field, unfolded, with its name in lower case.
type field struct{ name, value string }

// fields parses the header of a message with CRLF or LF line ends.
func fields(msg []byte) []field {
	head, _, _ := bytes.Cut(bytes.ReplaceAll(msg, []byte("\r\n"), []byte("\n")), []byte("\n\n"))
	var list []field
	for line := range strings.Lines(string(head)) {
		line = strings.TrimRight(line, "\n")
		if line != "" && (line[0] == ' ' || line[0] == '\t') && list != nil {
			list[len(list)-1].value += " " + strings.TrimSpace(line)
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		list = append(list, field{strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)})
	}
	return list
}

// named returns the values of all fields of a name, top to bottom.
func named(msg []byte, name string) []string {
	var values []string
	for _, f := range fields(msg) {
		if f.name == strings.ToLower(name) {
			values = append(values, f.value)
		}
	}
	return values
}

// names returns the names of all fields, top to bottom, without those that Postfix's delivery agents put on top.
func names(msg []byte) []string {
	var list []string
	for _, f := range fields(msg) {
		switch f.name {
		case "return-path", "x-original-to", "delivered-to":
			if len(list) == 0 {
				continue
			}
		}
		list = append(list, f.name)
	}
	return list
}

// ownResults returns the one Authentication-Results field of ours, which must be the topmost field.
func ownResults(t *testing.T, msg []byte) string {
	t.Helper()
	var own []string
	for _, v := range named(msg, "Authentication-Results") {
		if strings.HasPrefix(v, "mx.good.example;") {
			own = append(own, v)
		}
	}
	if len(own) != 1 {
		t.Fatalf("%d Authentication-Results of ours, want 1:\n%s", len(own), header(msg))
	}
	if top := names(msg); top[0] != "authentication-results" || named(msg, top[0])[0] != own[0] {
		t.Fatalf("our Authentication-Results is not at the top:\n%s", header(msg))
	}
	return own[0]
}

// header is the raw header, for failure texts.
func header(msg []byte) string {
	head, _, _ := bytes.Cut(bytes.ReplaceAll(msg, []byte("\r\n"), []byte("\n")), []byte("\n\n"))
	return string(head[:min(len(head), 8000)])
}

// wantAll checks that text contains every one of the wanted pieces.
func wantAll(t *testing.T, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("no %q in:\n%s", w, text)
		}
	}
}

// mailbox returns the one message that was delivered to one of our mailboxes.
func (l *lab) mailbox(t *testing.T, addr string) []byte {
	t.Helper()
	eventually(t, 30*time.Second, "a message in "+addr, func() bool { return len(l.delivered(addr)) > 0 })
	files := l.delivered(addr)
	if len(files) != 1 {
		t.Fatalf("%d messages in %s", len(files), addr)
	}
	msg, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	return msg
}

// delivered lists the files that were delivered to an address. All mailboxes share one Maildir; virtual(8) notes the
// recipient in the first lines.
func (l *lab) delivered(addr string) []string {
	files, _ := filepath.Glob(filepath.Join(l.postfix.vmail(), "all", "new", "*"))
	var found []string
	for _, f := range files {
		to, known := l.recipients[f]
		if !known {
			head := make([]byte, 1024)
			if n, err := readHead(f, head); err == nil {
				to = strings.Join(named(head[:n], "Delivered-To"), "")
				l.recipients[f] = to
			}
		}
		if to == addr {
			found = append(found, f)
		}
	}
	return found
}

func readHead(file string, buf []byte) (int, error) {
	f, err := os.Open(file)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return f.Read(buf)
}

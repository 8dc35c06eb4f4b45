package milter

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/transaction"
)

// FuzzFrames sends whatever it likes through a socket. What comes back are
// frames that an MTA can take, the session ends with its connection, and nothing
// of it stays.
func FuzzFrames(f *testing.F) {
	offer := "\x00\x00\x00\x0dO\x00\x00\x00\x06\x00\x00\x01\xff\x00\x1f\xff\xff"
	old := "\x00\x00\x00\x0dO\x00\x00\x00\x02\x00\x00\x00\x11\x00\x00\x00\x00"
	frames := func(parts ...string) string {
		var b []byte
		for _, p := range parts {
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(p))), p...)
		}
		return string(b)
	}
	client := "Cout.sender.example\x004\x61\xa8192.0.2.1\x00"
	f.Add([]byte(offer + frames("M<>\x00", "E")))
	f.Add([]byte(old + frames("M<>\x00", "LFrom\x00a@b\x00", "A")))
	f.Add([]byte(offer + frames(client, "Hx\x00", "DMi\x004Q\x00", "M<a@sender.example>\x00", "R<b@c>\x00", "LFrom\x00 a@sender.example\x00",
		"LAuthentication-Results\x00 mail.good.example; dmarc=pass\x00", "LDKIM-Signature\x00 v=1; a=rsa-sha256; d=sender.example; s=s; h=from; bh=; b=\x00", "N", "Bx\r\n", "E")))
	f.Add([]byte(old + frames(client, "M<x@bank.example>\x00", "LFrom\x00 x@bank.example, y@\"\r\n z\x00", "LFrom \x00 \rAuthentication-Results: mail.good.example\x00", "E", "K", "U", "Q")))
	zone := resolve.MustZone(labZone)
	f.Fuzz(func(t *testing.T, data []byte) {
		set := &transaction.Setup{
			AuthservID: "mail.good.example", Rules: transaction.Rules{Local: true, Authenticated: true, DaemonNames: []string{"ORIGINATING"}}, Policy: accepting{},
			Auth: &auth.Authenticator{
				Resolver: zone, SPF: true, DKIM: true, DMARC: true, IPRev: true, Receiver: "mail.good.example",
				Questions: 120, Timeout: time.Minute, MaxSignatures: 8,
				Panic: func(method string, v any, stack []byte) { t.Errorf("panic in %s: %v\n%s", method, v, stack) },
			},
			Limits: transaction.Limits{FieldSize: 1 << 10, HeaderSize: 4 << 10, HeaderFields: 10, HeaderMemory: 1 << 20},
		}
		ours, theirs := socketPair(t)
		ses := &session{srv: NewServer(ServerConfig{Log: discard()}, set), w: newWire(ours, longTimeouts(), 1<<16), ctx: context.Background()}
		ended := make(chan error, 1)
		go func() {
			err := ses.serve()
			ours.Close()
			ended <- err
		}()
		go func() {
			_, _ = theirs.Write(data) // fails when the session ends before
			_ = theirs.CloseWrite()
		}()
		answers, _ := io.ReadAll(theirs)
		if err := <-ended; err != nil && strings.Contains(err.Error(), "panic") {
			t.Fatal(err)
		}
		if ses.msg != nil {
			t.Error("a message outlives its connection")
		}
		if err := checkAnswers(answers); err != nil {
			t.Error(err)
		}
	})
}

// socketPair is a connection over the kernel, as an MTA's is.
func socketPair(t *testing.T) (a, b *net.UnixConn) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var conns [2]*net.UnixConn
	for i, fd := range fds {
		file := os.NewFile(uintptr(fd), "socketpair")
		c, err := net.FileConn(file)
		file.Close()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		conns[i] = c.(*net.UnixConn)
	}
	return conns[0], conns[1]
}

// checkAnswers reads frames to the MTA: whole ones, fields without bare line
// ends and without lines over 998 bytes (RFC 5322 §2.1.1), replies of one line.
func checkAnswers(b []byte) error {
	for len(b) > 0 {
		if len(b) < 5 {
			return fmt.Errorf("cut off frame %q", b)
		}
		n := int(binary.BigEndian.Uint32(b))
		if n < 1 || len(b) < 4+n {
			return fmt.Errorf("cut off frame %q", b)
		}
		code, data := b[4], string(b[5:4+n])
		b = b[4+n:]
		ok := false
		switch code {
		case 'c', 'p':
			ok = data == ""
		case 'O':
			ok = len(data) >= 12
		case 'y':
			text, whole := strings.CutSuffix(data, "\x00")
			ok = whole && len(text) > 10 && len(text) <= 510 && (text[0] == '4' || text[0] == '5') &&
				!strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
		case 'i', 'm':
			ok = goodEdit(data)
		}
		if !ok {
			return fmt.Errorf("answer %q %.300q", code, data)
		}
	}
	return nil
}

// goodEdit: an index, a name and a value; line ends are LF and white space.
func goodEdit(data string) bool {
	if len(data) < 6 || !strings.HasSuffix(data, "\x00") {
		return false
	}
	name, value, ok := strings.Cut(data[4:len(data)-1], "\x00")
	if !ok || name == "" || strings.ContainsAny(value, "\x00\r") {
		return false
	}
	for i, line := range strings.Split(value, "\n") {
		if i == 0 {
			line = name + ":" + line
		} else if line == "" || line[0] != ' ' && line[0] != '\t' {
			return false
		}
		if len(line) > 998 {
			return false
		}
	}
	return true
}

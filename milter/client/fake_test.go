package client

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	gomilter "github.com/emersion/go-milter"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// leadingSpace and the flags by which a milter keeps silent until the end.
const (
	leadingSpace = gomilter.OptHeaderLeadingSpace
	silent       = gomilter.OptNoConnReply | gomilter.OptNoHeloReply | gomilter.OptNoMailReply | gomilter.OptNoRcptReply |
		gomilter.OptNoHeaderReply | gomilter.OptNoEOHReply | gomilter.OptNoBodyReply
)

// fake is a milter that says what a test wants it to say.
type fake struct {
	protocol gomilter.OptProtocol
	// at[code] are the answers to a command, each a frame "code + data"; a
	// command without one is answered with Continue, or not at all when silent.
	at map[gomilter.Code][]string

	path  string
	heard []string // frames but the offer, quoted
	err   error
	done  chan struct{}
}

// start listens for one connection. The test must end it with Close, then wait.
func (f *fake) start(t *testing.T) *Session {
	t.Helper()
	f.path = filepath.Join(t.TempDir(), "s")
	f.done = make(chan struct{})
	l, err := net.Listen("unix", f.path)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(f.done)
		defer l.Close()
		c, err := l.Accept()
		if err != nil {
			f.err = err
			return
		}
		defer c.Close()
		f.err = f.serve(c)
	}()
	s, err := Dial("unix", f.path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (f *fake) wait(t *testing.T) []string {
	t.Helper()
	<-f.done
	if f.err != nil {
		t.Fatal("fake milter: ", f.err)
	}
	return f.heard
}

func (f *fake) serve(c net.Conn) error {
	for {
		frame, err := readFrame(c)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		code := gomilter.Code(frame[0])
		answers, said := f.at[code]
		switch {
		case code == gomilter.CodeOptNeg:
			b := binary.BigEndian.AppendUint32(nil, 6)
			b = binary.BigEndian.AppendUint32(b, uint32(gomilter.OptAddHeader|gomilter.OptChangeHeader|gomilter.OptQuarantine))
			b = binary.BigEndian.AppendUint32(b, uint32(f.protocol))
			if err := writeFrame(c, "O"+string(b)); err != nil {
				return err
			}
			continue
		case code == gomilter.CodeQuit:
			return nil
		case said, code == gomilter.CodeMacro, code == gomilter.CodeAbort:
		case f.protocol&silent == 0 || code == gomilter.CodeEOB:
			answers = []string{"c"}
		}
		f.heard = append(f.heard, strings.Trim(fmt.Sprintf("%q", frame), `"`))
		for _, a := range answers {
			if err := writeFrame(c, a); err != nil {
				return err
			}
		}
	}
}

func readFrame(r io.Reader) (string, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return "", err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n == 0 || n > 1<<20 {
		return "", fmt.Errorf("frame of %d bytes", n)
	}
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	return string(b), err
}

func writeFrame(w io.Writer, s string) error {
	_, err := w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(s))), s...))
	return err
}

// The frames of edits.

func insert(at uint32, name, value string) string {
	return "i" + string(binary.BigEndian.AppendUint32(nil, at)) + name + "\x00" + value + "\x00"
}

func change(at uint32, name, value string) string {
	return "m" + string(binary.BigEndian.AppendUint32(nil, at)) + name + "\x00" + value + "\x00"
}

func hold(reason string) string { return "q" + reason + "\x00" }

func reply(text string) string { return "y" + text + "\x00" }

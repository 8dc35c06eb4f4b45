package milter

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	gomilter "github.com/emersion/go-milter"

	"github.com/sealmilter/sealmilter/internal/transaction"
)

func pipe(t *testing.T, limit int, to Timeouts) (*wire, net.Conn) {
	t.Helper()
	a, b := net.Pipe()
	t.Cleanup(func() { a.Close(); b.Close() })
	return newWire(a, to, limit), b
}

func longTimeouts() Timeouts {
	return Timeouts{First: time.Minute, Idle: time.Minute, Frame: time.Minute}
}

func TestReadFrames(t *testing.T) {
	w, peer := pipe(t, 300_001, longTimeouts())
	big := strings.Repeat("x", 300000)
	go func() {
		// A frame in single bytes, two in one write, one larger than any buffer.
		for _, b := range []byte("\x00\x00\x00\x03Mab") {
			peer.Write([]byte{b})
		}
		peer.Write([]byte("\x00\x00\x00\x01E\x00\x00\x00\x02Qz"))
		peer.Write([]byte{0, 4, 0x93, 0xe1, 'L'})
		io.WriteString(peer, big)
		peer.Close()
	}()
	for _, want := range []string{"Mab", "E", "Qz", "L" + big} {
		f, err := w.read(false)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(f.code) + string(f.data); got != want {
			t.Fatalf("got %.20q (%d bytes), want %.20q", got, len(got), want)
		}
		if d, _ := w.waits(time.Now()); d != 0 {
			t.Errorf("%c: the MTA has waited for us for %v, and we for it", f.code, d)
		}
		f.release()
	}
	if _, err := w.read(false); !errors.Is(err, io.EOF) || errors.Is(err, errStall) {
		t.Errorf("between frames: %v", err)
	}
}

func TestBrokenFrames(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want error
	}{
		"empty":            {"\x00\x00\x00\x00\x00", errFrameSize},
		"over the limit":   {"\x00\x00\x04\x01B", errFrameSize},
		"4 GB":             {"\xff\xff\xff\xffB", errFrameSize},
		"cut in the head":  {"\x00\x00", errStall},
		"cut in the bytes": {"\x00\x00\x00\x09Babc", errStall},
	} {
		t.Run(name, func(t *testing.T) {
			w, peer := pipe(t, 1024, longTimeouts())
			go func() { io.WriteString(peer, c.in); peer.Close() }()
			if _, err := w.read(false); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestDeadlines(t *testing.T) {
	short := time.Millisecond
	for name, c := range map[string]struct {
		to    Timeouts
		send  string
		first bool
		stall bool
	}{
		"no offer":             {Timeouts{First: short, Idle: time.Hour, Frame: time.Hour}, "", true, false},
		"no next frame":        {Timeouts{First: time.Hour, Idle: short, Frame: time.Hour}, "", false, false},
		"stopped in the head":  {Timeouts{First: time.Hour, Idle: time.Hour, Frame: short}, "\x00\x00", false, true},
		"stopped in the frame": {Timeouts{First: time.Hour, Idle: time.Hour, Frame: short}, "\x00\x00\x00\x09Ba", false, true},
	} {
		t.Run(name, func(t *testing.T) {
			w, peer := pipe(t, 1024, c.to)
			go io.WriteString(peer, c.send)
			_, err := w.read(c.first)
			if !errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, errStall) != c.stall {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestAnswerNamesMacros: an MTA that takes a list of macros gets one for each stage.
func TestAnswerNamesMacros(t *testing.T) {
	const numbers = "O\x00\x00\x00\x06\x00\x00\x01\x00\x00\x00\x00\x00"
	w, peer := pipe(t, 1024, longTimeouts())
	go func() {
		if err := (terms{version: 6, actions: gomilter.OptSetSymList}).answer(w); err != nil {
			t.Error(err)
		}
		w.conn.Close()
	}()
	got, err := io.ReadAll(peer)
	want := numbers + "\x00\x00\x00\x00j v _ {daemon_name} {client_addr} {client_name} {if_name}\x00" +
		"\x00\x00\x00\x02i {auth_authen} {auth_type}\x00\x00\x00\x00\x03i\x00\x00\x00\x00\x04i\x00\x00\x00\x00\x05i\x00"
	if err != nil || string(got[min(4, len(got)):]) != want {
		t.Errorf("%v\n%q, want\n%q", err, got, want)
	}
}

// TestWriteEnds: an MTA that does not read keeps nobody for longer than a frame
// may take, and a large frame's bytes are not kept.
func TestWriteEnds(t *testing.T) {
	w, _ := pipe(t, 1024, Timeouts{Frame: time.Millisecond})
	if err := w.write('x'); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	for size, kept := range map[int]bool{64 << 10: true, 64<<10 + 1: false} {
		w, peer := pipe(t, 1024, longTimeouts())
		go io.Copy(io.Discard, peer)
		w.out = make([]byte, 0, size)
		if err := w.write('x'); err != nil || (w.out != nil) != kept {
			t.Errorf("%v, %d of %d bytes are kept", err, cap(w.out), size)
		}
	}
}

// TestEditsOnTheWire: what the MTA is told for each edit, with the white space
// behind the colon and without.
func TestEditsOnTheWire(t *testing.T) {
	edits := []transaction.Edit{
		{Op: transaction.Change, Index: 2, Name: "From", Value: " a\r\n\tb"}, {Op: transaction.Delete, Index: 1, Name: "X", Value: " x"},
		{Op: transaction.Insert, Index: 7, Name: "A", Value: "  v\r\n w\rx\x00"}, {Op: transaction.Quarantine, Value: "why"},
	}
	for _, tc := range []struct {
		terms terms
		want  []string
	}{
		{terms{protocol: gomilter.OptHeaderLeadingSpace, actions: gomilter.OptQuarantine},
			[]string{"m\x00\x00\x00\x02From\x00 a\n\tb\x00", "m\x00\x00\x00\x01X\x00\x00", "i\x00\x00\x00\x00A\x00  v\n wx\x00", "qwhy\x00"}},
		{terms{}, []string{"m\x00\x00\x00\x02From\x00a\n\tb\x00", "m\x00\x00\x00\x01X\x00\x00", "i\x00\x00\x00\x00A\x00 v\n wx\x00"}},
	} {
		w, peer := pipe(t, 1024, longTimeouts())
		go func() {
			if err := errors.Join(apply(w, tc.terms, edits), w.write('x', []byte("ab"), []byte("c"))); err != nil {
				t.Error(err)
			}
			w.conn.Close()
		}()
		data, err := io.ReadAll(peer)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for len(data) >= 4 {
			n := binary.BigEndian.Uint32(data)
			got, data = append(got, string(data[4:4+n])), data[4+n:]
		}
		if !slices.Equal(got, append(tc.want, "xabc")) || len(data) > 0 {
			t.Errorf("%q, want %q", got, tc.want)
		}
	}
}

func TestHurryEndsTheWaitForATransaction(t *testing.T) {
	w, _ := pipe(t, 1024, longTimeouts())
	got := make(chan error)
	go func() { _, err := w.read(false); got <- err }()
	w.hurry(time.Millisecond)
	if err := <-got; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestReplyText(t *testing.T) {
	for in, want := range map[string]string{
		"100% sure":              "100%% sure",
		" !~\x7f":                " !~?",
		"two\r\nlines\x00":       "two??lines?",
		"한":                      "???",
		strings.Repeat("a", 999): strings.Repeat("a", 400),
	} {
		if got := replyText(in); got != want {
			t.Errorf("%.20q: %.40q, want %.40q", in, got, want)
		}
	}
}

func TestMacros(t *testing.T) {
	var m macros
	m.set([]byte("Cj\x00mail.example.com\x00{daemon_name}\x00ORIGINATING\x00v\x00Postfix 3.7.11\x00"))
	m.set([]byte("M{auth_authen}\x00alice\x00unwanted\x00x\x00"))
	m.set([]byte("Li\x00ABC123\x00")) // Postfix sends these before every field: nothing else may be lost
	for name, want := range map[string]string{"j": "mail.example.com", "daemon_name": "ORIGINATING", "auth_authen": "alice", "i": "ABC123", "unwanted": ""} {
		if got := m.get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	m.endMessage()
	if m.get("auth_authen") != "" || m.get("i") != "" || m.get("daemon_name") != "ORIGINATING" {
		t.Error("the message's macros outlive it, or the connection's do not")
	}
	m.set(nil)
	m.set([]byte("M{auth_authen}")) // no NUL at all
	m.set([]byte("Mi\x00" + strings.Repeat("q", 100000) + "\x00"))
	if len(m.get("i")) != 1024 {
		t.Errorf("a macro of %d bytes was kept", len(m.get("i")))
	}
}

func TestSendmailNeedsEvidence(t *testing.T) {
	for packet, want := range map[string]bool{
		"":                                    false,
		"Cv\x00Postfix 3.7.11\x00":            false,
		"Cv\x008.17.1.9/8.17.1\x00":           true,
		"C{if_name}\x00localhost\x00":         true,
		"Cj\x00mail.example.com\x00":          false,
		"Cv\x00Postfix\x00{if_name}\x00x\x00": false,
	} {
		var m macros
		m.set([]byte(packet))
		if m.sendmail() != want {
			t.Errorf("%q: %v", packet, !want)
		}
	}
}

// late is a connection on which a hurry's deadline strikes once, after a
// transaction has begun.
type late struct {
	script
	struck bool
}

func (l *late) Read(p []byte) (int, error) {
	if !l.struck {
		l.struck = true
		return 0, os.ErrDeadlineExceeded
	}
	return l.script.Read(p)
}

func TestHurryThatComesLateEndsNoTransaction(t *testing.T) {
	for _, open := range []bool{true, false} {
		w := newWire(&late{script: script{data: []byte("\x00\x00\x00\x01N")}}, longTimeouts(), 1<<10)
		w.open.Store(open)
		if f, err := w.read(false); (err == nil) != open || open && f.code != 'N' {
			t.Errorf("transaction open %v: %q %v", open, f.code, err)
		}
	}
}

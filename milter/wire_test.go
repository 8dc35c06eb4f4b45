package milter

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
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
	w, peer := pipe(t, 1<<20, longTimeouts())
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
	if len(m.get("i")) != maxMacro {
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

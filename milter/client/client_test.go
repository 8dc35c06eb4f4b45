package client

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	gomilter "github.com/emersion/go-milter"
	"github.com/google/go-cmp/cmp"
)

const sample = "Received: from a\n\tby b\nFrom: kim@x.example\nX-Two: 1\nx-two: 2\n\nbody\n"

var bob = Message{MailFrom: "kim@x.example", RcptTo: []string{"bob@y.example"}, QueueID: "4Q1", Raw: sample}

// TestFrames: what the milter hears, frame by frame, as Postfix would say it.
// The second ABORT is go-milter's Close.
func TestFrames(t *testing.T) {
	for _, tt := range []struct {
		name     string
		protocol gomilter.OptProtocol
		peer     Peer
		msg      Message
		want     []string
	}{
		{"TCP client, leading spaces, silence", silent | leadingSpace,
			Peer{IP: netip.MustParseAddr("192.0.2.1"), Port: 25, Name: "out.x.example", Helo: "helo.x.example"}, bob, []string{
				`DCj\x00mail.example.com\x00{daemon_name}\x00smtpd\x00v\x00Postfix 3.7.11\x00`,
				`Cout.x.example\x004\x00\x19192.0.2.1\x00`,
				`Hhelo.x.example\x00`,
				`DM`,
				`M<kim@x.example>\x00`,
				`R<bob@y.example>\x00`,
				`DLi\x004Q1\x00`, `LReceived\x00 from a\n\tby b\x00`,
				`DLi\x004Q1\x00`, `LFrom\x00 kim@x.example\x00`,
				`DLi\x004Q1\x00`, `LX-Two\x00 1\x00`,
				`DLi\x004Q1\x00`, `Lx-two\x00 2\x00`,
				`N`, `Bbody\r\n`, `DEi\x004Q1\x00`, `E`, `A`, `A`,
			}},
		{"submission over IPv6, answers, no leading spaces", 0,
			Peer{IP: netip.MustParseAddr("2001:db8::1"), Helo: "laptop", Daemon: "ORIGINATING"},
			Message{AuthUser: "kim", RcptTo: []string{"a@y.example", "b@y.example"}, QueueID: "4Q2", Raw: "From:  two spaces\r\nTo:none\r\n"}, []string{
				`DCj\x00mail.example.com\x00{daemon_name}\x00ORIGINATING\x00v\x00Postfix 3.7.11\x00`,
				`C[2001:db8::1]\x006\x00\x002001:db8::1\x00`,
				`Hlaptop\x00`,
				`DM{auth_type}\x00PLAIN\x00{auth_authen}\x00kim\x00`,
				`M<>\x00`,
				`R<a@y.example>\x00`, `R<b@y.example>\x00`,
				`DLi\x004Q2\x00`, `LFrom\x00 two spaces\x00`,
				`DLi\x004Q2\x00`, `LTo\x00none\x00`,
				`N`, `DEi\x004Q2\x00`, `E`, `A`, `A`,
			}},
		{"local program", silent | leadingSpace, Peer{Name: "localhost"}, Message{Raw: "\nonly a body"}, []string{
			`DCj\x00mail.example.com\x00{daemon_name}\x00smtpd\x00v\x00Postfix 3.7.11\x00`,
			`Clocalhost\x00L/dev/null\x00`,
			`H\x00`, `DM`, `M<>\x00`, `N`, `Bonly a body`, `DEi\x00\x00`, `E`, `A`, `A`,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &fake{protocol: tt.protocol}
			s := f.start(t)
			if err := s.Connect(tt.peer); err != nil {
				t.Error(err)
			}
			if _, err := s.Send(tt.msg); err != nil {
				t.Error(err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(tt.want, f.wait(t)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLongBodyComesInChunks(t *testing.T) {
	f := &fake{protocol: silent}
	s := f.start(t)
	body := strings.Repeat("0123456\r\n", 20000)
	a, err := s.Send(Message{Raw: "A: b\r\n\r\n" + body})
	if err != nil {
		t.Error(err)
	}
	s.Close()
	var sizes []int
	for _, h := range f.wait(t) {
		if h[0] == 'B' {
			sizes = append(sizes, len(strings.NewReplacer(`\r`, "\r", `\n`, "\n").Replace(h))-1)
		}
	}
	if want := []int{65535, 65535, 180000 - 2*65535}; !slices.Equal(sizes, want) {
		t.Errorf("chunks of %v bytes, want %v", sizes, want)
	}
	if a.Raw != "A: b\r\n\r\n"+body {
		t.Error("the message came back changed")
	}
}

// TestAnswers: edits are applied as Postfix applies them, replies understood.
func TestAnswers(t *testing.T) {
	const whole = "Received: from a\r\n\tby b\r\nFrom: kim@x.example\r\nX-Two: 1\r\nx-two: 2\r\n\r\nbody\r\n"
	top := func(s string) string { return s + "\r\n" + whole }
	without := func(s string) string { return strings.Replace(whole, s+"\r\n", "", 1) }
	for _, tt := range []struct {
		name     string
		protocol gomilter.OptProtocol
		frames   []string
		want     Answer
	}{
		{"continue", leadingSpace, []string{"c"}, Answer{Code: 250, Text: "2.0.0 Ok", Raw: whole}},
		{"accept", leadingSpace, []string{"a"}, Answer{Code: 250, Text: "2.0.0 Ok", Raw: whole}},
		{"progress, then continue", leadingSpace, []string{"p", "p", "c"}, Answer{Code: 250, Text: "2.0.0 Ok", Raw: whole}},
		{"insertion at the top", leadingSpace, []string{insert(0, "New", " a;\n\tb"), "c"},
			Answer{Code: 250, Text: "2.0.0 Ok", Raw: top("New: a;\r\n\tb"), Edits: 1}},
		{"without leading space the MTA adds it", 0, []string{insert(0, "New", "a"), "c"},
			Answer{Code: 250, Text: "2.0.0 Ok", Raw: top("New: a"), Edits: 1}},
		{"a value without space stays so", leadingSpace, []string{insert(0, "New", "a"), "c"},
			Answer{Code: 250, Text: "2.0.0 Ok", Raw: top("New:a"), Edits: 1}},
		{"the last insertion stands topmost", leadingSpace, []string{insert(0, "B", " b"), insert(0, "A", " a"), "c"},
			Answer{Code: 250, Text: "2.0.0 Ok", Raw: top("A: a\r\nB: b"), Edits: 2}},
		{"insertion beyond the end", leadingSpace, []string{insert(99, "Z", " z"), "c"},
			Answer{Code: 250, Text: "2.0.0 Ok", Raw: strings.Replace(whole, "\r\n\r\n", "\r\nZ: z\r\n\r\n", 1), Edits: 1}},
		{"deletion counts within a name, in any case", leadingSpace, []string{change(2, "X-TWO", ""), "c"},
			Answer{Code: 250, Text: "2.0.0 Ok", Raw: without("x-two: 2"), Edits: 1}},
		{"a deletion renumbers", leadingSpace, []string{change(1, "X-Two", ""), change(1, "X-Two", ""), "c"},
			Answer{Code: 250, Text: "2.0.0 Ok", Raw: strings.Replace(whole, "X-Two: 1\r\nx-two: 2\r\n", "", 1), Edits: 2}},
		{"deletion of what is not there", leadingSpace, []string{change(3, "X-Two", ""), change(1, "Nope", ""), "c"},
			Answer{Code: 250, Text: "2.0.0 Ok", Raw: whole, Edits: 2}},
		{"change", leadingSpace, []string{change(1, "From", " lee@x.example"), "c"},
			Answer{Code: 250, Text: "2.0.0 Ok", Raw: strings.Replace(whole, "kim", "lee", 1), Edits: 1}},
		{"quarantine", leadingSpace, []string{hold("dmarc; fail"), "c"},
			Answer{Code: 250, Text: "2.0.0 Ok", Raw: whole, Held: "dmarc; fail", Edits: 1}},
		{"reply with %", leadingSpace, []string{reply("550 5.7.1 50%% off")},
			Answer{Code: 550, Text: "5.7.1 50% off", Raw: whole}},
		{"temporary reply", leadingSpace, []string{reply("451 4.7.1 later")}, Answer{Code: 451, Text: "4.7.1 later", Raw: whole}},
		{"bare reject", leadingSpace, []string{"r"}, Answer{Code: 550, Raw: whole}},
		{"bare tempfail", leadingSpace, []string{"t"}, Answer{Code: 451, Raw: whole}},
		{"discard", leadingSpace, []string{"d"}, Answer{Code: 250, Discard: true, Raw: whole}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &fake{protocol: silent | tt.protocol, at: map[gomilter.Code][]string{gomilter.CodeEOB: tt.frames}}
			s := f.start(t)
			for range 2 { // the second message of a connection is like the first
				got, err := s.Send(bob)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Error(diff)
				}
			}
			s.Close()
			if heard := f.wait(t); heard[len(heard)-1] != "A" {
				t.Errorf("the last frame is %s, not ABORT", heard[len(heard)-1])
			}
		})
	}
}

func TestUnusableAnswers(t *testing.T) {
	for _, tt := range []struct {
		name string
		at   gomilter.Code
		says string
		want error
	}{
		{"edit that is not ours", gomilter.CodeEOB, "bnew body", errEdit},
		{"new recipient", gomilter.CodeEOB, "+<eve@z.example>\x00", errEdit},
		{"rejection at MAIL", gomilter.CodeMail, "r", errEarly},
		{"reply at RCPT", gomilter.CodeRcpt, reply("550 5.1.1 nobody"), errEarly},
		{"acceptance within the header", gomilter.CodeHeader, "a", errEarly},
		{"rejection at CONNECT", gomilter.CodeConn, "r", errEarly},
		{"frame that is no answer", gomilter.CodeEOB, "?", nil},
		{"reply without text", gomilter.CodeEOB, "y550", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &fake{protocol: leadingSpace, at: map[gomilter.Code][]string{tt.at: {tt.says, "c"}}}
			s := f.start(t)
			err := s.Connect(Peer{IP: netip.MustParseAddr("192.0.2.1")})
			if err == nil {
				_, err = s.Send(bob)
			}
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
			s.Close()
			<-f.done
		})
	}
}

func TestDialFails(t *testing.T) {
	if s, err := Dial("unix", t.TempDir()+"/none"); err == nil {
		s.Close()
		t.Error("connected to nobody")
	}
}

func TestSplit(t *testing.T) {
	for _, tt := range []struct {
		name, raw string
		fields    []field
		body      string
	}{
		{"empty", "", nil, ""},
		{"no body", "A: b", []field{{"A", " b"}}, ""},
		{"LF becomes CRLF", "A: b\n\tc\n\nd\ne", []field{{"A", " b\r\n\tc"}}, "d\r\ne"},
		{"CRLF stays", "A: b\r\n c\r\n\r\nd\r\n", []field{{"A", " b\r\n c"}}, "d\r\n"},
		{"no space, many spaces", "A:b\nC:   d \n\n", []field{{"A", "b"}, {"C", "   d "}}, ""},
		{"space before the colon", "A : b\n\n", []field{{"A ", " b"}}, ""},
		{"empty value", "A:\n\n", []field{{"A", ""}}, ""},
		{"a line that is no field begins the body", "A: b\nhello there\nC: d\n", []field{{"A", " b"}}, "hello there\r\nC: d\r\n"},
		{"words before a colon are no field", "A: b\nhe said: no\n", []field{{"A", " b"}}, "he said: no\r\n"},
		{"colon first", ": b\n", nil, ": b\r\n"},
		{"fold of nothing", " b\nA: c\n", nil, " b\r\nA: c\r\n"},
		{"fold of white space only", "A: b\n \n\n", []field{{"A", " b\r\n "}}, ""},
		{"empty line first", "\nA: b\n", nil, "A: b\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fields, body := split(tt.raw)
			if !slices.Equal(fields, tt.fields) || body != tt.body {
				t.Errorf("%q, %q; want %q, %q", fields, body, tt.fields, tt.body)
			}
		})
	}
}

// FuzzSplit: nothing is lost between split and join.
func FuzzSplit(f *testing.F) {
	f.Add(sample)
	f.Add(" a\n\n")
	f.Add("A:\r\r\n\n\r\nb")
	f.Fuzz(func(t *testing.T, raw string) {
		fields, body := split(raw)
		for _, fd := range fields {
			if !isName(fd.name) {
				t.Errorf("name %q", fd.name)
			}
		}
		again, rest := split(join(fields, body))
		if !slices.Equal(again, fields) || rest != body {
			t.Errorf("%q: %q %q, then %q %q", raw, fields, body, again, rest)
		}
	})
}

package dnsclient

import (
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

func TestUnescape(t *testing.T) {
	tests := map[string]string{
		`plain`:         "plain",
		`a\"b\\c`:       `a"b\c`,
		`\000\255\065`:  "\x00\xffA",
		`\0651`:         "A1",
		`\256`:          "256", // no byte: X with a backslash before it
		`\1`:            "1",
		`\1/2\1:2\x12`:  "1/21:2x12", // not three digits
		`ends in \`:     `ends in \`,
		`\\065`:         `\065`,
		"\xff raw \x00": "\xff raw \x00",
	}
	for in, want := range tests {
		var b strings.Builder
		if unescape(&b, in); b.String() != want {
			t.Errorf("%q: got %q, want %q", in, b.String(), want)
		}
	}
}

// TestLower: RFC 4343 §3, A to Z and nothing else.
func TestLower(t *testing.T) {
	if got := lower("AMZ@[`amz{09-_.\xc4\xff"); got != "amz@[`amz{09-_.\xc4\xff" {
		t.Errorf("%q", got)
	}
}

func TestRawName(t *testing.T) {
	tests := []struct {
		in, want string
		ok       bool
	}{
		{".", "", true},
		{"Mail.Example.", "Mail.Example", true},
		{`a\ b\255.example.`, "a b\xff.example", true},
		{`a\.b.example.`, "", false},
		{`a\046b.example.`, "", false},
		{`a\\.example.`, `a\.example`, true},
	}
	for _, tc := range tests {
		got, ok := rawName(tc.in)
		if ok != tc.ok || ok && got != tc.want {
			t.Errorf("%q: got %q %v, want %q %v", tc.in, got, ok, tc.want, tc.ok)
		}
	}
}

// Whatever name a check builds comes back from the wire as it was.
func FuzzNameRoundTrip(f *testing.F) {
	f.Add("mail.example.com")
	f.Add("a b\"\\\x00\xff(;@$'.example")
	f.Add(`\046\.x`)
	f.Add("*._Spf.ÄÖ")
	f.Fuzz(func(t *testing.T, name string) {
		if resolve.CheckName(name) != nil {
			return
		}
		packet, err := new(dns.Msg).SetQuestion(askName(name), dns.TypeTXT).Pack()
		if err != nil {
			t.Fatalf("%q as %q: %v", name, askName(name), err)
		}
		var m dns.Msg
		if err := m.Unpack(packet); err != nil {
			t.Fatal(err)
		}
		if got, ok := rawName(m.Question[0].Name); !ok || got != name {
			t.Errorf("%q came back as %q, %v", name, got, ok)
		}
	})
}

// No packet makes the reader panic or answer beyond its limits.
func FuzzAnswer(f *testing.F) {
	for _, records := range [][]string{
		{`a.example. 60 IN TXT "v=spf1 " "-all"`},
		{"a.example. 60 IN CNAME b.example.", "b.example. 60 IN TXT x"},
		{"a.example. 60 IN CNAME a.example."},
		{soa},
	} {
		m := new(dns.Msg).SetQuestion("a.example.", dns.TypeTXT)
		m.Response = true
		for _, s := range records {
			rr, err := dns.NewRR(s)
			if err != nil {
				f.Fatal(err)
			}
			m.Answer = append(m.Answer, rr)
		}
		packet, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packet)
	}
	f.Fuzz(func(t *testing.T, packet []byte) {
		var m dns.Msg
		if m.Unpack(packet) != nil {
			return
		}
		ch := chain{name: "a.example", qtype: dns.TypeTXT, ttl: maxTTL}
		r, again, err := ch.follow(&m)
		if again && (ch.name == "a.example" && ch.hops == 0) {
			t.Error("would ask the same question again")
		}
		if err == nil && !again && r.err == nil {
			if _, n, _ := collect(r.rrs, readTXT); n == 0 || n > maxRecords || r.ttl < minTTL || r.ttl > maxTTL {
				t.Errorf("%d records for %v", n, r.ttl)
			}
		}
	})
}

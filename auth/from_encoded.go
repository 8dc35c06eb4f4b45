package auth

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// finder finds the next of something in a text, asked with growing offsets: it
// looks at each byte once.
type finder struct {
	find func(s string) int // as strings.Index
	s    string
	next int // where it is, len(s) for nowhere, less than the offset: not known
}

func newFinder(s string, find func(string) int) finder { return finder{find: find, s: s, next: -1} }

func (f *finder) from(i int) int {
	if f.next >= i {
		return f.next
	}
	if f.next = f.find(f.s[min(i, len(f.s)):]); f.next < 0 {
		f.next = len(f.s)
	} else {
		f.next += i
	}
	return f.next
}

func indexOf(sub string) func(string) int { return func(s string) int { return strings.Index(s, sub) } }

// notEncoded is the index of the first byte that is in no encoded word.
func notEncoded(s string) int {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`<>,;:()\"`, c) >= 0 {
			return i
		}
	}
	return -1
}

// wordFinder tells encoded words (RFC 2047 §2) from other words.
type wordFinder struct {
	s               string
	any             bool // whatever is in it
	mark, end, stop finder
}

func newWordFinder(s string, any bool) wordFinder {
	mark, end := newFinder(s, indexOf("?")), newFinder(s, indexOf("?="))
	return wordFinder{s, any, mark, end, newFinder(s, notEncoded)}
}

// at returns the length of the encoded word at i, 0 if there is none. One with a
// special in it is not taken as a word, as most readers that parse before they
// decode do not either.
func (w *wordFinder) at(i int) int {
	if i >= len(w.s) || !strings.HasPrefix(w.s[i:], "=?") {
		return 0
	}
	charset := w.mark.from(i + 2)
	if charset+2 >= len(w.s) || w.s[charset+2] != '?' || strings.IndexByte("bBqQ", w.s[charset+1]) < 0 {
		return 0
	}
	end := w.end.from(charset + 3)
	if end == len(w.s) || !w.any && w.stop.from(i) < end {
		return 0
	}
	return end + 2 - i
}

// decodedText is a text after its encoded words were decoded. ats says where each
// "@" is that came out of one.
type decodedText struct {
	text string
	ats  []int
}

type decodedWords struct {
	pieces  []decodedText
	shifted bool // ISO-2022 or HZ was among them
	broken  bool // base64 with errors was
}

// wordDecoder decodes a text as readers do that decode encoded words (RFC 2047 §4)
// before they parse, which RFC 2047 §6.2 forbids: wherever they stand, and
// malformed ones, too.
type wordDecoder struct {
	how  decoding
	out  strings.Builder
	ats  []int
	done decodedWords
}

// decoding is how readers differ about encoded words.
type decoding struct {
	spaced bool
	strict bool // base64 with errors is left as it is
}

// decodeWords decodes the encoded words of a field's text. Adjacent ones join.
// With spaced, others do not join with the text beside them, as in Python's
// make_header, words that are not closed are none, padding ends base64, and
// ISO-2022 and HZ are bytes. The pieces are
// the text between decoded line ends, where some readers cut it.
func decodeWords(s string, how decoding) (decodedWords, error) {
	d := wordDecoder{how: how}
	next, mark, end := newFinder(s, indexOf("=?")), newFinder(s, indexOf("?")), newFinder(s, indexOf("?="))
	behind := false // an encoded word
	text := 0       // where the text before the next encoded word begins
	for i := next.from(0); i < len(s); i = next.from(i) {
		charset := mark.from(i + 2)
		if charset+2 >= len(s) || s[charset+2] != '?' || strings.IndexByte("bBqQ", s[charset+1]) < 0 {
			i += 2
			continue
		}
		from := charset + 3
		to := end.from(from)
		after := to + 2
		if to == len(s) && how.spaced { // not closed
			i += 2
			continue
		}
		if to == len(s) {
			if to = strings.IndexAny(s[from:], " \t<>,;:()\""); to < 0 {
				to = len(s) - from
			}
			to += from
			after = to
		}
		if c := s[charset+1]; (c == 'b' || c == 'B') && !sound(s[from:to]) {
			d.done.broken = true
			if how.strict {
				i += 2
				continue
			}
		}
		between := s[text:i]
		if !behind || strings.Trim(between, " \t") != "" {
			d.plain(between, behind)
			d.space()
		}
		if err := d.word(s[i+2:charset], s[charset+1], s[from:to]); err != nil {
			return d.done, err
		}
		behind, text, i = true, after, after
	}
	d.plain(s[text:], behind)
	d.cut()
	return d.done, nil
}

func (d *wordDecoder) plain(s string, behind bool) {
	if behind {
		d.space()
	}
	d.out.WriteString(s)
}

func (d *wordDecoder) space() {
	if d.how.spaced {
		d.out.WriteByte(' ')
	}
}

// cut ends a piece.
func (d *wordDecoder) cut() {
	d.done.pieces = append(d.done.pieces, decodedText{d.out.String(), d.ats})
	d.out = strings.Builder{}
	d.ats = nil
}

// word decodes one encoded word.
func (d *wordDecoder) word(charset string, encoding byte, text string) error {
	if encoding == 'b' || encoding == 'B' {
		text = lenientBase64(text, d.how.spaced)
	} else {
		text = quotedPrintable(text)
	}
	name, _, _ := strings.Cut(charset, "*") // RFC 2231 §5: a language
	switch kindOf(name) {
	case charsetUnknown:
		return errCharset
	case charsetUTF7:
		text = decodeUTF7(text)
	case charsetWide:
		text = decodeWide(name, text, d.how.spaced)
	case charsetShifted:
		d.done.shifted = true
		if !d.how.spaced {
			text = unshift(text, false)
		}
	case charsetPairs:
		text = withoutPairs(text)
	case charsetBytes:
		text = withoutHigh(text)
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '\r', '\n', 0:
			if !d.how.spaced {
				d.cut()
				continue
			}
			d.out.WriteByte(' ')
			continue
		case '@':
			d.ats = append(d.ats, d.out.Len())
		}
		d.out.WriteByte(text[i])
	}
	return nil
}

var errCharset = errors.New("encoded word in an unknown charset")

// quotedPrintable decodes the Q encoding (RFC 2047 §4.2) as far as it is one.
func quotedPrintable(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '_':
			b.WriteByte(' ')
		case c == '=' && i+2 < len(s) && unhex(s[i+1]) >= 0 && unhex(s[i+2]) >= 0:
			b.WriteByte(byte(unhex(s[i+1])<<4 | unhex(s[i+2])))
			i += 2
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// lenientBase64 decodes the B encoding and passes over what is none of its
// letters, as Python's binascii does. After a whole padding it goes on, or not.
func lenientBase64(s string, stop bool) string {
	var b strings.Builder
	bits, letters, pads := uint32(0), 0, 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		v := strings.IndexByte(base64Letters, c)
		switch {
		case v >= 0:
			bits, letters, pads = bits<<6|uint32(v), letters+1, 0
			if letters%4 != 1 {
				b.WriteByte(byte(bits >> (6 - 2*((letters-1)%4))))
			}
		case c != '=' || letters%4 < 2:
		default:
			if pads++; letters%4+pads >= 4 {
				if stop {
					return b.String()
				}
				letters, pads = 0, 0
			}
		}
	}
	return b.String()
}

// sound reports whether a decoder that knows no mercy takes s for base64.
func sound(s string) bool {
	body := strings.TrimRight(s, "=")
	if len(s)%4 != 0 || len(s)-len(body) > 2 {
		return false
	}
	for i := 0; i < len(body); i++ {
		if strings.IndexByte(base64Letters, body[i]) < 0 {
			return false
		}
	}
	return true
}

const base64Letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

// letter stands for letters that are not looked at further. No domain can have it.
const letter = string(utf8.RuneError)

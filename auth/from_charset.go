package auth

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Kinds of charset, by what is needed to see ASCII in them.
type charsetKind int

const (
	charsetUnknown charsetKind = iota // of which ASCII is not to be seen
	charsetUTF8                       // and what is ASCII only
	charsetBytes                      // one byte a letter, ASCII below 0x80
	charsetPairs                      // Shift_JIS, Big5, GBK, EUC and the like
	charsetShifted                    // ISO-2022 and HZ
	charsetUTF7                       // RFC 2152
	charsetWide                       // UTF-16, UTF-32
)

// charsetFamilies: the first prefix that fits counts. Names are without
// punctuation.
var charsetFamilies = []struct {
	kind     charsetKind
	prefixes string
}{
	{charsetUTF7, "utf7 unicode11utf7 unicode20utf7 xunicode20utf7 csutf7"},
	{charsetWide, "utf16 utf32 ucs2 ucs4 iso10646ucs csunicode"},
	{charsetUTF8, "utf8 usascii ascii ansix34 unicode11utf8 cp65001 iso646us"},
	{charsetShifted, "iso2022 csiso2022 hz"},
	{charsetPairs, "shiftjis sjis xsjis mskanji csshiftjis windows31j cswindows31j cp932 ms932 windows932 " +
		"big5 xbig5 cnbig5 csbig5 gbk xgbk gb2312 csgb2312 gb18030 cp936 ms936 windows936 gb chinese isoir58 isoir165 " +
		"cp949 ms949 windows949 xwindows949 cp950 ms950 ksc56 ksc csksc ks korean isoir149 euc xeuc cseuc johab cp1361 uhc"},
	{charsetBytes, "iso8859 iso88 latin l1 csisolatin isoir100 isoir101 windows125 windows874 xcp125 cp125 koi8 cskoi8 " +
		"macintosh mac xmac tis620 viscii tcvn hproman8 cp437 cp720 cp737 cp775 cp850 cp852 cp855 cp856 cp857 cp858 " +
		"cp860 cp861 cp862 cp863 cp864 cp865 cp866 cp869 cp874 cp1125 ibm437 ibm737 ibm775 ibm850 ibm852 ibm855 ibm857 " +
		"ibm858 ibm860 ibm861 ibm862 ibm863 ibm864 ibm865 ibm866 ibm869 ibm1125 dos866 " +
		"csibm437 csibm850 csibm866"},
	// EBCDIC, whose names are many, and what else some library decodes in which
	// any byte, or a word of letters, may be an "@".
	{charsetUnknown, "ebcdic xebcdic csebcdic ibm xibm csibm cp ccsid osf osd ms037 posixbc " +
		"utf ucs unicode xunicode iso10646 csiso10646 " +
		"scsu cesu bocu punycode idna imap raw java c99 rot wchar internal tds 0 1 2 3 4 5 6 7 8 9"},
}

func kindOf(name string) charsetKind {
	const longest = 40 // of a name that counts; hostile ones are long
	var b strings.Builder
	for i := 0; i < min(len(name), longest); i++ {
		switch c := name[i]; {
		case c >= 'A' && c <= 'Z':
			b.WriteByte(c + 'a' - 'A')
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			b.WriteByte(c)
		}
	}
	n := b.String()
	for _, f := range charsetFamilies {
		for p := range strings.SplitSeq(f.prefixes, " ") {
			if strings.HasPrefix(n, p) {
				return f.kind
			}
		}
	}
	return charsetBytes // nobody decodes it, so it is what it is
}

// Controls of ISO-2022 (RFC 1468, RFC 1557, RFC 1922).
const (
	escape   = 0x1b
	shiftOut = 0x0e
	shiftIn  = 0x0f
)

// designation returns the length of the ISO-2022 sequence at the start of s that
// designates an alphabet, 0 for none.
func designation(s string) int {
	n := 2
	switch {
	case len(s) < 3 || s[0] != escape:
		return 0
	case s[1] == '(' && strings.IndexByte("BJIH", s[2]) >= 0, s[1] == '$' && strings.IndexByte("@AB", s[2]) >= 0:
		return 3
	case s[1] == '$' && strings.IndexByte("()*+", s[2]) >= 0:
		n = 3
	default:
		return 0
	}
	if len(s) > n && s[n] >= '@' && s[n] <= 'Z' {
		return n + 1
	}
	return 0
}

// unshift replaces what ISO-2022 and HZ write in letters of two bytes. A text must
// end in ASCII (RFC 1468, RFC 1843); with strict, what does not is left.
func unshift(s string, strict bool) string {
	var b strings.Builder
	last := max(strings.LastIndex(s, "\x1b("), strings.LastIndexByte(s, shiftIn), strings.LastIndex(s, "~}"))
	wide, locking, out, tilde := false, false, false, false
	for i := 0; i < len(s); {
		c := s[i]
		switch n := designation(s[i:]); {
		case strict && i > last:
			b.WriteString(s[i:])
			return b.String()
		case n > 0:
			switch {
			case s[i+1] == '(':
				wide = false
			case n == 4 && s[i+2] != '(':
				locking = true // by SO
			default:
				wide = true
			}
			i += n
			continue
		case c == shiftOut && locking:
			out = true
		case c == shiftIn && locking:
			out = false
		case !tilde && !wide && !out && strings.HasPrefix(s[i:], "~{"):
			tilde, i = true, i+1
		case tilde && strings.HasPrefix(s[i:], "~}"):
			tilde, i = false, i+1
		case c == '\r' || c == '\n':
			wide, out, tilde = false, false, false
			b.WriteByte(c)
		case (wide || out || tilde) && c > ' ':
			b.WriteString(letter)
			i++ // the other half
		default:
			b.WriteByte(c)
		}
		i++
	}
	return b.String()
}

// withoutPairs replaces letters of two bytes.
func withoutPairs(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case i+1 < len(s) && isPair(s[i], s[i+1]):
			b.WriteString(letter)
			i++
		case s[i] >= 0x80:
			b.WriteString(letter)
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// withoutHigh replaces letters that are not ASCII.
func withoutHigh(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			b.WriteString(letter)
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// decodeUTF7 decodes RFC 2152.
func decodeUTF7(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '+' {
			b.WriteByte(s[i])
			continue
		}
		end := i + 1
		for end < len(s) && strings.IndexByte(base64Letters, s[end]) >= 0 {
			end++
		}
		if end == i+1 && end < len(s) && s[end] == '-' {
			b.WriteByte('+')
		}
		raw := lenientBase64(s[i+1:end], false)
		units := make([]uint16, 0, len(raw)/2)
		for j := 0; j+1 < len(raw); j += 2 {
			units = append(units, uint16(raw[j])<<8|uint16(raw[j+1]))
		}
		b.WriteString(string(utf16.Decode(units)))
		if i = end - 1; end < len(s) && s[end] == '-' {
			i = end
		}
	}
	return b.String()
}

// decodeWide decodes UTF-16 or UTF-32. Where neither the name nor a mark says so,
// readers differ about which byte comes first (RFC 2781 §4.3).
func decodeWide(name, s string, little bool) string {
	lower := strings.ToLower(name)
	size := 2
	if strings.Contains(lower, "32") || strings.Contains(lower, "4") {
		size = 4
	}
	switch {
	case strings.HasSuffix(lower, "be"), strings.HasPrefix(s, "\xfe\xff"), strings.HasPrefix(s, "\x00\x00\xfe\xff"):
		little = false
	case strings.HasSuffix(lower, "le"), strings.HasPrefix(s, "\xff\xfe"):
		little = true
	}
	var b strings.Builder
	var units []uint16
	for ; len(s) >= size; s = s[size:] {
		var u uint32
		for i := range size {
			at := i
			if little {
				at = size - 1 - i
			}
			u = u<<8 | uint32(s[at])
		}
		if size == 4 {
			b.WriteRune(rune(min(u, utf8.MaxRune+1)))
			continue
		}
		units = append(units, uint16(u))
	}
	b.WriteString(string(utf16.Decode(units)))
	return strings.ReplaceAll(b.String(), "\ufeff", "")
}

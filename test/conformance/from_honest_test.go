package conformance

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// honestDomain sends the mail of honestFrom, and has authenticated.
const honestDomain = "a.example"

// honestFrom is From field n of honest mail, in the odd forms that such has.
func honestFrom(n uint64) string {
	m := maker{newRand(2047, n)}
	addr := m.honestLocal() + "@" + pick(m, honestDomain, honestDomain, honestDomain, "A.Example", "mail."+honestDomain)
	own := "kim@" + honestDomain
	angle := pick(m, "<"+addr+">", "<"+addr+">", "< "+addr+" >", "<(x)"+addr+">", "<"+addr+"(x)>")
	sep := pick(m, " ", " ", " ", "\r\n ", "\t", "  ", " (work) ", "")
	switch m.IntN(24) {
	case 0:
		return " " + own + " " + angle
	case 1:
		return " '" + own + "' " + angle
	case 2:
		return ` "` + own + `" ` + angle
	case 3:
		return " Kim <" + own + "> " + angle
	case 4:
		return " Kim <mailto:" + addr + ">"
	case 5:
		return ` "Kim" ` + addr
	case 6:
		return ` CORP\kim` + sep + angle
	case 7:
		return " Smile " + pick(m, ":)", ";)", ":-)", "(:", ":(", "<3"[1:]) + " " + angle
	case 8:
		return " Kim (Sales " + angle
	case 9:
		return " " + angle + " (x"
	case 10:
		return pick(m, "(x) ", " ") + addr + pick(m, "", " (Kim)", " (Kim (of) x)", "\r\n (Kim)", " (was kim@old.example)")
	case 11:
		return pick(m, " Kim, Lee ", " Example, Inc. ", " Example: News ", " [JIRA] Kim ", " Kim @ home ", " Kim @kim ", ` Kim "The" Lee `, " Kim's ", " 50% off ", " A&B ", " Kim/Lee ", " Kim | Foo ", " Kim #1 ", " Kim <- ") + strings.ReplaceAll(angle, "<-", "")
	case 12, 13, 14, 15:
		return " " + m.honestEncoded() + pick(m, "", " Lee "+m.honestEncoded()) + sep + angle
	case 16:
		return ` "` + m.honestEncoded() + `"` + sep + angle
	case 17, 18, 19:
		return " " + m.legacy() + sep + angle
	case 20:
		return ` "` + pick(m, "\x95\x5c", "\x83\x5c\x83\x40", "\xa5\x5c\xa6\x72", "\xb1\xe8") + `"` + sep + angle
	case 21:
		return " " + pick(m, `"Lee, Kim <x@y.example>"`, `"kim@b.example via Foo"`, `"Kim \"K\" Lee"`, `"<>"`, `"(x"`, `"a:b;c"`) + sep + angle
	case 22:
		return pick(m, " Team: ", ` "Team" : `) + addr + pick(m, "", ", lee@"+honestDomain) + pick(m, ";", " ;", "")
	}
	return " " + addr + pick(m, "", ",", " ,", ", lee@"+honestDomain, ", Lee <lee@mail."+honestDomain+">")
}

func (m maker) honestLocal() string {
	const atext = "abcXYZ019!#$%&'*+-/=?^_`{|}~"
	switch m.IntN(8) {
	case 0:
		return `"a@b"`
	case 1:
		return `"Kim Lee"`
	case 2:
		return "می\u200cخواهم"
	case 3:
		return "김"
	case 4:
		return "kim%b.example"
	case 5:
		var b strings.Builder
		for range 1 + m.IntN(8) {
			b.WriteByte(atext[m.IntN(len(atext))])
		}
		return b.String()
	}
	return pick(m, "kim", "kim.lee", "kim+tag", "o'lee", "kim=lee", "k-1_2", "bounce=x=y.example")
}

// legacy is a display name in bytes of no declared charset.
func (m maker) legacy() string {
	return pick(m,
		"\x95\x5c\x8e\xa6", "\x83\x5c\x83\x6a\x81\x5b", "\x83\x40\x83\x41", "\x94\x5c", // Shift_JIS: 表示, ソニー, ァア, 能
		"\xb3\x5c\xa5\x5c\xbb\x5c", "\xae\x61", // Big5: 許功蓋, 家
		"\xb1\xe8\xc3\xb6\xbc\xf6",                                                  // EUC-KR: 김철수
		"\x1b$BEDCf\x1b(B", "\x1b$B;3ED\x1b(B \x1b$BB@O:\x1b(B", "\x1b$B<+@A\x1b(B", // ISO-2022-JP
		"\x1b$)C\x0e1hC6<v\x0f", // ISO-2022-KR
		"Ren\xe9", "M\xfcller", "김철수", "田中", "Ko\u0308ln",
	)
}

func (m maker) honestEncoded() string {
	charset, text := "utf-8", ""
	switch m.IntN(10) {
	case 0:
		charset, text = pick(m, "iso-2022-jp", "ISO-2022-JP"), pick(m, "\x1b$BEDCf\x1b(B", "\x1b$B<+@A>+@>\x1b(B", "\x1b$B\"(\x1b(B")
	case 1:
		charset, text = "iso-2022-kr", "\x1b$)C\x0e1hC6<v\x0f"
	case 2:
		charset, text = pick(m, "shift_jis", "Shift_JIS", "cp932"), pick(m, "\x95\x5c\x8e\xa6", "\x83\x5c\x83\x40")
	case 3:
		charset, text = pick(m, "big5", "gb2312", "gbk", "gb18030"), "\xb3\x5c\xa5\x5c"
	case 4:
		charset, text = pick(m, "euc-kr", "ks_c_5601-1987"), "\xb1\xe8"
	case 5:
		charset, text = pick(m, "iso-8859-1", "windows-1252", "iso-8859-15", "koi8-r", "unknown-8bit"), "Ren\xe9 M\xfcller"
	case 6:
		charset, text = pick(m, "utf-7", "UTF-7"), "Andr+AOk- Lee"
	default:
		text = pick(m, "김 이", "Lee, Kim", "Kim (Sales", "Kim :)", `Kim "K"`, "kim@b.example", "kim@b.example via Foo", "Kim <3", "Kim @ home", own(), "Kim; Lee", "Kim: Lee", "Kim\\Lee")
	}
	if m.sometimes(2) {
		return "=?" + charset + "?" + pick(m, "B", "b") + "?" + base64.StdEncoding.EncodeToString([]byte(text)) + "?="
	}
	var b strings.Builder
	for i := range len(text) {
		switch c := text[i]; {
		case c == ' ':
			b.WriteByte('_')
		case c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "=%02X", c)
		}
	}
	return "=?" + charset + "?" + pick(m, "Q", "q") + "?" + b.String() + "?="
}

func own() string { return "kim@" + honestDomain }

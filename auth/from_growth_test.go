package auth

import (
	"encoding/base64"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/auth/header"
)

// growing are From fields of about n bytes, each of something that costs time.
func growing() map[string]func(n int) string {
	forms := map[string]func(n int) string{}
	repeat := func(name, before, s, after string) {
		forms[name] = func(n int) string {
			return before + strings.Repeat(s, max((n-len(before)-len(after))/len(s), 0)) + after
		}
	}
	for _, s := range []string{
		"<", ">", "@", `"`, "(", ")", `\`, ",", ";", ":", ".", "=?", "?=", "=", "?", "[", "a ", "a@", "@a ", "a@b.c,", "<a@b.c>", "<>", "()", "(x)", `""`, `"\"`, `\"`, `\(`, "((", "( ", `"(`, `("`, `"a@b.c"@`,
		"=?x", "=?x?q?", "=?x?q?a", "=?utf-8?q?@?=", "=?utf-8?q?@ ", "=?utf-8?b?", "=?a?b?c?", "@.", "@a.b ", "@a\r\n .b", "a b.", "<@", "@>", "@:", "<a@b.c,", "@a>", ".>", "@\"a\".", "@=?utf-8?q?a?=",
		"\xe9", "\x95\\", "\x95\"", "\x83@", "\x1b$B", "\x1b(B", "\x1b$B<+\x1b(B", "\x1b$)C\x0e", "~{", "김", "@김.", "é", "@é.", "\u3002", "@\u3002", "\xff@a.b/", "'", "@'", "@a.b'", "<@a.b:", "=?utf-8?q?=0A@?=",
	} {
		repeat(fmt.Sprintf("%q and an author", s), " ", s, " <kim@a.example>")
		repeat(fmt.Sprintf("quoted %q", s), ` "`, s, `" <kim@a.example>`)
		repeat(fmt.Sprintf("%q in an address", s), " <kim@", s, ".a.example> (x")
	}
	for _, charset := range []string{"iso-2022-jp", "iso-2022-kr", "hz-gb-2312", "utf-7", "utf-16", "utf-8", "shift_jis"} {
		for _, s := range []string{"~{\x1b$", "~{\x0e\x0f", "\x1b$B<@", "\x1b$B<@\x1b(B", "\x1b$)C\x0e", "~{", "~{<@~}", "+", "+AEA-", "@", "a@b.c,", "@\n", "(", `"`, "\x95"} {
			word := func(text string, encoding byte) string {
				if encoding == 'b' {
					return "=?" + charset + "?b?" + base64.StdEncoding.EncodeToString([]byte(text)) + "?="
				}
				var b strings.Builder
				for i := range len(text) {
					fmt.Fprintf(&b, "=%02X", text[i])
				}
				return "=?" + charset + "?q?" + b.String() + "?="
			}
			for _, encoding := range []byte("qb")[len(forms)%2:][:1] {
				name := fmt.Sprintf("%s %c %q", charset, encoding, s)
				repeat(name+" in many words", " ", word(strings.Repeat(s, 4), encoding)+" ", "<kim@a.example>")
				forms[name+" in one word"] = func(n int) string {
					return " " + word(strings.Repeat(s, max(n/len(s)/3-20, 1)), encoding) + " <kim@a.example>"
				}
			}
		}
	}
	forms["many mailboxes"] = func(n int) string {
		var b strings.Builder
		for i := 0; b.Len() < n-40; i++ {
			fmt.Fprintf(&b, " \"Kim %d\" <kim%d@a.example>,", i, i)
		}
		return b.String()
	}
	forms["many names that are none"] = func(n int) string {
		var b strings.Builder
		for i := 0; b.Len() < n-20; i++ {
			fmt.Fprintf(&b, "@é%d ", i)
		}
		return b.String()
	}
	return forms
}

// TestFromGrowth: four times the From field costs about four times the CPU, in
// every form. The margin is wide: what is quadratic costs sixteen times as much.
func TestFromGrowth(t *testing.T) {
	const (
		most  = 8
		floor = 5 * time.Millisecond // below it nothing can be told apart
		runs  = 5                    // the least counts, where one is not enough
	)
	// The collector's work is not the parser's.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cost := func(form func(int) string, n, runs int) time.Duration {
		h := header.Fields{{Name: "From", Value: form(n)}}
		least := time.Duration(1<<63 - 1)
		for range runs {
			runtime.GC()
			before := threadCPU(t)
			ParseAuthor(h)
			least = min(least, threadCPU(t)-before)
		}
		return max(least, floor)
	}
	for name, form := range growing() {
		if cost(form, maxFrom, 1) <= most*cost(form, maxFrom/4, 1) {
			continue
		}
		small, middle, full := cost(form, maxFrom/4, runs), cost(form, maxFrom/2, runs), cost(form, maxFrom, runs)
		if full > most*small {
			t.Errorf("%s: %v, %v and %v for a quarter, a half and all of %d bytes", name, small, middle, full, maxFrom)
		}
	}
}

// threadCPU is the CPU time of this thread, which other load does not change.
func threadCPU(t *testing.T) time.Duration {
	t.Helper()
	const thread = 1 // RUSAGE_THREAD
	var u syscall.Rusage
	if err := syscall.Getrusage(thread, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkFromGrowth shows the most expensive forms.
func BenchmarkFromGrowth(b *testing.B) {
	for _, name := range []string{"many mailboxes", `iso-2022-jp q "\x1b$B<@\x1b(B" in many words`, `"(x)" and an author`} {
		for _, part := range []int{4, 2, 1} {
			h := header.Fields{{Name: "From", Value: growing()[name](maxFrom / part)}}
			b.Run(fmt.Sprintf("%s/%d", name, len(h[0].Value)), func(b *testing.B) {
				b.SetBytes(int64(len(h[0].Value)))
				for b.Loop() {
					ParseAuthor(h)
				}
			})
		}
	}
}

package auth

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/auth/resolve"
)

// TestParseAuthor: fields that have one reading, tidy or not.
func TestParseAuthor(t *testing.T) {
	for name, tc := range map[string]struct {
		from      string
		mailboxes string // separated by "|"
		domains   string
	}{
		"addr-spec":                     {" a@example.com", "a@example.com", "example.com"},
		"no leading space":              {"a@example.com", "a@example.com", "example.com"},
		"trailing white space":          {" a@example.com \t ", "a@example.com", "example.com"},
		"angle brackets":                {" <a@example.com>", "a@example.com", "example.com"},
		"white space in brackets":       {" Kim < a@example.com >", "a@example.com", "example.com"},
		"display name":                  {" Kim Lee <a@example.com>", "a@example.com", "example.com"},
		"quoted display name":           {` "Lee, Kim <x@y>" <a@example.com>`, "a@example.com", "example.com"},
		"escapes in the display name":   {` "Kim \"K\" \\ Lee" <a@example.com>`, "a@example.com", "example.com"},
		"name touches the bracket":      {` "Kim"<a@example.com>`, "a@example.com", "example.com"},
		"dots in the display name":      {" Kim G. Lee <a@example.com>", "a@example.com", "example.com"},
		"comma in the display name":     {" Example, Inc. <a@example.com>", "a@example.com", "example.com"},
		"colon in the display name":     {" Example: News <a@example.com>", "a@example.com", "example.com"},
		"brackets in the display name":  {" [JIRA] Kim Lee <a@example.com>", "a@example.com", "example.com"},
		"quotes inside the name":        {` Kim "The" Lee <a@example.com>`, "a@example.com", "example.com"},
		"apostrophe":                    {" Kim O'Lee <a@example.com>", "a@example.com", "example.com"},
		"own address as display name":   {" a@example.com <a@example.com>", "a@example.com", "example.com"},
		"own domain as display name":    {" News@Example.Com <a@example.com>", "a@example.com", "example.com"},
		"at sign in the display name":   {" Music @ Night <a@example.com>", "a@example.com", "example.com"},
		"handle in the display name":    {" Kim @kim <a@example.com>", "a@example.com", "example.com"},
		"words behind the bracket":      {" <a@example.com> via lists", "a@example.com", "example.com"},
		"8-bit display name":            {" \xb1\xe8 <a@example.com>", "a@example.com", "example.com"},
		"Korean display name":           {" 김 이 <a@example.com>", "a@example.com", "example.com"},
		"encoded word":                  {" =?utf-8?B?6rmA?= <a@example.com>", "a@example.com", "example.com"},
		"encoded word touches":          {" =?utf-8?Q?Kim_Lee?=<a@example.com>", "a@example.com", "example.com"},
		"encoded word with an address":  {" =?utf-8?B?YUBiLmV4YW1wbGU=?= <a@example.com>", "a@example.com", "example.com"},
		"bare @ in an encoded word":     {" =?utf-8?Q?info@other.example?= <a@example.com>", "a@example.com", "example.com"},
		"own address encoded, brackets": {" =?utf-8?B?S2ltIDxhQGV4YW1wbGUuY29tPg==?= <a@example.com>", "a@example.com", "example.com"},
		"own address encoded, a comma":  {" =?utf-8?Q?a=40example.com=2C_Inc=2E?= <a@example.com>", "a@example.com", "example.com"},
		"another's behind a comma":      {" =?utf-8?Q?Kim=2C_x=40y=2Eexample?= <a@example.com>", "a@example.com", "example.com"},
		"a heart and a handle, encoded": {" =?utf-8?B?S2ltIDwzIEBob21l?= <a@example.com>", "a@example.com", "example.com"},
		"< and @ as halves of letters":  {" =?iso-2022-jp?B?GyRCPCtAQTwrPkAbKEI=?= <a@example.com>", "a@example.com", "example.com"},
		"the same in HZ":                {" =?hz-gb-2312?B?fns8M0AzPjN+fQ==?= <a@example.com>", "a@example.com", "example.com"},
		"comma in an encoded word":      {" =?utf-8?Q?Lee,_Kim?= <a@example.com>", "a@example.com", "example.com"},
		"comment after":                 {" a@example.com (Kim Lee)", "a@example.com", "example.com"},
		"comment touches":               {" a@example.com(Kim)", "a@example.com", "example.com"},
		"comment before":                {" (Kim) a@example.com", "a@example.com", "example.com"},
		"comments in brackets":          {" <(x)a@example.com(y)>", "a@example.com", "example.com"},
		"nested comments":               {` a@example.com (Kim (of (the) \) \( Lees))`, "a@example.com", "example.com"},
		"comment with another address":  {" a@example.com (was b@old.example)", "a@example.com", "example.com"},
		"folded":                        {"\r\n Kim\r\n\tLee\r\n <a@example.com>", "a@example.com", "example.com"},
		"folded with bare LF":           {" Kim\n <a@example.com>", "a@example.com", "example.com"},
		"fold of white space only":      {" a@example.com\r\n ", "a@example.com", "example.com"},
		"space round the at sign":       {" a @ example.com", "a@example.com", "example.com"},
		"quoted local part":             {` <"a b"@example.com>`, `"a b"@example.com`, "example.com"},
		"quoted and atom":               {` "a".b@example.com`, `"a".b@example.com`, "example.com"},
		"dots in odd places":            {" a..b.@example.com", "a..b.@example.com", "example.com"},
		"obsolete route":                {" <@x.example,@y.example:a@example.com>", "a@example.com", "example.com"},
		"route with empty parts":        {" Kim <@x.example,,@y.example: a@example.com>", "a@example.com", "example.com"},
		"trailing dot":                  {" a@Example.COM.", "a@Example.COM.", "example.com"},
		"one label":                     {" root@localhost", "root@localhost", "localhost"},
		"two mailboxes, one domain":     {" a@example.com, Kim <b@EXAMPLE.com>", "a@example.com|b@EXAMPLE.com", "example.com"},
		"two mailboxes, two domains":    {" <a@example.com>,b@example.net", "a@example.com|b@example.net", "example.com example.net"},
		"espoofer: two in a row":        {" admin@legit.example,second@attack.example", "admin@legit.example|second@attack.example", "legit.example attack.example"},
		"semicolon for a comma":         {" a@example.com; b@example.net", "a@example.com|b@example.net", "example.com example.net"},
		"trailing comma":                {" a@example.com,", "a@example.com", "example.com"},
		"empty elements":                {" ,, a@example.com ,(c), ,", "a@example.com", "example.com"},
		"name, and an address":          {" root, <a@example.com>", "a@example.com", "example.com"},
		"bracket without domain":        {" <root>, a@example.com", "a@example.com", "example.com"},
		"group":                         {" Team: a@example.com, Kim <b@example.net>;", "a@example.com|b@example.net", "example.com example.net"},
		"group and mailbox":             {" Team: a@example.com;, b@example.net", "a@example.com|b@example.net", "example.com example.net"},
		"quoted group name":             {` "a@b: c" : a@example.com ;`, "a@example.com", "example.com"},
		"UTF-8 local part":              {" 김@example.com", "김@example.com", "example.com"},
		"U-label":                       {" a@bücher.example", "a@bücher.example", "xn--bcher-kva.example"},
		"ideographic full stop":         {" a@legit。example", "a@legit。example", "legit.example"},
		"percent hack":                  {" a%legit.example@example.com", "a%legit.example@example.com", "example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			a := ParseAuthor(header.Fields{{Name: "To", Value: " x@y"}, {Name: "from", Value: tc.from}})
			if a.Err != nil {
				t.Fatal(a.Err)
			}
			if d := cmp.Diff(strings.Split(tc.mailboxes, "|"), a.Mailboxes); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(strings.Fields(tc.domains), a.Domains); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestParseAuthorRefuses: fields without an address, and fields whose readers
// disagree.
func TestParseAuthorRefuses(t *testing.T) {
	for name, tc := range map[string]struct{ from, err string }{
		"empty":                       {"", "no address"},
		"white space":                 {" \r\n ", "no address"},
		"a name only":                 {" root", "no address"},
		"a quoted name only":          {` "a@example.com"`, "no address"},
		"a comment only":              {" (Kim)", "no address"},
		"empty brackets":              {" <>", "no address"},
		"empty group":                 {" Undisclosed senders:;", "no address"},
		"address literal":             {" a@[192.0.2.1]", "domain literal"},
		"IPv6 literal":                {" <a@[IPv6:2001:db8::1]>", "domain literal"},
		"literal beside a domain":     {" a@example.com, b@[192.0.2.1]", "domain literal"},
		"no local part":               {" @example.com", "without a local part"},
		"no local part in brackets":   {" <@example.com>", "no local part"},
		"no domain":                   {" a@", "without a domain"},
		"no domain in brackets":       {" Kim <a@>", "without a domain"},
		"two at signs":                {" a@b@example.com", "two @"},
		"empty label":                 {" a@example..com", "invalid domain"},
		"an A-label of nothing":       {" a@xn--.example.com", "invalid domain"},
		"an A-label of ASCII":         {" a@XN--example-.com", "invalid domain"},
		"underscore is fine, * not":   {" a@*.example.com", "invalid domain"},
		"slash in the domain":         {" a@example.com/x", "invalid domain"},
		"zero-width space":            {" a@example\u200b.com", "invisible"},
		"right-to-left override":      {" moc.tigel\u202e@example.com", "invisible"},
		"invalid UTF-8 in the local":  {" a\xff@example.com", "invalid UTF-8"},
		"invalid UTF-8 domain":        {" a@ex\xffample.com", "invalid UTF-8"},
		"quoted domain":               {` a@"example.com"`, "malformed domain"},
		"text before an address":      {" Kim a@example.com", "white space"},
		"text behind an address":      {" a@example.com Kim", "white space"},
		"two without a comma":         {" a@example.com b@example.net", "white space"},
		"space in the domain":         {" a@legit.example .attack.example", "white space"},
		"space round a dot":           {" a. b@example.com", "white space"},
		"comment in the domain":       {" a@legit(.attack).example", "comment"},
		"comment before the at sign":  {" a(x)@example.com", "comment"},
		"unclosed quote":              {` "Kim <a@example.com>`, "quoted string is not closed"},
		"quote at the end":            {` <a@example.com> "`, "quoted string is not closed"},
		"escape at the end":           {` "Kim\`, "quoted string is not closed"},
		"unclosed comment":            {" a@example.com (Kim", "comment is not closed"},
		"escape ends the comment":     {` a@example.com (\`, "comment is not closed"},
		"bracket in the comment":      {" <admin@legit.example(>, <second@attack.example>)", "address in a comment"},
		"unopened comment":            {" a@example.com Kim)", "stray )"},
		"unclosed bracket":            {" Kim <a@example.com", "not closed"},
		"unopened bracket":            {" a@example.com>", "> without <"},
		"nested brackets":             {" <<a@example.com>>", "< in angle"},
		"brackets over a comma":       {" <admin@legit.example,second@attack.example>", ", in an address"},
		"colon in brackets":           {" <mailto:a@example.com>", ": in an address"},
		"semicolon in brackets":       {" <a@example.com;>", "; in angle"},
		"address in the route":        {" <@x.example,admin@legit.example:a@attack.example>", "malformed route"},
		"route without colon":         {" <@x.example,@y.example>", "malformed route"},
		"address before a colon":      {" admin@legit.example: <a@attack.example>", "before a colon"},
		"bracket before a colon":      {" <admin@legit.example>: a@attack.example", "before a colon"},
		"@ in a quoted local part":    {` "admin@legit.example"@attack.example`, "quoted local part"},
		"very long address":           {" " + strings.Repeat("a", 1000) + "@example.com", "longer than a line"},
		"deep comments":               {" a@example.com " + strings.Repeat("(", 60) + strings.Repeat(")", 60), "too deeply"},
		"NUL":                         {" a@legit.example\x00@attack.example", "control character"},
		"NUL in a quoted string":      {" \"\x00\" <a@example.com>", "control character"},
		"NUL in a comment":            {" a@example.com (\x00)", "control character"},
		"escaped NUL":                 {" \"\\\x00\" <a@example.com>", "control character"},
		"DEL":                         {" Kim\x7f <a@example.com>", "control character"},
		"escape sequence":             {" \x1b[31m <a@example.com>", "control character"},
		"bare CR":                     {" a@legit.example\rb@attack.example", "bare CR"},
		"line end without fold":       {" a@legit.example\r\nFrom: b@attack.example", "line end"},
		"line end at the end":         {" a@example.com\r\n", "line end"},
		"second address as the name":  {" admin@legit.example <second@attack.example>", "second address"},
		"and a quoted local part":     {` "admin"@legit.example <second@attack.example>`, "second address"},
		"second address behind":       {" <admin@legit.example> second@attack.example", "second address"},
		"and touching":                {" <admin@legit.example>second@attack.example", "second address"},
		"address and empty brackets":  {" admin@legit.example <>", "second address"},
		"two at signs in the name":    {" a@@legit.example <second@attack.example>", "second address"},
		"two brackets":                {" <admin@legit.example> <second@attack.example>", "two angle"},
		"escaped comma":               {` <admin@legit.example>\,<second@attack.example>`, `stray \`},
		"escaped comma in brackets":   {` <admin@legit.example\,><second@attack.example>`, `stray \`},
		"encoded address, then one":   {" =?utf-8?B?PGFkbWluQGxlZ2l0LmNvbT4=?=, <second@attack.example>", "encoded word"},
		"the same in Q":               {" =?utf-8?Q?=3Cadmin=40legit.example=3E?=, <second@attack.example>", "encoded word"},
		"encoded with a bare @":       {" =?utf-8?Q?admin@legit.example?=, <second@attack.example>", "encoded word"},
		"cut up by a comma":           {" =?utf-8?Q?x,admin=40legit.example?=, <second@attack.example>", "encoded word"},
		"cut up by a space":           {" =?utf-8?B?PGFkbWlu QGxlZ2l0LmNvbT4=?=, <second@attack.example>", "encoded word"},
		"encoded in UTF-7":            {" =?utf-7?Q?admin+AEA-legit.example?=, <second@attack.example>", "encoded word"},
		"very long encoded word":      {" =?utf-8?B?" + strings.Repeat("QUFB", 400) + "QGxlZ2l0?=, <second@attack.example>", "encoded word"},
		"two encoded words in one":    {" =?utf-8?B?QQ?Q==?utf-8?Q?x, <second@attack.example>", "encoded word"},
		"unknown encoding":            {" =?utf-8?X?aaaa?=, <second@attack.example>", "encoded word"},
		"encoded local part":          {" =?utf-8?Q?admin=40legit.example=2C?=@attack.example", "encoded word"},
		"an encoding of many letters": {" =?x?=admin@legit.example=?utf-8?Q?x?= <second@attack.example>", "second address"},
		"encoded group name":          {" =?utf-8?B?YWRtaW5AbGVnaXQuZXhhbXBsZQ==?=: second@attack.example;", "encoded word"},
		"name with another full stop": {" admin@legit\u3002example <second@attack.example>", "second address"},
		"name with a quoted domain":   {` admin@"legit.example" <second@attack.example>`, "second address"},
		"impossible route":            {" <@legit..example:a@attack.example>", "invalid domain in a route"},
		"specials in an encoded word": {" =?utf-8?Q?x,<admin@legit.example>?= <second@attack.example>", "two angle"},
	} {
		t.Run(name, func(t *testing.T) {
			a := ParseAuthor(header.Fields{{Name: "From", Value: tc.from}})
			if a.Err == nil || !strings.Contains(a.Err.Error(), tc.err) {
				t.Fatalf("Err = %v, want %q; domains %q", a.Err, tc.err, a.Domains)
			}
			if a.Fields != 1 || a.Domains != nil || a.Domain() != "" {
				t.Errorf("%+v", a)
			}
		})
	}
}

func TestParseAuthorFields(t *testing.T) {
	for name, tc := range map[string]struct {
		names  []string
		fields int
		err    string
	}{
		"none":                {[]string{"To", "Fromage", "X-From"}, 0, "no From field"},
		"one":                 {[]string{"To", "FROM"}, 1, ""},
		"space before colon":  {[]string{"From \t"}, 1, ""},
		"two":                 {[]string{"From", "from"}, 2, "2 From fields"},
		"two, one spaced":     {[]string{"From", "From "}, 2, "2 From fields"},
		"two, one with a NUL": {[]string{"From", "From\x00"}, 2, "2 From fields"},
		"two, one indented":   {[]string{" From", "From"}, 2, "2 From fields"},
		"two, one with NBSP":  {[]string{"From\u00a0", "From"}, 2, "2 From fields"},
		"one with a NUL":      {[]string{"Fr\x00om"}, 1, "malformed name"},
		"behind a bare CR":    {[]string{"X: y\rFrom", "From"}, 2, "2 From fields"},
		"behind a bare LF":    {[]string{"From", "X: y\nFROM "}, 2, "2 From fields"},
		"behind two":          {[]string{"X: y\r\r\x01From", "From"}, 2, "2 From fields"},
		"in a fold":           {[]string{"X: y\r\n From", "X: y\r\tFrom", "From"}, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var h header.Fields
			for _, n := range tc.names {
				h = append(h, header.Field{Name: n, Value: " a@example.com"})
			}
			a := ParseAuthor(h)
			if a.Fields != tc.fields || tc.err == "" && a.Err != nil || tc.err != "" && (a.Err == nil || !strings.Contains(a.Err.Error(), tc.err)) {
				t.Errorf("%d fields, %v", a.Fields, a.Err)
			}
		})
	}
}

// TestParseAuthorRoutes: the domains of a route are no authors, and shown.
func TestParseAuthorRoutes(t *testing.T) {
	a := ParseAuthor(header.Fields{{Name: "From", Value: " Kim <@X.example,,@bücher.example:a@example.com>, b@example.com"}})
	if a.Err != nil || !slices.Equal(a.Domains, []string{"example.com"}) || !slices.Equal(a.Shown, []string{"x.example", "xn--bcher-kva.example"}) {
		t.Errorf("%+v", a)
	}
}

// TestParseAuthorEncoded: a display name that some readers take for another
// author is no reason to refuse the mail, but that author counts.
func TestParseAuthorEncoded(t *testing.T) {
	for name, tc := range map[string]struct{ value, shown string }{
		"encoded, in brackets":    {" =?utf-8?B?PGFkbWluQGxlZ2l0LmV4YW1wbGU+?= <second@attack.example>", "legit.example"},
		"the same behind":         {" <second@attack.example> =?utf-8?Q?=3Cadmin=40legit.example=3E?=", "legit.example"},
		"the same cut in two":     {" =?utf-8?B?PGFkbWluQGxl?= =?utf-8?B?Z2l0LmV4YW1wbGU+?= <second@attack.example>", "legit.example"},
		"the same in UTF-7":       {" =?utf-7?Q?+ADw-admin+AEA-legit.example+AD4-?= <second@attack.example>", "legit.example"},
		"the same in UTF-16":      {" =?utf-16be?Q?=00=3C=00a=00=40=00b=00.=00c=00=3E?= <second@attack.example>", "b.c"},
		"the same beside kanji":   {" =?iso-2022-jp?B?GyRCPCtAQRsoQjxhZG1pbkBsZWdpdC5leGFtcGxlPg==?= <second@attack.example>", "legit.example"},
		"encoded, with a comma":   {" =?utf-8?B?YWRtaW5AbGVnaXQuZXhhbXBsZSwgS2lt?= <second@attack.example>", "legit.example"},
		"encoded behind a comma":  {" <second@attack.example> =?utf-8?B?S2ltLCBhZG1pbkBsZWdpdC5leGFtcGxl?=", "legit.example"},
		"behind other letters":    {" x=?utf-8?B?" + strings.Repeat("QUFB", 400) + "PGFkbWluQGxlZ2l0LmV4YW1wbGU+?= <second@attack.example>", "legit.example"},
		"broken base64 behind it": {" =?utf-8?B?PGFkbWluQGxlZ2l0LmV4YW1wbGU+!?= <second@attack.example>", "legit.example"},
	} {
		t.Run(name, func(t *testing.T) {
			a := ParseAuthor(header.Fields{{Name: "From", Value: tc.value}})
			if a.Err != nil || !slices.Equal(a.Domains, []string{"attack.example"}) || !slices.Equal(a.Shown, []string{tc.shown}) {
				t.Errorf("%+v", a)
			}
		})
	}
}

// TestParseAuthorBounds: 100 KB of From is cheap and what is kept is bounded.
func TestParseAuthorBounds(t *testing.T) {
	var many strings.Builder
	for i := range 8000 {
		fmt.Fprintf(&many, " a@x%d.example,", i)
	}
	a := ParseAuthor(header.Fields{{Name: "From", Value: many.String()}})
	if a.Err != nil || len(a.Mailboxes) != maxMailboxes || len(a.Domains) != maxAuthorDomains {
		t.Errorf("%d mailboxes, %d domains, %v", len(a.Mailboxes), len(a.Domains), a.Err)
	}
	a = ParseAuthor(header.Fields{{Name: "From", Value: strings.Repeat("a@example.com,", 7000) + "b@example.net"}})
	if d := cmp.Diff([]string{"example.com", "example.net"}, a.Domains); d != "" {
		t.Error(d)
	}
	for _, s := range []string{"(", "((", "=?", "=?x?q?", "<", "@", `\`, `"`, "a ", "a@", ",", ":", "[", "()", `""`, "=?x?q?@?="} {
		ParseAuthor(header.Fields{{Name: "From", Value: strings.Repeat(s, 100_000/len(s))}})
	}
}

func FuzzParseAuthor(f *testing.F) {
	for _, s := range []string{
		" Kim <a@example.com>", ` "x" (c (d)) <@r,@s:a@b.c>, g: d@e;`, " =?utf-8?B?QQ==?= a@b", " a@[1]\x00", "\r\n \\\"",
		" a@bücher.example, =?x?q?@?=,<>", " a @ b, c @d <e@f.g>",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, from string) {
		a := ParseAuthor(header.Fields{{Name: "From", Value: from}})
		if (a.Err == nil) != (len(a.Domains) > 0) || a.Fields != 1 {
			t.Fatalf("%+v", a)
		}
		for _, d := range a.Domains {
			if c, err := resolve.CanonicalName(d); err != nil || c != d {
				t.Errorf("domain %q: %q, %v", d, c, err)
			}
		}
		for _, m := range a.Mailboxes {
			if strings.ContainsAny(m, "\x00\r\n\x7f") || !strings.Contains(m, "@") {
				t.Errorf("mailbox %q", m)
			}
		}
		if a.Err != nil {
			return
		}
		// A second look at what was understood understands the same.
		again := ParseAuthor(header.Fields{{Name: "From", Value: " " + strings.Join(a.Mailboxes, ", ")}})
		if len(a.Mailboxes) < maxMailboxes && (again.Err != nil || !slices.Equal(a.Domains, again.Domains)) {
			t.Errorf("%q read again: %+v", a.Mailboxes, again)
		}
	})
}

func BenchmarkParseAuthor(b *testing.B) {
	h := header.Fields{{Name: "From", Value: strings.Repeat(" \"Kim Lee\" <kim@example.com>,", 3500)}}
	b.SetBytes(int64(len(h[0].Value)))
	for b.Loop() {
		ParseAuthor(h)
	}
}

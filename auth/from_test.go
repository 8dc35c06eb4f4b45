package auth

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sealmilter/sealmilter/auth/dmarc"
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
			if d := cmp.Diff(strings.Fields(tc.domains), a.Written()); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestParseAuthorReadings: fields that readers read in several ways. What one of
// them has for an author is one.
func TestParseAuthorReadings(t *testing.T) {
	for name, tc := range map[string]struct{ from, written, shown string }{
		"no local part":               {" @example.com", "", "example.com"},
		"no local part in brackets":   {" <@example.com>", "", "example.com"},
		"two at signs":                {" a@b@example.com", "", "example.com"},
		"invalid UTF-8 in the local":  {" a\xff@example.com", "example.com", ""},
		"quoted domain":               {` a@"example.com"`, "", "example.com"},
		"text before an address":      {" Kim a@example.com", "example.com", ""},
		"text behind an address":      {" a@example.com Kim", "", "example.com example.comkim"},
		"two without a comma":         {" a@example.com b@example.net", "", "example.com example.comb example.net"},
		"space in the domain":         {" a@legit.example .attack.example", "", "legit.example.attack.example legit.example"},
		"space round a dot":           {" a. b@example.com", "example.com", ""},
		"comment in the domain":       {" a@legit(.attack).example", "legit.example", ""},
		"comment before the at sign":  {" a(x)@example.com", "example.com", ""},
		"unclosed quote":              {` "Kim <a@example.com>`, "", "example.com"},
		"quote at the end":            {` <a@example.com> "`, "", "example.com"},
		"unclosed comment":            {" a@example.com (Kim", "", "example.com"},
		"escape ends the comment":     {` a@example.com (\`, "", "example.com"},
		"bracket in the comment":      {" <admin@legit.example(>, <second@attack.example>)", "", "legit.example attack.example"},
		"unopened comment":            {" a@example.com Kim)", "", "example.com example.comkim"},
		"unclosed bracket":            {" Kim <a@example.com", "", "example.com"},
		"unopened bracket":            {" a@example.com>", "", "example.com"},
		"nested brackets":             {" <<a@example.com>>", "", "example.com"},
		"brackets over a comma":       {" <admin@legit.example,second@attack.example>", "", "legit.example attack.example"},
		"colon in brackets":           {" <mailto:a@example.com>", "example.com", ""},
		"semicolon in brackets":       {" <a@example.com;>", "example.com", ""},
		"address in the route":        {" <@x.example,admin@legit.example:a@attack.example>", "", "x.example legit.example attack.example"},
		"route without colon":         {" <@x.example,@y.example>", "", "x.example y.example"},
		"address before a colon":      {" admin@legit.example: <a@attack.example>", "legit.example attack.example", ""},
		"bracket before a colon":      {" <admin@legit.example>: a@attack.example", "legit.example attack.example", ""},
		"@ in a quoted local part":    {` "admin@legit.example"@attack.example`, "attack.example", ""},
		"second address as the name":  {" admin@legit.example <second@attack.example>", "attack.example", "legit.example"},
		"and a quoted local part":     {` "admin"@legit.example <second@attack.example>`, "attack.example", "legit.example"},
		"second address behind":       {" <admin@legit.example> second@attack.example", "legit.example", "attack.example"},
		"and touching":                {" <admin@legit.example>second@attack.example", "legit.example", "attack.example"},
		"address and empty brackets":  {" admin@legit.example <>", "", "legit.example"},
		"two at signs in the name":    {" a@@legit.example <second@attack.example>", "attack.example", "legit.example"},
		"two brackets":                {" <admin@legit.example> <second@attack.example>", "", "legit.example attack.example"},
		"escaped comma":               {` <admin@legit.example>\,<second@attack.example>`, "legit.example attack.example", ""},
		"escaped comma in brackets":   {` <admin@legit.example\,><second@attack.example>`, "", "legit.example attack.example"},
		"encoded address, then one":   {" =?utf-8?B?PGFkbWluQGxlZ2l0LmNvbT4=?=, <second@attack.example>", "attack.example", "legit.com"},
		"the same in Q":               {" =?utf-8?Q?=3Cadmin=40legit.example=3E?=, <second@attack.example>", "attack.example", "legit.example"},
		"encoded with a bare @":       {" =?utf-8?Q?admin@legit.example?=, <second@attack.example>", "attack.example", "legit.example"},
		"cut up by a comma":           {" =?utf-8?Q?x,admin=40legit.example?=, <second@attack.example>", "attack.example", "legit.example"},
		"cut up by a space":           {" =?utf-8?B?PGFkbWlu QGxlZ2l0LmNvbT4=?=, <second@attack.example>", "attack.example", "legit.com"},
		"encoded in UTF-7":            {" =?utf-7?Q?admin+AEA-legit.example?=, <second@attack.example>", "attack.example", "legit.example"},
		"very long encoded word":      {" =?utf-8?B?" + strings.Repeat("QUFB", 400) + "QGxlZ2l0?=, <second@attack.example>", "attack.example", ""},
		"two encoded words in one":    {" =?utf-8?B?QQ?Q==?utf-8?Q?x, <second@attack.example>", "attack.example", ""},
		"unknown encoding":            {" =?utf-8?X?aaaa?=, <second@attack.example>", "attack.example", ""},
		"encoded local part":          {" =?utf-8?Q?admin=40legit.example=2C?=@attack.example", "", "attack.example legit.example"},
		"an encoding of many letters": {" =?x?=admin@legit.example=?utf-8?Q?x?= <second@attack.example>", "attack.example", "legit.examplex legit.example"},
		"encoded group name":          {" =?utf-8?B?YWRtaW5AbGVnaXQuZXhhbXBsZQ==?=: second@attack.example;", "attack.example", "legit.example"},
		"name with another full stop": {" admin@legit\u3002example <second@attack.example>", "attack.example", "legit.example"},
		"name with a quoted domain":   {` admin@"legit.example" <second@attack.example>`, "attack.example", "legit.example"},
		"specials in an encoded word": {" =?utf-8?Q?x,<admin@legit.example>?= <second@attack.example>", "", "legit.example attack.example"},

		"white space before a dot":               {" ceo@bank .example <eve@attacker.example>", "attacker.example", "bank.example"},
		"white space behind a dot":               {" ceo@bank. example <eve@attacker.example>", "attacker.example", "bank.example"},
		"comment before a dot":                   {" ceo@bank(x).example <eve@attacker.example>", "attacker.example", "bank.example"},
		"fold before a dot":                      {" ceo@bank\r\n .example <eve@attacker.example>", "attacker.example", "bank.example"},
		"all round the dot":                      {" ceo @ (x) bank (y) \r\n . (z) example <eve@attacker.example>", "attacker.example", "bank.example"},
		"white space in a label":                 {" ceo@ba nk.example, eve@attacker.example", "attacker.example", "bank.example"},
		"apostrophes":                            {" 'ceo@bank.example' <eve@attacker.example>", "attacker.example", "bank.example"},
		"square brackets":                        {" ceo@[bank.example] <eve@attacker.example>", "attacker.example", "bank.example"},
		"colon before the domain":                {" <ceo@:bank.example>, eve@attacker.example", "attacker.example", "bank.example"},
		"address over two brackets":              {" <ceo@bank> <.example>, eve@attacker.example", "attacker.example", "bank.example"},
		"colon before the domain, bare":          {" ceo@:bank.example, eve@attacker.example", "attacker.example", "bank.example"},
		"brackets and text behind":               {" <x@shop> <ceo@bank><.example> y@attacker.example", "", "attacker.example bank.example"},
		"brackets in a label":                    {" ceo@ba<>nk.example, eve@attacker.example", "attacker.example", "bank.example"},
		"bracket in a label":                     {" ceo@ba<nk.example, eve@attacker.example", "", "bank.example attacker.example"},
		"stray bracket in a domain":              {" ceo@bank.>example, eve@attacker.example", "attacker.example", "bank.example"},
		"own address touches":                    {" kim@attacker.example<kim@attacker.example>", "attacker.example", ""},
		"= inside base64":                        {" =?utf-8?b?PGNlb0BiYW5rLm=V4YW1wbGU+?= <eve@attacker.example>", "attacker.example", "bank.example"},
		"no ASCII in an encoded word":            {" ceo\u200c@=?utf-8?q?bank?=.example, eve@attacker.example", "attacker.example", "bank.example"},
		"@ as it is in an encoded word":          {" =?utf-8?q?ceo@bank.example?= <eve@attacker.example>", "attacker.example", "bank.example"},
		"brackets over a colon":                  {" <x@bank> a:b <.example>, eve@attacker.example", "bank attacker.example", "bank.example"},
		"bracket that a comma closes":            {" <x@bank>y<.example, eve@attacker.example>", "", "attacker.example bank.example"},
		"spaces in a quoted domain":              {` "x" <ceo@"bank .example">, eve@attacker.example`, "attacker.example", "bank.example"},
		"a word behind that is not closed":       {" =?utf-8?q?x=40bank=2Eexample?==?utf-8?q?x", "", "bank.examplex bank.example"},
		"encoded domain":                         {" ceo@=?utf-8?q?bank?=.example <eve@attacker.example>", "attacker.example", "bank.example"},
		"decoded parenthesis, not closed":        {" =?utf-8?q?ceo=40bank.example=28?= <eve@attacker.example>", "attacker.example", "bank.example"},
		"decoded parenthesis, closed":            {" =?utf-8?q?ceo=40bank.example_=28?= <eve@attacker.example>)", "attacker.example", "bank.example"},
		"decoded quote":                          {" =?utf-8?q?ceo=40bank.example_=22?= <eve@attacker.example>", "attacker.example", "bank.example"},
		"decoded quotes round the address":       {" =?utf-8?q?ceo=40bank.example_=22?= <eve@attacker.example> =?utf-8?q?=22?=", "attacker.example", "bank.example"},
		"decoded <":                              {" =?utf-8?q?=3Cceo=40bank.example?= <eve@attacker.example>", "attacker.example", "bank.example"},
		"decoded line end":                       {" =?utf-8?q?ceo=40bank.example=0D=0A?= <eve@attacker.example>", "attacker.example", "bank.example"},
		"decoded NUL":                            {" =?utf-8?q?ceo=40bank.example=00?= <eve@attacker.example>", "attacker.example", "bank.example"},
		"decoded quote in a quoted string":       {` "=?utf-8?q?=22_=3Cceo=40bank.example=3E=2C_=22?=" <eve@attacker.example>`, "attacker.example", "bank.example"},
		"encoded in a comment that it closes":    {" eve@attacker.example (=?utf-8?q?=29=2C_ceo=40bank.example_=28?=)", "attacker.example", "bank.example"},
		"encoded next to a comma":                {" =?utf-8?q?ceo=40bank.example?=,<eve@attacker.example>", "attacker.example", "bank.example"},
		"encoded before brackets without domain": {" =?utf-8?q?ceo=40bank.example?= <eve>, <eve@attacker.example>", "attacker.example", "bank.example"},
		"base64 with junk in it":                 {" =?utf-8?b?Y2VvQGJh!bmsuZXhhbXBsZSw=?= <eve@attacker.example>", "attacker.example", "bank.example"},
		"base64 that goes on behind its end":     {" =?utf-8?b?Y2Vv=?QGJh?= =?utf-8?b?Y2VvQGJhbmsuZXhhbXBsZQ==LA==?= <eve@attacker.example>", "attacker.example", "bank.example"},
		"UTF-16 without a mark":                  {" =?utf-16?q?=00c=00=40=00b=00.=00c=00=2C?= <eve@attacker.example>", "attacker.example", "b.c"},
		"quote as half of a letter, Shift_JIS":   {" \"\x95\\\" <ceo@bank.example>,\" <eve@attacker.example>", "attacker.example", "bank.example"},
		"quote as half of a letter, ISO-2022":    {" \x1b$B\"(\x1b(B \"<ceo@bank.example>\" <eve@attacker.example>", "attacker.example", "bank.example"},
		"escaped quote outside of a string":      {` \"<ceo@bank.example>, " <eve@attacker.example>`, "attacker.example", "bank.example"},
		"quote in an encoded word in a string":   {` "=?utf-8?q?"?=" <ceo@bank.example>, "x" <eve@attacker.example>`, "", "attacker.example bank.example"},
		"handle without a dot":                   {" Music @ Night <eve@attacker.example>", "attacker.example", ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := ParseAuthor(header.Fields{{Name: "From", Value: tc.from}})
			if a.Err != nil || a.Fields != 1 {
				t.Fatalf("%+v", a)
			}
			if d := cmp.Diff(strings.Fields(tc.written), a.Written(), cmpopts.EquateEmpty()); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(strings.Fields(tc.shown), a.Shown, cmpopts.EquateEmpty()); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestParseAuthorRefuses: fields without an author domain, with one that cannot be
// looked up, and beyond the limits.
func TestParseAuthorRefuses(t *testing.T) {
	for name, tc := range map[string]struct{ from, err string }{
		"empty":                     {"", "no address"},
		"white space":               {" \r\n ", "no address"},
		"a name only":               {" root", "no address"},
		"a quoted name only":        {` "a@example.com"`, "no address"},
		"a comment only":            {" (Kim)", "no address"},
		"empty brackets":            {" <>", "no address"},
		"empty group":               {" Undisclosed senders:;", "no address"},
		"address literal":           {" a@[192.0.2.1]", "domain literal"},
		"IPv6 literal":              {" <a@[IPv6:2001:db8::1]>", "domain literal"},
		"literal beside a domain":   {" a@example.com, b@[192.0.2.1]", "domain literal beside an author domain"},
		"no domain":                 {" a@", "no address"},
		"no domain in brackets":     {" Kim <a@>", "no address"},
		"empty label":               {" a@example..com", "invalid domain"},
		"an A-label of nothing":     {" a@xn--.example.com", "invalid domain"},
		"an A-label of ASCII":       {" a@XN--example-.com", "invalid domain"},
		"underscore is fine, * not": {" a@*.example.com", "invalid domain"},
		"slash in the domain":       {" a@example.com/x", "invalid domain"},
		"zero-width space":          {" a@example\u200b.com", "invisible"},
		"right-to-left override":    {" moc.tigel\u202e@example.com", "invisible"},
		"invalid UTF-8 domain":      {" a@ex\xffample.com", "invalid domain in the From field"},
		"escape at the end":         {` "Kim\`, "no address"},
		"very long address":         {" " + strings.Repeat("a", 1000) + "@example.com", "address longer than 998 bytes"},
		"deep comments":             {" a@example.com " + strings.Repeat("(", 60) + strings.Repeat(")", 60), "too deeply"},
		"NUL":                       {" a@legit.example\x00@attack.example", "control character"},
		"NUL in a quoted string":    {" \"\x00\" <a@example.com>", "control character"},
		"NUL in a comment":          {" a@example.com (\x00)", "control character"},
		"escaped NUL":               {" \"\\\x00\" <a@example.com>", "control character"},
		"DEL":                       {" Kim\x7f <a@example.com>", "control character"},
		"escape sequence":           {" \x1b[31m <a@example.com>", "control character"},
		"bare CR":                   {" a@legit.example\rb@attack.example", "bare CR"},
		"line end without fold":     {" a@legit.example\r\nFrom: b@attack.example", "line end"},
		"line end at the end":       {" a@example.com\r\n", "line end"},
		"A-label in a route":        {" <@xn--bank-.example:a@attack.example>", "A-label"},
		"A-label, encoded":          {" =?utf-8?q?=3Cceo=40xn--bank-.example=3E?= <a@attack.example>", "A-label"},
		"A-label as the name":       {" ceo@xn--bank-.example <a@attack.example>", "A-label"},
		"name that is no name":      {" ceo@bank..example <a@attack.example>", "invalid domain"},
		"slash behind a name":       {" ceo@bank.example/x <a@attack.example>", "invalid domain"},
		"invisible in a name":       {" ceo@bank\u200b.example <a@attack.example>", "invisible"},
		"letters in a domain":       {" =?iso-8859-1?q?ceo=40b=FCcher.example=2C?= <a@attack.example>", "invalid domain"},
		"unknown charset":           {" =?cp037?q?=83=85=96=7C=82=4B=85?= <a@attack.example>", "unknown charset"},
		"unknown code page":         {" =?ibm-1047?q?=83=7C=82=4B=85?= <a@attack.example>", "unknown charset"},
		"EBCDIC by its number":      {" =?037?q?=83=7C=82=4B=85?= <a@attack.example>", "unknown charset"},
		"ISO-2022 that is none":     {" \x1b[Bceo@bank.example <a@attack.example>", "control character"},
		"SO without announcement":   {" \x0eceo@bank.example\x0f <a@attack.example>", "control character"},
		"six domains":               {" a@a.example, b@b.example, c@c.example, d@d.example, e@e.example, f@f.example", "more than 5 author domains"},
		"six, one of them a name":   {" a@a.example, b@b.example, c@c.example, d@d.example, x@e.example <f@f.example>", "more than 5 author domains"},
		"cron":                      {" root (Cron Daemon)", "no address"},
		"brackets without domain":   {" <root>", "no address"},
		"long field":                {" <a@example.com>" + strings.Repeat(" ", maxFrom), "longer than"},
		"impossible route":          {" <@legit..example:a@attack.example>", "invalid domain in the From field"},
	} {
		t.Run(name, func(t *testing.T) {
			a := ParseAuthor(header.Fields{{Name: "From", Value: tc.from}})
			if a.Err == nil || !strings.Contains(a.Err.Error(), tc.err) || errors.Is(a.Err, ErrNoAuthor) != (strings.HasPrefix(tc.err, "no address") || tc.err == "domain literal") {
				t.Fatalf("Err = %v, want %q; domains %q", a.Err, tc.err, a.Domains)
			}
			if a.Fields != 1 || a.Domains != nil || a.Domain() != "" {
				t.Errorf("%+v", a)
			}
		})
	}
}

// TestParseAuthorHonest: what honest mail has, odd as it is, has its own domain
// for an author and no other.
func TestParseAuthorHonest(t *testing.T) {
	for _, from := range []string{
		"'kim@a.example' <kim@a.example>", "kim@a.example <kim@a.example>", "Kim <kim@a.example> <kim@a.example>", "Kim <mailto:kim@a.example>", `"Kim" kim@a.example`,
		`CORP\jdoe <jdoe@a.example>`, "Smile :) <kim@a.example>", "Kim (Sales <kim@a.example>", "<kim@a.example> (x", "Kim(x)<(x)kim@a.example(y)>(z)", `"kim@home"@a.example`,
		"a!#$%&'*+-/=?^_`{|}~9@a.example", "kim%b.example@a.example", "\u0645\u06cc\u200c\u062e@a.example", `"kim@b.example via Foo" <kim@a.example>`,
		"\x95\x5c\x8e\xa6 <kim@a.example>", "\"\x95\x5c\" <kim@a.example>", "\x83\x40\x83\x41.Ltd <kim@a.example>", "\xb3\x5c\xa5\x5c\xbb\x5c <kim@a.example>", "\xb1\xe8\xc3\xb6 <kim@a.example>",
		"\x1b$B<+@A\x1b(B <kim@a.example>", "\x1b$B\"(\x1b(B <kim@a.example>", "\x1b$)C\x0e1hC6<v\x0f <kim@a.example>", "=?iso-2022-kr?q?=1B$)C=0E1hC6<v=0F?= <kim@a.example>",
		"=?utf-8?q?kim=40b.example?= <kim@a.example>", "=?utf-8?q?Kim_=28Sales?= <kim@a.example>", "=?unknown-8bit?q?Ren=E9?= <kim@a.example>", "=?uft-8?q?Kim?= <kim@a.example>", "=?cp1250?q?Kim?= <kim@a.example>", "=?utf-8*en?q?Kim=2C_Lee?= <kim@a.example>",
		"kim@A.Example.", "Kim @ home <kim@a.example>", "Team: kim@a.example, lee@a.example;", "Kim\x20Lee,kim@a.example",
	} {
		for _, value := range []string{" " + from, "\r\n " + from + " "} {
			a := ParseAuthor(header.Fields{{Name: "From", Value: value}})
			if a.Err != nil || !slices.Equal(a.Domains, []string{"a.example"}) || len(a.Mailboxes) == 0 {
				t.Errorf("%q: %+v", value, a)
			}
		}
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
	if a.Err != nil || !slices.Equal(a.Written(), []string{"example.com"}) || !slices.Equal(a.Shown, []string{"x.example", "xn--bcher-kva.example"}) {
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
			if a.Err != nil || !slices.Equal(a.Written(), []string{"attack.example"}) || !slices.Equal(a.Shown, []string{tc.shown}) {
				t.Errorf("%+v", a)
			}
		})
	}
}

// TestParseAuthorBounds: 100 KB of From is cheap and what is kept is bounded.
func TestParseAuthorBounds(t *testing.T) {
	var many strings.Builder
	for i := range 7000 {
		fmt.Fprintf(&many, " a@x%d.example,", i)
	}
	a := ParseAuthor(header.Fields{{Name: "From", Value: many.String()}})
	if a.Err != errManyAuthors || len(a.Mailboxes) > maxMailboxes || a.Domains != nil {
		t.Errorf("%d mailboxes, %d domains, %v", len(a.Mailboxes), len(a.Domains), a.Err)
	}
	a = ParseAuthor(header.Fields{{Name: "From", Value: strings.Repeat("a@example.com,", 7000) + "b@example.net"}})
	if d := cmp.Diff([]string{"example.com", "example.net"}, a.Domains); d != "" {
		t.Error(d)
	}
	if len(a.Mailboxes) != 100 {
		t.Errorf("%d mailboxes", len(a.Mailboxes))
	}
	const addr = "a@example.com"
	for name, tc := range map[string]struct {
		from, err string
	}{
		"the longest field":           {strings.Repeat(" ", 128<<10-len(addr)) + addr, ""},
		"longer":                      {strings.Repeat(" ", 128<<10-len(addr)+1) + addr, "a From field longer than 131072 bytes"},
		"the longest address":         {strings.Repeat("x", 998-len("example.com")) + "@example.com", ""},
		"longer, an address":          {strings.Repeat("x", 998-len("example.com")+1) + "@example.com", "address longer than 998 bytes"},
		"as many comments in another": {strings.Repeat("(", 50) + strings.Repeat(")", 50) + addr, ""},
		"more":                        {strings.Repeat("(", 51) + strings.Repeat(")", 51) + addr, "comments nested too deeply"},
		"as many words":               {strings.Repeat("x ", 40_000-4) + "<" + addr, ""},
		"more words":                  {strings.Repeat("x ", 40_000-3) + "<" + addr, "more than 40000 words in the From field"},
	} {
		a := ParseAuthor(header.Fields{{Name: "From", Value: tc.from}})
		if tc.err == "" && (a.Err != nil || !slices.Equal(a.Domains, []string{"example.com"})) || tc.err != "" && (a.Err == nil || a.Err.Error() != tc.err) {
			t.Errorf("%s: %v, %v", name, a.Domains, a.Err)
		}
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
		if len(a.Domains) > dmarc.MaxAuthors || !slices.Equal(a.Domains, append(slices.Clone(a.Written()), a.Shown...)) {
			t.Errorf("%+v", a)
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
		if len(a.Shown) == 0 && len(a.Mailboxes) < maxMailboxes && (again.Err != nil || !slices.Equal(a.Domains, again.Domains)) {
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

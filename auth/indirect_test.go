package auth

import (
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/auth/spf"
)

// fields reads "Name: value" lines.
func fields(s string) (h header.Fields) {
	for line := range strings.SplitSeq(s, "|") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			h = append(h, header.Field{Name: name, Value: value})
		}
	}
	return h
}

func TestIndirect(t *testing.T) {
	arc := func(seal, ams, aar string) string {
		return "ARC-Seal: " + seal + "; cv=none; b=|ARC-Message-Signature: " + ams + "; a=rsa-sha256|ARC-Authentication-Results: " + aar + "; mx.example.net; spf=pass"
	}
	for name, tc := range map[string]struct {
		header, mailFrom, pass, fail, want string
	}{
		"plain mail":                        {"From: a@example.com|To: kim@example.org", "a@example.com", "example.com", "", ""},
		"ARC set":                           {arc("i=1", "i=1", "i=1"), "", "", "", "arc"},
		"ARC set, folded, i= late":          {arc("a=rsa-sha256;\r\n\ti = 2 ", "v=1; i=2", "\r\n i=2"), "", "", "", "arc"},
		"ARC set 50":                        {arc("i=50", "i=50", "i=50"), "", "", "", "arc"},
		"ARC set 9":                         {arc("i=9", "i=9", "i=9"), "", "", "", "arc"},
		"ARC set of other characters":       {arc("i=:", "i=:", "i=:"), "", "", "", ""},
		"the twentieth list":                {strings.Repeat("List-Id: <a.example>|", 19) + "List-Id: <list.example.net>", "", "example.net", "", "list"},
		"not compared beyond the twentieth": {strings.Repeat("List-Id: <a.example>|", 20) + "List-Id: <list.example.net>", "", "example.net", "", ""},
		"ARC set 51":                        {arc("i=51", "i=51", "i=51"), "", "", "", ""},
		"ARC set 64":                        {arc("i=64", "i=64", "i=64"), "", "", "", ""},
		"ARC set 0":                         {arc("i=0", "i=0", "i=0"), "", "", "", ""},
		"ARC set of letters":                {arc("i=x", "i=x", "i=x"), "", "", "", ""},
		"ARC set of different instances":    {arc("i=1", "i=2", "i=1"), "", "", "", ""},
		"ARC fields without instance":       {"ARC-Seal: a|ARC-Message-Signature: |ARC-Authentication-Results: mx", "", "", "", ""},
		"half an ARC set":                   {"ARC-Seal: i=1|ARC-Message-Signature: i=1", "", "", "", ""},
		"Resent-From":                       {"resent-from: x@example.net", "", "", "", "resent"},
		"Resent-Sender":                     {"Resent-Sender : x@example.net", "", "", "", "resent"},
		"Resent-To alone":                   {"Resent-To: x@example.net", "", "", "", ""},
		"list, same domain":                 {"List-Id: The List <list.example.net>", "", "list.example.net", "", "list"},
		"list, parent signs":                {"List-Id: <dev.lists.example.net>", "", "example.net", "", "list"},
		"list, child signs":                 {"List-Post: <mailto:dev@example.net>", "", "lists.example.net", "", "list"},
		"list, no brackets":                 {"List-Id: dev.Example.NET", "", "example.net", "", "list"},
		"list, post with subject":           {"List-Post: <http://x.example/>, <MAILTO:dev@lists.example.net?subject=x>", "", "example.net", "", "list"},
		"list, folded":                      {"List-Id: The\r\n List\r\n <list.\r\n example.net>", "", "example.net", "", ""},
		"list, folded before":               {"List-Id: The\r\n List\r\n\t<list.example.net>", "", "example.net", "", "list"},
		"list, unsigned":                    {"List-Id: <list.example.net>", "", "", "", ""},
		"list, signature fails":             {"List-Id: <list.example.net>", "", "", "example.net", ""},
		"list, somebody else signs":         {"List-Id: <list.example.net>", "", "example.com", "", ""},
		"list, name in common only":         {"List-Id: <badexample.net>", "", "example.net", "", ""},
		"list, top-level domain":            {"List-Id: <net>|List-Post: <mailto:a@net>", "", "example.net", "", ""},
		"list, post NO":                     {"List-Post: NO", "", "example.net", "", ""},
		"list, rubbish":                     {"List-Id: <|List-Id: <>|List-Id:|List-Post: <mailto:>|List-Post: <mailto:@>", "", "example.net", "", ""},
		"Delivered-To another":              {"Delivered-To: old@example.net", "", "", "", "delivered-to"},
		"Delivered-To the recipient":        {"Delivered-To: Kim@Example.org ", "", "", "", ""},
		"X-Original-To the recipient":       {"X-Original-To: <kim@example.org>", "", "", "", ""},
		"X-Forwarded-To another":            {"X-Forwarded-To: kim@example.net", "", "", "", "delivered-to"},
		"Delivered-To one of two others":    {"Delivered-To: kim@example.org|Delivered-To: old@example.net", "", "", "", "delivered-to"},
		"Delivered-To nobody":               {"Delivered-To: |X-Original-To: kim", "", "", "", ""},
		"list, its MAIL FROM passes":        {"List-Id: <list.example.net>", "list-bounces@example.net", "spf:example.net", "", "list"},
		"list, MAIL FROM below it passes":   {"List-Post: <mailto:dev@example.net>", "x@bounce.example.net", "spf:Bounce.Example.NET.", "", "list"},
		"list, MAIL FROM fails":             {"List-Id: <list.example.net>", "list-bounces@example.net", "", "spf:example.net", ""},
		"list, MAIL FROM of another":        {"List-Id: <list.example.net>", "a@example.com", "spf:example.com", "", ""},
		"list, null sender's HELO passes":   {"List-Id: <list.example.net>", "", "spf:mx.example.net", "", ""},
		"list, null sender's HELO is it":    {"List-Id: <list.example.net>", "", "spf:list.example.net", "", "list"},
		"SRS0":                              {"", "SRS0=HHH=TT=example.com=a@example.net", "spf:example.net", "", "srs"},
		"SRS0, not its domain's client":     {"", "SRS0=HHH=TT=example.com=a@example.net", "", "spf:example.net", ""},
		"SRS0, nobody asked":                {"", "SRS0=HHH=TT=example.com=a@example.net", "", "", ""},
		"SRS0, a signature is not enough":   {"", "SRS0=HHH=TT=example.com=a@example.net", "example.net", "", ""},
		"SRS1, other separator and case":    {"", "srs1+HHH=example.org==HHH=TT=example.com=a@example.net", "spf:example.net", "", "srs"},
		"SRS0 with a hyphen":                {"", "SRS0-HHH=TT=example.com=a@example.net", "spf:example.net", "", "srs"},
		"no SRS":                            {"", "srs0a@example.net", "spf:example.net", "", ""},
		"no SRS, short":                     {"", "srs0", "spf:example.net", "", ""},
		"no SRS, later":                     {"", "a-srs0=b@example.net", "spf:example.net", "", ""},
		"order: the strongest first":        {"Resent-From: x|" + arc("i=1", "i=1", "i=1"), "SRS0=x", "", "", "arc"},
		"within the first hundred":          {strings.Repeat("Delivered-To: kim@example.org|", 99) + "Delivered-To: x@example.net", "", "", "", "delivered-to"},
		"not looked at beyond the hundred":  {strings.Repeat("Delivered-To: kim@example.org|", 100) + "Delivered-To: x@example.net", "", "", "", ""},
	} {
		// pass and fail are domains of a signature or, behind "spf:", of SPF.
		t.Run(name, func(t *testing.T) {
			env := &Envelope{MailFrom: tc.mailFrom, Recipients: []string{"lee@example.org", "kim@example.org"}}
			var rs []dkim.Result
			var s *spf.Result
			for i, d := range []string{tc.fail, tc.pass} {
				if d, ok := strings.CutPrefix(d, "spf:"); ok {
					s = &spf.Result{Status: []spf.Status{spf.Fail, spf.Pass}[i], Domain: d}
				} else if d != "" {
					rs = append(rs, dkim.Result{Status: []dkim.Status{dkim.Fail, dkim.Pass}[i], Domain: d})
				}
			}
			if got := Indirect(fields(tc.header), env, s, rs); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
	if got := Indirect(fields("Delivered-To: a@b.example"), nil, nil, nil); got != "delivered-to" {
		t.Errorf("without an envelope: %q", got)
	}
	if got := Indirect(nil, nil, nil, nil); got != "" {
		t.Errorf("nothing: %q", got)
	}
}

func FuzzIndirect(f *testing.F) {
	f.Add("List-Id", " <a.b>", "SRS0=")
	f.Add("ARC-Seal", "i=99999999999999999999;", "")
	f.Add("List-Post", "<mailto:@?>", "")
	f.Add("Delivered-To", "<@", "")
	f.Fuzz(func(_ *testing.T, name, value, mailFrom string) {
		h := header.Fields{{Name: name, Value: value}}
		for _, n := range []string{"ARC-Seal", "List-Id", "List-Post", "X-Original-To"} {
			h = append(h, header.Field{Name: n, Value: value})
		}
		Indirect(h, &Envelope{MailFrom: mailFrom}, &spf.Result{Status: spf.Pass, Domain: mailDomain(mailFrom)}, []dkim.Result{{Status: dkim.Pass, Domain: "example.com"}})
	})
}

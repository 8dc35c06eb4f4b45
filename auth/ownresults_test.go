package auth

import (
	"errors"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/dmarc"
	"github.com/sealmilter/sealmilter/auth/spf"
)

func TestOwnDMARC(t *testing.T) {
	ids, domains := []string{"mx.example.com", "mx2.example.com"}, []string{"other.example", "bank.example"}
	const unreadable = "?"
	for value, want := range map[string]string{
		" mx.example.com;\r\n\tspf=pass smtp.mailfrom=a.example;\r\n\tdmarc=fail header.from=bank.example policy.dmarc=reject": "fail",
		"mx.example.com; dmarc=pass header.from=bank.example":                                                                  "pass",
		"mx2.example.com; dmarc=FAIL header.from=BANK.example":                                                                 "fail",
		"\"MX.example.com.\" 1; DMARC/1 = none (c) header.from = \"bank.example\"":                                             "none",
		"mx.example.com; dmarc=temperror":                                                                                      "temperror",
		"mx.example.com; dmarc=fail header.from=list.example":                                                                  "",
		"mx.example.com; dmarc=fail header.from=list.example; dmarc=permerror header.from=other.example":                       "permerror",
		"mx.example.com; dmarc=pass header.from=bank.example; dmarc=fail header.from=bank.example":                             "fail",
		"mx.example.com; dmarc=fail header.from=bank.example; dmarc=pass header.from=bank.example":                             "fail",
		"mx.example.com; dmarc=fail header.from=bank.example header.from=list.example":                                         "fail",
		"mx.example.com; none":  "",
		"mx.example.com; none;": "",
		"mx.example.com":        "",
		"mx.example.com;;":      "",
		"mx.example.com; dkim=pass header.i=\"a b\"@x.example header.b=\"abc/def=\" reason=\"dmarc=fail; \\\" dmarc=fail\"": "",
		"mx.example.com; x-dmarc=fail": "",
		"mx.example.com (; dmarc=fail); spf=pass (dmarc=fail; (dmarc=fail)) smtp.helo=dmarc=fail": "",

		// Nobody's, or somebody else's.
		"": "", ";": "", "(": "", "\"": "", "; dmarc=fail": "", "dmarc=fail header.from=bank.example": "",
		"spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=x;dmarc=none action=none header.from=bank.example;": "",
		"mx.example.net; dmarc=fail header.from=bank.example":                                                "",
		"=?utf-8?Q?mx.example.com?=; dmarc=fail":                                                             "",

		// Ours, and broken.
		"mx.example.com 2; dmarc=pass header.from=bank.example": unreadable,
		"mx.example.com; dmarc=pass (header.from=bank.example":  unreadable,
		"mx.example.com;e(": unreadable, "mx.example.com;=(": unreadable, "mx.example.com;c=": unreadable,
		"mx.example.com (; dmarc=pass header.from=bank.example":        unreadable,
		"mx.example.com; dmarc=pass reason=\"header.from=bank.example": unreadable,
		"mx.example.com; dmarc":                                     unreadable,
		"mx.example.com; dmarc=":                                    unreadable,
		"mx.example.com; dmarc=pass header.from":                    unreadable,
		"mx.example.com; dmarc=pass header . from=x.example":        unreadable,
		"mx.example.com; =pass":                                     unreadable,
		"mx.example.com; dmarc=pass)":                               unreadable,
		"mx.example.com; dmarc=okay header.from=bank.example":       unreadable,
		"mx.example.com dmarc=pass":                                 unreadable,
		"mx.example.com; spf=pass none":                             unreadable,
		"mx.example.com; dmarc=pass " + strings.Repeat("(", 100000): unreadable,
	} {
		got, ok := OwnDMARC(value, ids, domains)
		if !ok {
			got = unreadable
		}
		if got != want {
			t.Errorf("%.120q: %q, want %q", value, got, want)
		}
	}
}

// FuzzOwnDMARC: what we write is read back, whatever the sender put into it.
func FuzzOwnDMARC(f *testing.F) {
	f.Add("bank.example", "-exists:;dmarc=pass;.%{d}", "a\"; dmarc=pass header.from=x", "x\\")
	f.Add("a", "(", ")", "\"")
	f.Fuzz(func(t *testing.T, from, reason, domain, selector string) {
		for _, status := range []dmarc.Status{dmarc.Pass, dmarc.Fail, dmarc.TempError} {
			value := FormatResults("mx.example.com", Results{
				SPF:  &spf.Result{Status: spf.Fail, Mechanism: reason, Domain: domain},
				DKIM: []dkim.Result{{Status: dkim.Fail, Domain: domain, Selector: selector, AUID: selector, Err: errors.New(reason)}}, DKIMRan: true,
				DMARC: &dmarc.Result{Status: status, AuthorDomain: "bank.example", Err: errors.New(reason)},
			}, &Envelope{MailFrom: from})
			if got, ok := OwnDMARC(value, []string{"mx.example.com"}, []string{"bank.example"}); !ok || got != string(status) {
				t.Errorf("%q %v of %q", got, ok, value)
			}
			if got, ok := OwnDMARC(value, []string{"mx.example.com"}, []string{"list.example"}); !ok || got != "" {
				t.Errorf("about another: %q %v of %q", got, ok, value)
			}
		}
	})
}

package dmarc

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestParseRecordIgnored(t *testing.T) {
	for name, txt := range map[string]string{
		"empty":               "",
		"another record":      "v=spf1 -all",
		"version in lower":    "v=dmarc1; p=reject",
		"version 2":           "v=DMARC2; p=reject",
		"version longer":      "v=DMARC10; p=reject",
		"v not first":         "p=reject; v=DMARC1",
		"separator missing":   "v=DMARC1 p=reject",
		"empty tag before v":  "; v=DMARC1; p=reject",
		"quotes in the value": `"v=DMARC1; p=reject"`,
		"no equals":           "vDMARC1; p=reject",
	} {
		t.Run(name, func(t *testing.T) {
			if r, err := ParseRecord(txt); err != ErrNoRecord || r != nil {
				t.Errorf("ParseRecord(%q) = %v, %v", txt, r, err)
			}
		})
	}
}

func TestParseRecord(t *testing.T) {
	base := func(f func(r *Record)) Record {
		r := Record{P: PolicyReject, PSD: "u", FO: "0"}
		f(&r)
		return r
	}
	for name, tc := range map[string]struct {
		txt  string
		want Record
		err  string
	}{
		"v alone": {"v=DMARC1", base(func(r *Record) { r.P = "" }), "policy record has no p="},
		"B.2.1 monitoring": {"v=DMARC1; p=none; rua=mailto:dmarc-feedback@example.com", base(func(r *Record) {
			r.P, r.RUA = PolicyNone, []string{"mailto:dmarc-feedback@example.com"}
		}), ""},
		"B.2.2 failure reports": {"v=DMARC1; p=none; rua=mailto:dmarc-feedback@example.com; ruf=mailto:auth-reports@example.com", base(func(r *Record) {
			r.P, r.RUA, r.RUF = PolicyNone, []string{"mailto:dmarc-feedback@example.com"}, []string{"mailto:auth-reports@example.com"}
		}), ""},
		"B.2.3 failure reports to a third party": {"v=DMARC1; p=none; rua=mailto:dmarc-feedback@example.com; ruf=mailto:auth-reports@thirdparty.example.net", base(func(r *Record) {
			r.P, r.RUA, r.RUF = PolicyNone, []string{"mailto:dmarc-feedback@example.com"}, []string{"mailto:auth-reports@thirdparty.example.net"}
		}), ""},
		"B.2.3 the third party's consent": {"v=DMARC1;", base(func(r *Record) { r.P = "" }), "policy record has no p="},
		"B.2.4 another address": {"v=DMARC1; rua=mailto:aggregate-reports@thirdparty.example.net; ruf=mailto:failure-reports@thirdparty.example.net", base(func(r *Record) {
			r.P, r.RUA, r.RUF = "", []string{"mailto:aggregate-reports@thirdparty.example.net"}, []string{"mailto:failure-reports@thirdparty.example.net"}
		}), "policy record has no p="},
		"B.2.5 testing": {"v=DMARC1; p=quarantine; rua=mailto:dmarc-feedback@example.com,mailto:tld-test@thirdparty.example.net; t=y", base(func(r *Record) {
			r.P, r.Testing = PolicyQuarantine, true
			r.RUA = []string{"mailto:dmarc-feedback@example.com", "mailto:tld-test@thirdparty.example.net"}
		}), ""},
		"B.2.5 in earnest": {"v=DMARC1; p=reject; rua=mailto:dmarc-feedback@example.com,mailto:tld-test@thirdparty.example.net", base(func(r *Record) {
			r.RUA = []string{"mailto:dmarc-feedback@example.com", "mailto:tld-test@thirdparty.example.net"}
		}), ""},
		"everything": {"v=DMARC1;p=reject;sp=quarantine;np=none;adkim=s;aspf=s;fo=1:d:s;psd=n;t=n;rua=mailto:a@b.example;ruf=mailto:c@d.example;", base(func(r *Record) {
			r.SP, r.NP, r.ADKIM, r.ASPF, r.FO, r.PSD = PolicyQuarantine, PolicyNone, true, true, "1:d:s", "n"
			r.RUA, r.RUF = []string{"mailto:a@b.example"}, []string{"mailto:c@d.example"}
		}), ""},
		"white space and case":       {" V \t=\tDMARC1 ;\t P = Reject ; ADKIM=S;;PSD=Y ; ", base(func(r *Record) { r.ADKIM, r.PSD = true, "y" }), ""},
		"order is free after v":      {"v=DMARC1; aspf=s; p=reject", base(func(r *Record) { r.ASPF = true }), ""},
		"pct, rf, ri ignored":        {"v=DMARC1; p=reject; pct=0; rf=afrf; ri=1; pct=0", base(func(*Record) {}), ""},
		"garbage ignored":            {"v=DMARC1; rubbish; p=reject; =x; \x00\xff=1; adkim=relaxed; t=maybe; psd=x", base(func(*Record) {}), ""},
		"p missing":                  {"v=DMARC1; sp=reject", base(func(r *Record) { r.P, r.SP = "", PolicyReject }), "policy record has no p="},
		"p invalid":                  {"v=DMARC1; p=rejekt", base(func(r *Record) { r.P = "" }), "policy record has an invalid p="},
		"p empty":                    {"v=DMARC1; p=", base(func(r *Record) { r.P = "" }), "policy record has an invalid p="},
		"sp invalid":                 {"v=DMARC1; p=reject; sp=all", base(func(*Record) {}), "policy record has an invalid sp="},
		"np invalid":                 {"v=DMARC1; p=reject; np=n\xc3\xb3ne", base(func(*Record) {}), "policy record has an invalid np="},
		"tag twice behind rua":       {"v=DMARC1; p=none; rua=mailto:a@b.example; adkim=s; adkim=r", base(func(r *Record) { r.P = "" }), "policy record has adkim= twice"},
		"p twice":                    {"v=DMARC1; p=none; p=reject; rua=mailto:a@b.example", base(func(r *Record) { r.P = "" }), "policy record has p= twice"},
		"v twice":                    {"v=DMARC1; v=DMARC1; p=reject", base(func(r *Record) { r.P = "" }), "policy record has v= twice"},
		"fo without ruf":             {"v=DMARC1; p=reject; fo=1", base(func(*Record) {}), ""},
		"fo 0 and 1":                 {"v=DMARC1; p=reject; fo=0:1; ruf=mailto:a@b.example", base(func(r *Record) { r.RUF = []string{"mailto:a@b.example"} }), ""},
		"fo with an option twice":    {"v=DMARC1; p=reject; fo=1:1; ruf=mailto:a@b.example", base(func(r *Record) { r.RUF = []string{"mailto:a@b.example"} }), ""},
		"fo with no option":          {"v=DMARC1; p=reject; fo=x; ruf=mailto:a@b.example", base(func(r *Record) { r.RUF = []string{"mailto:a@b.example"} }), ""},
		"fo without a separator":     {"v=DMARC1; p=reject; fo=ds; ruf=mailto:a@b.example", base(func(r *Record) { r.RUF = []string{"mailto:a@b.example"} }), ""},
		"no size suffixes":           {"v=DMARC1; p=reject; rua=mailto:a@b.example!k, mailto:a@b.example!x, mailto:a@b.example!", base(func(*Record) {}), ""},
		"no URIs":                    {"v=DMARC1; p=reject; rua=x, x:, :y, 1x:y, x_z:y, x:%4ga, x:%g4, x:%4, x:a b", base(func(*Record) {}), ""},
		"escapes and odd schemes":    {"v=DMARC1; p=reject; rua=x+1.y-z:%41, X:%aF", base(func(r *Record) { r.RUA = []string{"x+1.y-z:%41", "X:%aF"} }), ""},
		"size suffixes":              {"v=DMARC1; p=reject; rua=mailto:a@b.example!10m , mailto:c@d.example!5", base(func(r *Record) { r.RUA = []string{"mailto:a@b.example", "mailto:c@d.example"} }), ""},
		"rua without mailto:":        {"v=DMARC1; p=reject; rua=a@b.example", base(func(*Record) {}), ""},
		"exclamation mark in URI":    {"v=DMARC1; p=reject; rua=mailto:a!b@c.example!x, mailto:a%21b@c.example!1k", base(func(r *Record) { r.RUA = []string{"mailto:a%21b@c.example"} }), ""},
		"mailto: without an address": {"v=DMARC1; p=reject; rua=mailto:,mailto:@x,mailto:x@,:,mailto:a@b%2", base(func(*Record) {}), ""},
		"other schemes are valid":    {"v=DMARC1; p=reject; rua=https://r.example/x?y", base(func(r *Record) { r.RUA = []string{"https://r.example/x?y"} }), ""},
		"line ends from a zone file": {"v=DMARC1;\r\n p=reject\n", base(func(*Record) {}), ""},
		"only the first twenty of rua": {"v=DMARC1; p=reject; rua=" + strings.Repeat("x:y,", 50), base(func(r *Record) {
			for range 20 {
				r.RUA = append(r.RUA, "x:y")
			}
		}), ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseRecord(tc.txt)
			if err != nil {
				t.Fatal(err)
			}
			if tc.err != errText(got.Err) {
				t.Errorf("Err = %v, want %q", got.Err, tc.err)
			}
			if d := cmp.Diff(&tc.want, got, cmpopts.IgnoreFields(Record{}, "Raw", "Err")); d != "" {
				t.Error(d)
			}
			if got.Raw != tc.txt {
				t.Errorf("Raw = %q", got.Raw)
			}
		})
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func FuzzParseRecord(f *testing.F) {
	for _, s := range []string{
		"v=DMARC1; p=none; rua=mailto:a@b.example!10m", "v=DMARC1;p=reject;sp=x;fo=0:d:s;ruf=mailto:%2c@x,y:z!",
		"v=DMARC1", " v = DMARC1 ;psd=y;;", "v=DMARC1; rua=!,!!,m!k,:!1", "v=DMARC1; p=reject; p=reject",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, txt string) {
		r, err := ParseRecord(txt)
		if err != nil {
			if strings.HasPrefix(txt, "v=DMARC1;") {
				t.Errorf("%q: %v", txt, err)
			}
			return
		}
		for _, p := range []Policy{r.P, r.SP, r.NP} {
			if p != "" && p != PolicyNone && p != PolicyQuarantine && p != PolicyReject {
				t.Errorf("policy %q", p)
			}
		}
		if !strings.Contains("ynu", r.PSD) || len(r.PSD) != 1 {
			t.Errorf("psd %q", r.PSD)
		}
		if r.Err == nil && r.P == "" {
			t.Error("a sound record without p")
		}
		for _, u := range append(r.RUA, r.RUF...) {
			if strings.ContainsAny(u, "!, \r\n\x00") || !strings.Contains(u, ":") {
				t.Errorf("URI %q", u)
			}
		}
		if got := r.policyFor(true, false); r.Usable() && got == "" {
			t.Error("a usable record without a policy")
		}
	})
}

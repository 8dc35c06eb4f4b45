package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/internal/doctor"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/keys/publish"
)

// doctorHouse makes a configuration, keys, and a zone with their records and
// with extra lines.
func doctorHouse(t *testing.T, extra string) (cfg, zone string) {
	t.Helper()
	dir := t.TempDir()
	cfg, zone = filepath.Join(dir, "milter.yaml"), filepath.Join(dir, "zone")
	made, err := keys.Generate(filepath.Join(dir, "keys"), "example.com", keys.GenerateOptions{Selector: "s1"})
	if err != nil {
		t.Fatal(err)
	}
	text := "authserv_id: mail.example.com\nadmin: unix:" + dir + "/admin.sock\negress: [192.0.2.25]\nsign: {keys: " + filepath.Join(dir, "keys") + ", domains: [example.com]}\n"
	for _, k := range made {
		extra += k.Name() + " TXT \"" + publish.Record(k) + "\"\n"
	}
	for path, s := range map[string]string{cfg: text, zone: extra} {
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cfg, zone
}

const goodDNS = `
example.com         TXT  "v=spf1 ip4:192.0.2.25 -all"
example.com         MX   10 mail.example.com
_dmarc.example.com  TXT  "v=DMARC1; p=reject; rua=mailto:dmarc@example.com"
mail.example.com    TXT  "v=spf1 a -all"
mail.example.com    A    192.0.2.25
192.0.2.25          PTR  mail.example.com
`

func TestDoctor(t *testing.T) {
	cfg, zone := doctorHouse(t, goodDNS+"k1._domainkey.example.com CNAME s1e._domainkey.example.com\n")
	t.Setenv("LC_ALL", "C")
	for _, c := range []struct {
		name string
		args []string
		code int
		want []string
	}{
		{"healthy", []string{"example.com"}, exitFine, []string{"PASS  dkim   s1._domainkey.example.com", "0 warnings, 0 failed"}},
		{"another address", []string{"example.com", "--egress", "198.51.100.7"}, exitProblems, []string{
			"FAIL  spf    example.com: 198.51.100.7 may not send", `paste  example.com TXT "v=spf1 ip4:198.51.100.7 ip4:192.0.2.25 -all"`, "FAIL  ptr"}},
		{"subdomain", []string{"a.example.com"}, exitProblems, []string{"PASS  dkim   s1._domainkey.example.com", "FAIL  spf    a.example.com: there is no SPF record", "p=reject applies to a.example.com"}},
		{"service's keys", []string{"example.com", "--selector", "k1,k2"}, exitProblems, []string{
			"PASS  dkim   k1._domainkey.example.com: a key (ed25519, 256 bits) that somebody else holds", "FAIL  dkim   k2._domainkey.example.com: there is no key"}},
		{"service's selector is ours", []string{"example.com", "--selector", "s1"}, exitProblems, []string{
			"s1.pem has the selector of somebody else's key", "paste  sealmilter keys new example.com && rm "}},
		{"not listed", []string{"example.net"}, exitProblems, []string{"FAIL  config example.net: is not in sign.domains", "paste  sealmilter keys new example.net"}},
		{"in Korean", []string{"example.com", "--lang", "ko", "--egress", "198.51.100.7"}, exitProblems, []string{"FAIL  spf    example.com: 198.51.100.7에서는 보낼 수 없습니다", "담당   도메인 DNS의 관리자"}},
		{"who has to do it", []string{"example.com", "--egress", "198.51.100.7"}, exitProblems, []string{"who    the owner of the DNS zone", "ask    to a cloud"}},
		{"block lists", []string{"example.com", "--dnsbl"}, exitFine, []string{"WARN  dnsbl  KISA-RBL: the list does not list its test address"}},
		{"port 25", []string{"example.com", "--port25", "127.0.0.1"}, exitFine, []string{"  port25 127.0.0.1: "}},
		{"no language", []string{"example.com", "--lang", "fr"}, exitUsage, nil},
		{"no host", []string{"example.com", "--port25", "a b"}, exitUsage, nil},
		{"no domain", []string{"exa mple"}, exitProblems, nil},
		{"bad address", []string{"example.com", "--egress", "x"}, exitUsage, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, errOut bytes.Buffer
			args := append([]string{"doctor", "--config", cfg, "--zone", zone, "--helo", "mail.example.com", "--no-mta"}, c.args...)
			if code := run(context.Background(), args, &out, &errOut); code != c.code {
				t.Errorf("exit code %d, want %d: %s", code, c.code, errOut.String())
			}
			for _, w := range c.want {
				if !strings.Contains(out.String(), w) {
					t.Errorf("no %q in\n%s", w, out.String())
				}
			}
		})
	}
}

func TestDoctorJSON(t *testing.T) {
	cfg, zone := doctorHouse(t, goodDNS)
	var out, errOut bytes.Buffer
	code := run(context.Background(), []string{"doctor", "example.com", "--config", cfg, "--zone", zone, "--helo", "mail.example.com", "--no-mta", "--json"}, &out, &errOut)
	var got struct {
		Worst    doctor.Level
		Findings []doctor.Told
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || code != exitFine || got.Worst != doctor.Pass || len(got.Findings) < 8 {
		t.Errorf("%d, %v, %+v %s", code, err, got, errOut.String())
	}
}

// TestDoctorByLocale: the language of the terminal, unless a flag says another.
func TestDoctorByLocale(t *testing.T) {
	cfg, zone := doctorHouse(t, goodDNS)
	t.Setenv("LC_ALL", "ko_KR.UTF-8")
	for _, c := range []struct{ lang, want string }{{"", "경고 0건"}, {"en", "0 warnings"}} {
		args := []string{"doctor", "example.com", "--config", cfg, "--zone", zone, "--helo", "mail.example.com", "--no-mta"}
		if c.lang != "" {
			args = append(args, "--lang", c.lang)
		}
		var out, errOut bytes.Buffer
		if code := run(context.Background(), args, &out, &errOut); code != exitFine || !strings.Contains(out.String(), c.want) {
			t.Errorf("%q: %d %s%s", c.lang, code, out.String(), errOut.String())
		}
	}
}

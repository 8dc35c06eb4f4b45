package doctor

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/doctor/words"
)

// TestPrint: all lines of a finding, in both languages.
func TestPrint(t *testing.T) {
	d := Domain{Name: "example.com", SDID: "example.com", Helo: "mail.example.com"}
	f := ptr(t.Context(), resolve.MustZone(""), d, netip.MustParseAddr("192.0.2.25"))
	pass := Finding{Level: Pass, Check: "helo", Subject: "mail.example.com", Message: words.Say("leads to %s", "192.0.2.25")}
	for lang, want := range map[words.Lang]string{
		words.English: `FAIL  ptr    192.0.2.25: the address has no name: Gmail and others refuse mail from it
             paste  25.2.0.192.in-addr.arpa PTR mail.example.com   # at whoever gave you the address: provider, cloud
             who    whoever gave you the address: provider or cloud
             ask    to a cloud (in its console at the address: reverse DNS; else by a ticket): Please set the reverse DNS (PTR) of our public address 192.0.2.25 to mail.example.com. Its forward record is mail.example.com A 192.0.2.25. This host sends the mail of example.com; please also lift the block of outgoing TCP port 25 if there is one.
             ask    to an Internet provider: Please set the PTR record of the fixed address 192.0.2.25 of our line to mail.example.com (25.2.0.192.in-addr.arpa PTR mail.example.com), or delegate its reverse zone to our name servers. It is the address of our mail server for example.com.
PASS  helo   mail.example.com: leads to 192.0.2.25

1 passed, 0 warnings, 1 failed
`,
		words.Korean: `FAIL  ptr    192.0.2.25: IP 주소에 이름(PTR 레코드)이 없습니다. Gmail을 비롯한 여러 곳이 이런 주소에서 온 메일을 거부합니다
             입력   25.2.0.192.in-addr.arpa PTR mail.example.com   # IP 주소를 제공한 통신사나 클라우드 업체에서 설정
             담당   IP 주소를 제공한 곳(통신사 또는 클라우드 업체)
             요청   클라우드 업체(콘솔의 IP 주소 항목에서 역방향 DNS를 설정하거나, 없으면 문의 접수): 저희가 쓰는 공인 IP 주소 192.0.2.25의 역방향 DNS(PTR)를 mail.example.com(으)로 설정해 주시기 바랍니다. 정방향 레코드는 mail.example.com A 192.0.2.25입니다. 이 호스트는 example.com의 메일을 보내는 서버이므로, 밖으로 나가는 TCP 25번 포트가 막혀 있다면 함께 열어 주시기 바랍니다.
             요청   통신사: 저희 회선의 고정 IP 주소 192.0.2.25의 PTR 레코드를 mail.example.com(으)로 설정해 주시거나(25.2.0.192.in-addr.arpa PTR mail.example.com), 역방향 영역을 저희 네임서버로 위임해 주시기 바랍니다. example.com의 메일 서버가 쓰는 주소입니다.
PASS  helo   mail.example.com: 192.0.2.25을(를) 가리킵니다

통과 1건, 경고 0건, 실패 1건
`,
	} {
		var b strings.Builder
		if Print(&b, []Finding{f, pass}, lang); b.String() != want {
			t.Errorf("%s:\n%s\nwant\n%s", lang, b.String(), want)
		}
	}
}

func TestLanguage(t *testing.T) {
	for _, c := range []struct {
		flag, locale string
		want         words.Lang
		ok           bool
	}{{"", "ko_KR.UTF-8", words.Korean, true}, {"en", "ko_KR.UTF-8", words.English, true}, {"ko", "", words.Korean, true}, {"", "", words.English, true}, {"fr", "", "", false}} {
		if got, ok := Language(c.flag, c.locale); ok != c.ok || ok && got != c.want {
			t.Errorf("%+v: %s %v", c, got, ok)
		}
	}
}

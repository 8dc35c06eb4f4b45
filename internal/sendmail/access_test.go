package sendmail

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func shown(list []Relay) []string {
	var out []string
	for _, r := range list {
		if r.Net.IsValid() {
			out = append(out, r.Net.String())
		} else {
			out = append(out, r.Entry+"?")
		}
		if r.Net.IsValid() == (r.Why != "") {
			out = append(out, "both or neither")
		}
	}
	return out
}

func TestAccess(t *testing.T) {
	text := `# comment
Connect:localhost.localdomain	RELAY
Connect:127.0.0.1		RELAY
connect:192.168.5		relay
10.				RELAY
Connect:172.16.0.0/12		RELAY
Connect:partner.example		RELAY
Connect:[198.51.100.7]		RELAY
Connect:IPv6:2001:db8:1		RELAY
IPv6:2001:db8::5		RELAY
Connect:203.0.113		REJECT
Connect:300.1			RELAY
Connect:1.2.3.4.5		RELAY
To:good.example			RELAY
From:kim@good.example		RELAY
GreetPause:192.168.7		0
`
	want := []string{"localhost.localdomain?", "127.0.0.1/32", "192.168.5.0/24", "10.0.0.0/8", "172.16.0.0/12?", "partner.example?", "198.51.100.7/32",
		"2001:db8:1::/48", "2001:db8::5/128", "300.1?", "1.2.3.4.5?"}
	if d := cmp.Diff(want, shown(Access(text))); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"192.168.5.0/24", "example.com?"}, shown(RelayDomains("# x\n192.168.5\n\nexample.com\n"))); d != "" {
		t.Error(d)
	}
}

func FuzzAccess(f *testing.F) {
	for _, s := range []string{"Connect:1.2 RELAY", "IPv6: RELAY", "Connect:IPv6:1:2:3:4:5:6:7:8:9 RELAY", "[] RELAY", ": RELAY"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, r := range append(Access(text), RelayDomains(text)...) {
			if r.Net.IsValid() == (r.Why != "") {
				t.Errorf("%+v", r)
			}
		}
	})
}

func TestCF(t *testing.T) {
	cf := "# x\nO InputMailFilters=clamav, sealmilter\nO RunAsUser=mail:mail\n#O RunAsUser=no\nXclamav, S=local:/c\nXsealmilter, S=local:/run/sealmilter/milter.sock, F=T\nXspare, S=unix:/spare\n" +
		"O DaemonPortOptions=Port=587, Name=MSA, M=Ea\nO DaemonPortOptions=Family=inet6, Name=MTA-v6, Port=25\n"
	for socket, want := range map[string]bool{ours: true, "unix:/spare": false, "unix:/c": true, "": false} {
		if got := Uses(cf, socket); got != want {
			t.Errorf("Uses(%q) = %v", socket, got)
		}
	}
	if got := Option(cf, "RunAsUser"); got != "mail:mail" {
		t.Errorf("RunAsUser %q", got)
	}
	for cf, want := range map[string]string{cf: "[::1]:25", "": "127.0.0.1:smtp", "O DaemonPortOptions=Name=MTA, Addr=192.0.2.1\n": "192.0.2.1:smtp"} {
		if got := SMTPAddress(cf); got != want {
			t.Errorf("SMTPAddress: %q, want %q", got, want)
		}
	}
}

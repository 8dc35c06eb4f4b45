package hostile

import (
	"fmt"
	"strings"
	"testing"
)

// pretend is a forged result of ours, behind the id.
const pretend = "; spf=pass smtp.mailfrom=bank.example; dmarc=pass header.from=bank.example"

// spellings of a field that some reader takes for ours: name, value.
var spellings = [][2]string{
	{"Authentication-Results", " " + AuthservID + pretend},
	{"Authentication-Results", AuthservID + pretend},
	{"authentication-results", " MX.Ours.Example" + pretend},
	{"AUTHENTICATION-RESULTS", "\t" + AuthservID + " ;dmarc=pass"},
	{"Authentication-Results ", " " + AuthservID + pretend},
	{"Authentication-Results \t", " " + AuthservID + pretend},
	{"Authentication-Results", "\r\n\t" + AuthservID + "\r\n\t" + pretend},
	{"Authentication-Results", ` "` + AuthservID + `"` + pretend},
	{"Authentication-Results", ` "mx.\ours.example"` + pretend},
	{"Authentication-Results", " (hello) " + AuthservID + pretend},
	{"Authentication-Results", " ((a) \\) b)\r\n " + AuthservID + "(c)" + pretend},
	{"Authentication-Results", " " + AuthservID + "." + pretend},
	{"Authentication-Results", " " + AuthservID + " 1" + pretend},
	{"Authentication-Results", " " + AuthservID + " 2" + pretend},
	{"Authentication-Results", " " + AuthservID},
	{"Authentication-Results", " " + AuthservID + "; none"},
	{"Authentication-Results", " " + AuthservID + "/mx2" + pretend},
	{"Authentication-Results", " mx.ours\x01.example" + pretend},
	{"Authentication-Results", " mx.ours.example\x00.attacker.example" + pretend},
	{"Authentication-Results", " ｍx.ours.example" + pretend},
	{"Authentication-Results", " mx。ours。example" + pretend},
	{"Authentication-Results", " =?utf-8?Q?mx=2Eours=2Eexample?=" + pretend},
	{"Authentication-Results", " dmarc=pass header.from=bank.example"},
	{"Authentication-Results", pretend},
	{"Authentication-Results", ""},
	{"Authentication-Results\x01", " " + AuthservID + pretend},
	{"Authentication-Results\u00a0", " " + AuthservID + pretend},
	{"X-Note", " hello\rAuthentication-Results: " + AuthservID + pretend},
	{"X-Note", " hello\nauthentication-results : " + AuthservID + pretend},
	{"X-Note", " hello\r\rAuthentication-Results:\r\t" + AuthservID + pretend},
	{"Subject", " hello\rAuthentication-Results: (c) " + AuthservID + pretend},
	{"Authentication-Results", " mx.other.example; none\rAuthentication-Results: " + AuthservID + pretend},
}

// strangers are results of others, which are none of our business (RFC 8601 §5).
var strangers = []string{
	"mx.other.example; spf=pass smtp.mailfrom=bank.example",
	"ours.example" + pretend,
	"a.mx.ours.example" + pretend,
	"mx.ours.example.attacker.example" + pretend,
	"mx.other.example (mx.ours.example)" + pretend,
	"mx.other.example 1; none",
	"mx.оurs.example" + pretend, // Cyrillic
}

// forgedCase is a friend's letter with these fields put under its signature
// ("below") or above it.
func forgedCase(name string, below, above [][2]string, left ...string) hostile {
	m := plain(friendPeer, friend, friend)
	for _, f := range below {
		m = m.add(f[0], f[1])
	}
	m = m.by("friend.example").truly("friend.example")
	for i := len(above) - 1; i >= 0; i-- {
		m = m.top(above[i][0], above[i][1])
	}
	return hostile{name: name, m: m, results: friendlyResults, left: strings.Join(left, " | ")}
}

// TestForgedResults: none of 1 to 50 forged fields stays, whatever its spelling
// and its place, on Postfix and on Sendmail, and nothing else goes.
func TestForgedResults(t *testing.T) {
	var cases []hostile
	for i, s := range spellings {
		name := fmt.Sprintf("spelling %d: %q %q", i+1, s[0], s[1][:min(len(s[1]), 40)])
		if s[0] == "Subject" {
			continue // breaks the signature: below
		}
		cases = append(cases, forgedCase(name, [][2]string{s}, nil))
	}
	for _, n := range []int{1, 2, 7, 50} {
		var fields [][2]string
		for i := range n {
			fields = append(fields, spellings[i%7])
		}
		cases = append(cases, forgedCase(fmt.Sprintf("%d on top", n), nil, fields), forgedCase(fmt.Sprintf("%d at the end", n), fields, nil))
	}
	var mixed [][2]string
	for i, s := range strangers {
		mixed = append(mixed, [2]string{"Authentication-Results", " " + s}, spellings[i], spellings[len(spellings)-1-i])
	}
	mixed = append(mixed[:len(mixed):len(mixed)], [2]string{"X-Note", " stays"})
	honest := forgedCase("CVE-2022-48521: others in between stay, so indexes must be right", mixed, mixed, append(strangers, strangers...)...)
	// Among them is a Subject, which was signed once.
	honest.results = strings.Replace(friendlyResults, "dkim=pass", `dkim=policy reason="field occurs more often than signed: subject 3 times, signed 1"`, 1)
	cases = append(cases, honest,
		forgedCase("strangers stay", [][2]string{{"Authentication-Results", " " + strangers[0]}, {"authentication-results", "\r\n " + strangers[1]}}, nil, strangers[0], strangers[1]),
		forgedCase("fields with a name that is only like it stay", [][2]string{{"X-Authentication-Results", " " + AuthservID + pretend}, {"Authentication-Results-Original", " " + AuthservID + pretend}, {"Received-SPF", " pass"}}, nil),
	)
	run(t, "", cases)
}

//go:build e2e

package e2e

import (
	"bytes"
	"strings"
	"testing"
)

// shapes are header fields as mailers really write them, and as they should not. Each is a whole message's worth of
// additional fields.
var shapes = map[string]string{
	"no space after the colon": "Reply-To:kim@good.example\r\nX-None:\r\n",
	"tabs and many spaces":     "Sender:\t  kim@good.example \t\r\nX-Tabs:\t\ta\t b  \r\n",
	"empty fields":             "Cc:\r\nX-Empty: \r\nReferences: \t \r\n",
	"folds":                    "References: <a@x>\r\n <b@x>\r\n\t<c@x>\r\n  \t <d@x>\r\nIn-Reply-To:\r\n <d@x>\r\n",
	"name in capitals":         "REPLY-TO: kim@good.example\r\nsender: kim@good.example\r\n",
	"repeated fields":          "List-Id: <one.good.example>\r\nX-Twice: 1\r\nList-Id: <two.good.example>\r\nX-Twice: 2\r\n",
	"Latin-1 bytes":            "X-Latin: caf\xe9\r\nReply-To: Caf\xe9 <kim@good.example>\r\n",
	"long list of recipients":  "Cc: " + strings.Repeat("someone.with.a.long.name@elsewhere.example,\r\n\t", 200) + "last@elsewhere.example\r\n",
	"a line of 990 bytes":      "X-Long: " + strings.Repeat("x", 980) + "\r\n",
}

// bodies that canonicalisation trips over.
var bodies = map[string]string{
	"empty":                "",
	"blank lines only":     "\r\n\r\n\r\n",
	"white space at ends":  "a  \r\n \r\n\t\r\n  b\tc  d \r\n\r\n\r\n",
	"dots":                 ".\r\n..\r\n.a\r\n",
	"long lines":           strings.Repeat("y", 997) + "\r\n" + strings.Repeat("z", 990) + "\r\n",
	"bytes":                "\x00\x01\x80\xff\r\n",
	"more than two chunks": strings.Repeat(strings.Repeat("w", 65)+"\r\n", 3000),
}

// TestShapes: every shape of header and body is signed as Postfix sends it, whatever the canonicalisation.
func TestShapes(t *testing.T) {
	l := need(t)
	l.daemon.restartAfter(t)
	for _, c := range []string{"relaxed/relaxed", "simple/simple"} {
		t.Run(c, func(t *testing.T) {
			l.daemon.reload(t, "  canonicalization: "+c+"\n", true)
			var labels, rcpts []string
			session := submit(t, l)
			one := func(label string, more, body string) {
				to := remote("shape")
				head, _, _ := strings.Cut(string(compose("kim@good.example", to, label, "", more)), "\r\n\r\n")
				session.mustSend(t, "<kim@good.example> BODY=8BITMIME", to, []byte(head+"\r\n\r\n"+body))
				labels, rcpts = append(labels, label), append(rcpts, to)
			}
			for label, more := range shapes {
				one(label, more, "text\r\n")
			}
			for label, body := range bodies {
				one(label, "", body)
			}
			var msgs [][]byte
			for _, to := range rcpts {
				msgs = append(msgs, l.sink.wait(t, to))
			}
			for i, sigs := range pythonVerify(t, l, msgs...) {
				if len(sigs) != 2 || !sigs[0].OK || !sigs[1].OK || !strings.Contains(named(msgs[i], "DKIM-Signature")[0], "c="+c) {
					t.Errorf("%s: %+v\n%s", labels[i], sigs, header(msgs[i]))
				}
			}
		})
	}
}

// TestNothingElseChanges: outbound mail gains our signatures and Postfix's Received, inbound mail our results and
// what delivery puts on top. Everything else is byte for byte as it was sent.
func TestNothingElseChanges(t *testing.T) {
	l := need(t)
	var more string
	for label, f := range shapes {
		if label != "Latin-1 bytes" {
			more += f
		}
	}
	out := remote("same")
	sent := compose("kim@good.example", out, "the same", bodies["white space at ends"], more)
	submit(t, l).mustSend(t, "<kim@good.example>", out, sent)
	if got := l.sink.wait(t, out); !bytes.HasSuffix(got, sent) {
		t.Errorf("outbound message changed:\n%q\nsent\n%q", got, sent)
	}
	in := box("same")
	sent = compose("ann@sender.example", in, "the same", bodies["white space at ends"], more)
	dial(t, local(l.postfix.ports.smtp), sender).mustSend(t, "<ann@sender.example>", in, sent)
	if got := l.mailbox(t, in); !bytes.HasSuffix(got, bytes.ReplaceAll(sent, []byte("\r\n"), []byte("\n"))) {
		t.Errorf("inbound message changed:\n%q\nsent\n%q", got, sent)
	}
}

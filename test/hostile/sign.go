package hostile

import (
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/sealmilter/sealmilter/auth/header"
)

// now is the clock of the named tests, and the t= of signatures there.
var now = time.Date(2026, 11, 22, 0, 30, 0, 0, time.UTC)

// usual is what a decent signer covers, From once more than present.
const usual = "from:from:to:subject:date:message-id"

// rightTags is the beginning of a right signature for the domain; names are h=.
func rightTags(k key, domain, selector, names string) string {
	return "v=1; a=" + k.kind() + "-sha256; c=relaxed/relaxed; d=" + domain + "; s=" + selector + ";\r\n h=" + names + ";"
}

// signed puts a signature with these tags on top. bh= and b= are added and are
// right for what the tags say, unless the tags have their own bh=. The tags need
// not make sense.
func (m Message) signed(k key, tags string) Message {
	return m.top("DKIM-Signature", m.signature(k, tags))
}

// by signs as an honest host of the domain does. Its selector "e" has the
// domain's Ed25519 key.
func (m Message) by(domain string) Message {
	k := edKey(domain)
	return m.signed(k, rightTags(k, domain, "e", usual))
}

// signature is the value of a DKIM-Signature field over m (RFC 6376 §3.7).
func (m Message) signature(k key, tags string) string {
	body := m.Body
	if !strings.HasPrefix(tag(tags, "c"), "relaxed/relaxed") {
		body = simpleBody(body)
	} else {
		body = relaxedBody(body)
	}
	if l, err := strconv.Atoi(tag(tags, "l")); err == nil && l < len(body) {
		body = body[:max(l, 0)]
	}
	if tag(tags, "bh") == "" {
		bh := sha256.Sum256([]byte(body))
		tags += "\r\n bh=" + base64.StdEncoding.EncodeToString(bh[:]) + ";"
	}
	value := " " + tags + "\r\n b="
	hash := m.headerHash(tags, value)
	return value + base64.StdEncoding.EncodeToString(k.sign(hash))
}

// headerHash is hash step 2 of RFC 6376 §3.7.
func (m Message) headerHash(tags, value string) []byte {
	form := relaxedField
	if !strings.HasPrefix(tag(tags, "c"), "relaxed") {
		form = func(f header.Field) string { return f.Raw() }
	}
	hash := sha256.New()
	used := map[string]int{}
	for name := range strings.SplitSeq(tag(tags, "h"), ":") {
		name = strings.ToLower(strings.TrimSpace(name))
		used[name]++
		n := 0
		for i := len(m.Fields) - 1; i >= 0; i-- { // from the bottom up, §5.4.2
			if strings.ToLower(strings.TrimRight(m.Fields[i].Name, " \t")) != name {
				continue
			}
			if n++; n == used[name] {
				hash.Write([]byte(form(m.Fields[i])))
				break
			}
		}
	}
	own := form(header.Field{Name: "DKIM-Signature", Value: value})
	hash.Write([]byte(strings.TrimSuffix(own, "\r\n")))
	return hash.Sum(nil)
}

// tag is the value of a tag, white space removed.
func tag(tags, name string) string {
	for spec := range strings.SplitSeq(tags, ";") {
		if n, v, ok := strings.Cut(spec, "="); ok && strings.TrimSpace(n) == name {
			return strings.Join(strings.Fields(v), "")
		}
	}
	return ""
}

var (
	spaces    = regexp.MustCompile(`[ \t]+`)
	lineSpace = regexp.MustCompile(`[ \t]+\r\n`)
)

func relaxedField(f header.Field) string {
	v := spaces.ReplaceAllString(strings.ReplaceAll(f.Value, "\r\n", ""), " ")
	return strings.ToLower(strings.TrimRight(f.Name, " \t")) + ":" + strings.Trim(v, " ") + "\r\n"
}

func relaxedBody(b string) string {
	if b != "" && !strings.HasSuffix(b, "\r\n") {
		b += "\r\n"
	}
	b = spaces.ReplaceAllString(lineSpace.ReplaceAllString(b, "\r\n"), " ")
	for strings.HasSuffix(b, "\r\n\r\n") {
		b = strings.TrimSuffix(b, "\r\n")
	}
	if b == "\r\n" {
		return ""
	}
	return b
}

func simpleBody(b string) string {
	for strings.HasSuffix(b, "\r\n") {
		b = strings.TrimSuffix(b, "\r\n")
	}
	return b + "\r\n"
}

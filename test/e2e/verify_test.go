//go:build e2e

package e2e

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emersion/go-msgauth/dkim"
)

// signature is what python3-dkim says of one DKIM-Signature.
type signature struct {
	A   string `json:"a"`
	D   string `json:"d"`
	S   string `json:"s"`
	OK  bool   `json:"ok"`
	Err string `json:"err"`
}

// pythonVerify has python3-dkim verify all signatures of the messages, in one process. Keys come from the real resolver.
func pythonVerify(t *testing.T, l *lab, msgs ...[]byte) [][]signature {
	t.Helper()
	dir := t.TempDir()
	script, err := filepath.Abs("testdata/verify.py")
	if err != nil {
		t.Fatal(err)
	}
	argv := []string{"/usr/bin/python3", script, fmt.Sprint(l.dns.port)}
	for i, m := range msgs {
		file := filepath.Join(dir, fmt.Sprintf("%d.eml", i))
		if err := os.WriteFile(file, m, 0o644); err != nil {
			t.Fatal(err)
		}
		argv = append(argv, file)
	}
	out, err := run(nil, argv...)
	if err != nil {
		t.Fatal(err)
	}
	var all [][]signature
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var one []signature
		if err := dec.Decode(&one); err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	if len(all) != len(msgs) {
		t.Fatalf("python3-dkim judged %d of %d messages", len(all), len(msgs))
	}
	return all
}

// wantSigned checks that each message carries exactly our two signatures of the domain, RSA on top, and that
// python3-dkim finds both good.
func wantSigned(t *testing.T, l *lab, domain string, msgs ...[]byte) {
	t.Helper()
	for i, sigs := range pythonVerify(t, l, msgs...) {
		if len(sigs) != 2 {
			t.Fatalf("%d signatures, want RSA and Ed25519:\n%s", len(sigs), header(msgs[i]))
		}
		for n, a := range []string{"rsa-sha256", "ed25519-sha256"} {
			if s := sigs[n]; s.A != a || s.D != domain || !s.OK {
				t.Errorf("signature %d: %+v, want %s of %s, good\n%s", n, s, a, domain, header(msgs[i]))
			}
		}
	}
}

// wantUnsigned checks that nobody signed.
func wantUnsigned(t *testing.T, msg []byte) {
	t.Helper()
	if sigs := named(msg, "DKIM-Signature"); len(sigs) != 0 {
		t.Errorf("signed, must not be:\n%s", header(msg))
	}
}

// opendkimVerify has opendkim-testmsg judge the message. It knows resolv.conf only, so it runs in a mount namespace
// of its own where that file names the lab's resolver.
func opendkimVerify(l *lab, msg []byte) error {
	script := `mount --bind "$0" /etc/resolv.conf && exec opendkim-testmsg`
	out, err := run(msg, "unshare", "--mount", "sh", "-c", script, filepath.Join(l.dns.dir, "resolv.conf"))
	if err == nil && len(out) != 0 {
		err = fmt.Errorf("opendkim-testmsg: %s", out)
	}
	return err
}

// signerKeys are the keys of a foreign domain and the records that publish them.
type signerKeys struct {
	rsa     crypto.Signer
	ed      crypto.Signer
	records string
}

// makeOutsider makes the keys of sender.example without any code of ours.
func makeOutsider() (signerKeys, error) {
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return signerKeys{}, err
	}
	pub, e, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return signerKeys{}, err
	}
	der, err := x509.MarshalPKIXPublicKey(r.Public())
	if err != nil {
		return signerKeys{}, err
	}
	p := base64.StdEncoding.EncodeToString(der)
	records := fmt.Sprintf("r1._domainkey TXT \"v=DKIM1; k=rsa; p=\" \"%s\" \"%s\"\ne1._domainkey TXT \"v=DKIM1; k=ed25519; p=%s\"\n",
		p[:200], p[200:], base64.StdEncoding.EncodeToString(pub))
	return signerKeys{r, e, records}, nil
}

// sign signs a message for sender.example with go-msgauth, Ed25519 below RSA.
func (k signerKeys) sign(t *testing.T, msg []byte) []byte {
	t.Helper()
	for _, s := range []struct {
		selector string
		key      crypto.Signer
	}{{"e1", k.ed}, {"r1", k.rsa}} {
		var out bytes.Buffer
		err := dkim.Sign(&out, bytes.NewReader(msg), &dkim.SignOptions{Domain: "sender.example", Selector: s.selector, Signer: s.key,
			HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed,
			HeaderKeys: []string{"From", "To", "Subject", "Date", "Message-ID"}})
		if err != nil {
			t.Fatal(err)
		}
		msg = out.Bytes()
	}
	return msg
}

// line returns the first line of text that contains part.
func line(text, part string) string {
	for l := range strings.Lines(text) {
		if strings.Contains(l, part) {
			return strings.TrimSpace(l)
		}
	}
	return ""
}

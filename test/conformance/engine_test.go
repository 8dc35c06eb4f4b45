package conformance

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	msgauth "github.com/emersion/go-msgauth/dkim"

	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/auth/resolve"
)

// The domain that signs, and its two keys' selectors.
const (
	signDomain = "example.com"
	rsaName    = "r"
	edName     = "e"
)

// keyring is the keys that everybody signs with, and what the DNS says of them.
type keyring struct {
	rsa     *rsa.PrivateKey
	rsaPEM  string
	ed      ed25519.PrivateKey
	records map[string]string
	zone    *resolve.Zone
}

// newKeyring has the RSA key of RFC 6376 appendix C and the Ed25519 key of
// RFC 8463 appendix A.1.
func newKeyring(t *testing.T) *keyring {
	t.Helper()
	text, err := os.ReadFile("../../auth/dkim/testdata/rfc6376-c.pem")
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	k := &keyring{rsaPEM: string(text), records: map[string]string{}, zone: &resolve.Zone{}}
	if k.rsa, err = x509.ParsePKCS1PrivateKey(block.Bytes); err != nil {
		t.Fatal(err)
	}
	seed, err := base64.StdEncoding.DecodeString("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
	if err != nil {
		t.Fatal(err)
	}
	k.ed = ed25519.NewKeyFromSeed(seed)
	der, err := x509.MarshalPKIXPublicKey(k.rsa.Public())
	if err != nil {
		t.Fatal(err)
	}
	for selector, p := range map[string]string{
		rsaName: "k=rsa; p=" + base64.StdEncoding.EncodeToString(der),
		edName:  "k=ed25519; p=" + base64.StdEncoding.EncodeToString(k.ed.Public().(ed25519.PublicKey)),
	} {
		name := selector + "._domainkey." + signDomain
		k.records[name] = "v=DKIM1; " + p
		if err := k.zone.Add(name, "TXT", k.records[name]); err != nil {
			t.Fatal(err)
		}
	}
	return k
}

func (k *keyring) signer(algorithm string) (selector string, key crypto.Signer) {
	if algorithm == "ed25519-sha256" {
		return edName, k.ed
	}
	return rsaName, k.rsa
}

// verdict is what an engine says of one signature.
type verdict struct {
	OK  bool   `json:"ok"`
	Err string `json:"err"`
}

// form is how a signature is made.
type form struct{ algorithm, header, body, auid string }

// engine is a DKIM implementation that is not ours.
type engine interface {
	name() string
	algorithms() []string
	// verify judges each DKIM-Signature field, top to bottom.
	verify(raw string) ([]verdict, error)
	// sign returns the DKIM-Signature field to put on top, line end included.
	sign(raw string, f form) (string, error)
}

// goMsgauth is github.com/emersion/go-msgauth.
type goMsgauth struct{ keys *keyring }

func (goMsgauth) name() string         { return "go-msgauth" }
func (goMsgauth) algorithms() []string { return []string{"rsa-sha256", "ed25519-sha256"} }

func (g goMsgauth) verify(raw string) ([]verdict, error) {
	found, err := msgauth.VerifyWithOptions(strings.NewReader(raw), &msgauth.VerifyOptions{LookupTXT: func(name string) ([]string, error) {
		if r, ok := g.keys.records[strings.ToLower(strings.TrimSuffix(name, "."))]; ok {
			return []string{r}, nil
		}
		return nil, nil
	}})
	if err != nil {
		return nil, err
	}
	var out []verdict
	for _, v := range found {
		o := verdict{OK: v.Err == nil}
		if v.Err != nil {
			o.Err = v.Err.Error()
		}
		out = append(out, o)
	}
	return out, nil
}

func (g goMsgauth) sign(raw string, f form) (string, error) {
	selector, key := g.keys.signer(f.algorithm)
	var out bytes.Buffer
	err := msgauth.Sign(&out, strings.NewReader(raw), &msgauth.SignOptions{Domain: signDomain, Selector: selector, Signer: key,
		HeaderCanonicalization: msgauth.Canonicalization(f.header), BodyCanonicalization: msgauth.Canonicalization(f.body)})
	if err != nil {
		return "", err
	}
	// What it writes out is the field, and then the message as it read it.
	field := out.String()
	for at := 0; ; {
		end := strings.Index(field[at:], "\r\n")
		if end < 0 {
			return "", errors.New("no end of the field")
		}
		at += end + 2
		if at == len(field) || field[at] != ' ' && field[at] != '\t' {
			return field[:at], nil
		}
	}
}

// foreign is an engine behind a program of testdata.
type foreign struct {
	*program
	version string
	knows   []string
}

// startForeign starts an engine and hands it the keys.
func startForeign(t *testing.T, k *keyring, pkg, interpreter, flag, probe, script string) *foreign {
	t.Helper()
	e := &foreign{program: needProgram(t, pkg, interpreter, flag, probe, script)}
	var hello struct {
		Version    string   `json:"version"`
		Algorithms []string `json:"algorithms"`
	}
	err := e.ask(map[string]any{"op": "hello", "records": k.records,
		"keys": map[string]string{"rsa": k.rsaPEM, "ed25519": base64.StdEncoding.EncodeToString(k.ed.Seed())}}, "", &hello)
	if err != nil {
		t.Fatal(err)
	}
	e.version, e.knows = hello.Version, hello.Algorithms
	if !slices.Contains(e.knows, "rsa-sha256") {
		t.Fatalf("%s: %+v", script, hello)
	}
	return e
}

func (e *foreign) name() string         { return e.version }
func (e *foreign) algorithms() []string { return e.knows }

func (e *foreign) verify(raw string) (out []verdict, err error) {
	return out, e.ask(map[string]string{"op": "verify"}, raw, &out)
}

func (e *foreign) sign(raw string, f form) (string, error) {
	selector := rsaName
	if f.algorithm == "ed25519-sha256" {
		selector = edName
	}
	var out struct {
		Field string `json:"field"`
		Err   string `json:"err"`
	}
	err := e.ask(map[string]string{"op": "sign", "algorithm": f.algorithm, "selector": selector, "domain": signDomain, "header": f.header, "body": f.body}, raw, &out)
	if err == nil && out.Err != "" {
		err = errors.New(out.Err)
	}
	return out.Field, err
}

// engines starts all three.
func engines(t *testing.T, k *keyring) []engine {
	t.Helper()
	return []engine{
		goMsgauth{k},
		startForeign(t, k, "python3-dkim and python3-nacl", "/usr/bin/python3", "-c", "import dkim, nacl", "verdict.py"),
		startForeign(t, k, "libmail-dkim-perl", "/usr/bin/perl", "-e", "use Mail::DKIM; use JSON::PP", "verdict.pl"),
	}
}

// ourVerdicts is our own engine, its body cut into pieces by the maker's whim.
func ourVerdicts(k *keyring, m maker, h header.Fields, body string) []dkim.Result {
	v := dkim.Verifier{Resolver: k.zone}
	r := v.Start(context.Background(), h, nil)
	defer r.Cancel()
	m.pieces(body, func(p []byte) { r.Write(p) })
	return r.Finish(context.Background())
}

// pieces hands over a body as an MTA might cut it.
func (m maker) pieces(body string, write func([]byte)) {
	for body != "" {
		n := 1 + m.IntN(len(body))
		if m.sometimes(3) {
			n = min(n, 1+m.IntN(5))
		}
		write([]byte(body[:n]))
		body = body[n:]
	}
}

// parseField takes a field as it stands on the wire apart.
func parseField(text string) (header.Field, error) {
	name, value, ok := strings.Cut(strings.TrimSuffix(text, "\r\n"), ":")
	if !ok || !strings.EqualFold(name, "DKIM-Signature") {
		return header.Field{}, fmt.Errorf("no DKIM-Signature: %.200q", text)
	}
	return header.Field{Name: name, Value: value}, nil
}

package main

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/header"
)

// signers are the foreign hosts of the cases, which sign with the two keys of
// testdata/cases.
type signers struct{ rsa, ed25519 crypto.Signer }

func sender(t *testing.T) signers {
	t.Helper()
	return signers{privateKey(t, "rsa.pem"), privateKey(t, "ed25519.pem")}
}

func privateKey(t *testing.T, name string) crypto.Signer {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata/cases", name))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		t.Fatalf("%s holds no PEM", name)
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return k.(crypto.Signer)
}

// records puts the key records into a zone: $RSA and $ED25519 stand for them.
func (s signers) records(zone string) string {
	der, err := x509.MarshalPKIXPublicKey(s.rsa.Public().(*rsa.PublicKey))
	if err != nil {
		panic(err)
	}
	return strings.NewReplacer(
		"$RSA", `"v=DKIM1; k=rsa; p=`+base64.StdEncoding.EncodeToString(der)+`"`,
		"$ED25519", `"v=DKIM1; k=ed25519; p=`+base64.StdEncoding.EncodeToString(s.ed25519.Public().(ed25519.PublicKey))+`"`,
	).Replace(zone)
}

// sign puts a signature on the message for each of the specs, such as
// "d=x.example s=s1 a=ed25519 h=From:To i=@x.example break". With "break" the message that
// was signed had another body, as if a list had added a line.
func (s signers) sign(t *testing.T, raw string, specs []string) string {
	t.Helper()
	for _, spec := range specs {
		sg := dkim.Signer{
			Key: s.rsa, Headers: []string{"From", "To", "Subject", "Date", "Message-ID", "List-Id"}, Oversign: []string{"From"},
			// Long ago, and always the same: header.b does not change.
			Now: func() time.Time { return time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC) },
		}
		broken := false
		for _, tag := range strings.Fields(spec) {
			name, value, _ := strings.Cut(tag, "=")
			switch name {
			case "d":
				sg.Domain = value
			case "s":
				sg.Selector = value
			case "i":
				sg.AUID = value
			case "a":
				sg.Key = s.ed25519
			case "h":
				sg.Headers = strings.Split(value, ":")
			case "break":
				broken = true
			default:
				t.Fatalf("signature: %q", tag)
			}
		}
		list, body := headerFields(raw)
		var fields header.Fields
		for _, f := range list {
			name, value, _ := strings.Cut(strings.TrimSuffix(f, "\r\n"), ":")
			fields = append(fields, header.Field{Name: name, Value: value})
		}
		run, err := dkim.NewSigning(fields, []dkim.Signer{sg})
		if err != nil {
			t.Fatal(err)
		}
		run.Write([]byte(body))
		if broken {
			run.Write([]byte("another line\r\n"))
		}
		values, err := run.Finish()
		if err != nil {
			t.Fatal(err)
		}
		raw = "DKIM-Signature:" + values[0] + "\r\n" + raw
	}
	return raw
}

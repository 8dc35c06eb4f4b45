// Package keys is the safe: it loads the private DKIM keys of the domains that
// we sign for, makes new ones, and decides which key signs for an author domain
// (RFC 8301, RFC 8463). The DNS records that go with them are keys/publish.
//
// A key lies in DIR/<domain>/<selector>.pem, PKCS#8 or PKCS#1, RSA or Ed25519.
// Only load.go opens such files and only generate.go makes them. A loaded key
// is opaque: it signs, and it prints as selector._domainkey.domain, never more.
//
// The package deliberately asks no DNS, knows no mail and no configuration
// file, and never deletes or overwrites a key. A key that is made beside others
// waits with a file of its own, SELECTOR.waiting, until somebody says that the DNS has
// shown it (Shown).
package keys

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// The algorithms of a= that we sign with (RFC 6376 §3.3, RFC 8463 §3).
const (
	RSASHA256     = "rsa-sha256"
	Ed25519SHA256 = "ed25519-sha256"
)

// Key is one private key together with the place of its public half in the
// DNS. It is a crypto.Signer for auth/dkim and safe for concurrent use.
//
// The private half exists only inside the closure sign. Nothing that walks
// values by reflection (fmt on a struct around us, a debugger's dump, a JSON
// or log encoder) can get at the variables of a closure, so a key that is
// logged by mistake shows its name and no more.
type Key struct {
	Domain   string // d=, A-labels, lower case
	Selector string // s=

	path    string
	created time.Time
	life    Life
	stamp   stamp
	public  crypto.PublicKey
	sign    func(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error)
}

// newKey closes over the private key. It refuses what DKIM has no algorithm for.
func newKey(domain, selector, path string, created time.Time, private crypto.Signer) (*Key, error) {
	switch private.Public().(type) {
	case *rsa.PublicKey, ed25519.PublicKey:
	default:
		return nil, errOtherAlgorithm
	}
	return &Key{
		Domain: domain, Selector: selector,
		path: path, created: created,
		public: private.Public(),
		sign:   private.Sign,
	}, nil
}

// Name is where the public half is published: selector._domainkey.domain
// (RFC 6376 §3.6.2.1).
func (k Key) Name() string { return k.Selector + "._domainkey." + k.Domain }

// Path is the file that the key came from.
func (k Key) Path() string { return k.path }

// Created says how old the key is: the day in a dated selector (s20261121) or
// the file's modification time; see madeAt.
func (k Key) Created() time.Time { return k.created }

// Life is what is known of the key's life.
func (k Key) Life() Life { return k.life }

// Algorithm is the a= of the signatures that the key makes, "" for the zero Key.
func (k Key) Algorithm() string {
	switch k.public.(type) {
	case *rsa.PublicKey:
		return RSASHA256
	case ed25519.PublicKey:
		return Ed25519SHA256
	}
	return ""
}

// Bits is the length of the RSA modulus, 256 for Ed25519.
func (k Key) Bits() int {
	switch pub := k.public.(type) {
	case *rsa.PublicKey:
		return pub.N.BitLen()
	case ed25519.PublicKey:
		return 8 * ed25519.PublicKeySize
	}
	return 0
}

// Signer is the key as auth/dkim wants it. It is the Key itself, so it prints
// as nothing but its name.
func (k *Key) Signer() crypto.Signer { return k }

// Public returns an *rsa.PublicKey or an ed25519.PublicKey.
func (k Key) Public() crypto.PublicKey { return k.public }

// Sign implements crypto.Signer.
func (k Key) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if k.sign == nil {
		return nil, errors.New("keys: zero Key cannot sign")
	}
	return k.sign(rand, digest, opts)
}

func (k Key) String() string { return k.Name() }

// GoString keeps %#v as quiet as the rest.
func (k Key) GoString() string { return "keys.Key(" + k.Name() + ")" }

// Format answers every verb, %x and %d included, with the name.
func (k Key) Format(f fmt.State, verb rune) {
	if verb == 'v' && f.Flag('#') {
		_, _ = io.WriteString(f, k.GoString())
		return
	}
	_, _ = io.WriteString(f, k.Name())
}

// LogValue is the name.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.Name()) }

// MarshalJSON is the name as a string.
func (k Key) MarshalJSON() ([]byte, error) { return json.Marshal(k.Name()) }

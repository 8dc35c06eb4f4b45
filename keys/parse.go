package keys

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
)

// Why a file is no key of ours. The texts are fixed: an error that repeated
// what the parser choked on could carry a piece of the key into a log.
var (
	errNoPEM          = errors.New("holds no PEM block")
	errBrokenPEM      = errors.New("broken PEM: the block is cut short or damaged")
	errBrokenKey      = errors.New("broken key: the PEM block does not hold a valid private key")
	errEncrypted      = errors.New("the private key is encrypted with a passphrase, which nobody can type at start")
	errPublic         = errors.New("holds a public key or certificate, no private key")
	errSeveral        = errors.New("holds more than one private key")
	errOtherAlgorithm = errors.New("not an RSA or Ed25519 key; DKIM has no other algorithms (RFC 6376 section 3.3, RFC 8463)")
	errOpenSSH        = errors.New("holds a key in OpenSSH's own format, not PKCS#8 or PKCS#1")
)

// parsePEM reads the one private key in data: PKCS#8 ("PRIVATE KEY") or PKCS#1
// ("RSA PRIVATE KEY"), whatever the label says. Certificates and public keys
// beside it are passed over.
func parsePEM(data []byte) (crypto.Signer, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")) // an editor's byte order mark
	var private *pem.Block
	public := false
	for rest := data; ; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			break
		}
		defer clear(block.Bytes)
		switch {
		case block.Type == "ENCRYPTED PRIVATE KEY", strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
			return nil, errEncrypted
		case block.Type == "OPENSSH PRIVATE KEY":
			return nil, errOpenSSH
		case block.Type == "EC PRIVATE KEY", block.Type == "DSA PRIVATE KEY":
			return nil, errOtherAlgorithm
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			if private != nil {
				return nil, errSeveral
			}
			private = block
		case strings.HasSuffix(block.Type, "PUBLIC KEY"), strings.HasSuffix(block.Type, "CERTIFICATE"):
			public = true
		}
	}
	switch {
	case private != nil:
		return parseDER(private.Bytes)
	case public:
		return nil, errPublic
	case bytes.Contains(data, []byte("-----BEGIN ")):
		return nil, errBrokenPEM
	}
	return nil, errNoPEM
}

// parseDER tries both containers: files that say "RSA PRIVATE KEY" and hold
// PKCS#8 exist, and the other way round.
func parseDER(der []byte) (crypto.Signer, error) {
	if k, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return k, nil
	}
	k, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errBrokenKey
	}
	switch k := k.(type) {
	case *rsa.PrivateKey:
		return k, nil
	case ed25519.PrivateKey:
		return k, nil
	}
	return nil, errOtherAlgorithm
}

package hostile

import (
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"math/big"
	"math/rand/v2"
	"sync"
)

// key is a signing key that is the same in every run. RSA is done with bare
// numbers: crypto/rsa refuses the sizes that forgers like.
type key struct {
	ed   ed25519.PrivateKey
	n, d *big.Int
}

const rsaExponent = 65537

func edKey(name string) key {
	seed := sha256.Sum256([]byte(name))
	return key{ed: ed25519.NewKeyFromSeed(seed[:])}
}

var rsaKeys sync.Map // bits -> func() key

// rsaKey makes the one RSA key of that many bits.
func rsaKey(bits int) key {
	f, _ := rsaKeys.LoadOrStore(bits, sync.OnceValue(func() key {
		rng := rand.New(rand.NewPCG(uint64(bits), 9989))
		for {
			p, q := prime(rng, bits/2), prime(rng, bits-bits/2)
			one := big.NewInt(1)
			phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
			d := new(big.Int).ModInverse(big.NewInt(rsaExponent), phi)
			if n := new(big.Int).Mul(p, q); d != nil && p.Cmp(q) != 0 && n.BitLen() == bits {
				return key{n: n, d: d}
			}
		}
	}))
	return f.(func() key)()
}

func prime(rng *rand.Rand, bits int) *big.Int {
	p := odd(rng, bits)
	for !p.ProbablyPrime(10) {
		p.Add(p, big.NewInt(2))
	}
	return p
}

// odd is a number of exactly so many bits, the two highest and the lowest set.
func odd(rng *rand.Rand, bits int) *big.Int {
	b := make([]byte, (bits+7)/8)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	p := new(big.Int).SetBytes(b)
	p.Rsh(p, uint(len(b)*8-bits))
	return p.SetBit(p, bits-1, 1).SetBit(p, bits-2, 1).SetBit(p, 0, 1)
}

// hugeKey has no private half: primes of that size take minutes.
func hugeKey(bits int) key {
	return key{n: odd(rand.New(rand.NewPCG(uint64(bits), 1)), bits), d: big.NewInt(3)}
}

// public is p= of the key record.
func (k key) public() string {
	if k.ed != nil {
		return base64.StdEncoding.EncodeToString(k.ed.Public().(ed25519.PublicKey))
	}
	der, err := x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: k.n, E: rsaExponent})
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

// record is the key record.
func (k key) record() string {
	return fmt.Sprintf("v=DKIM1; k=%s; p=%s", k.kind(), k.public())
}

func (k key) kind() string {
	if k.ed != nil {
		return "ed25519"
	}
	return "rsa"
}

// sha256Prefix is the DigestInfo of RFC 8017 §9.2 for SHA-256.
var sha256Prefix = []byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}

// sign signs a SHA-256 hash: RFC 8463 §3, or RSASSA-PKCS1-v1_5.
func (k key) sign(hash []byte) []byte {
	if k.ed != nil {
		return ed25519.Sign(k.ed, hash)
	}
	size := (k.n.BitLen() + 7) / 8
	em := make([]byte, size)
	em[1] = 1
	tail := append(append([]byte{}, sha256Prefix...), hash...)
	for i := 2; i < size-len(tail)-1; i++ {
		em[i] = 0xff
	}
	copy(em[size-len(tail):], tail)
	return new(big.Int).Exp(new(big.Int).SetBytes(em), k.d, k.n).FillBytes(make([]byte, size))
}

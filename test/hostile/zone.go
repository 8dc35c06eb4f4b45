package hostile

import "fmt"

// Zone is the DNS of the play, in the form of resolve.ParseZone. Every domain
// with a DMARC record here is its own organizational domain; each has an Ed25519
// key at the selector "e", attacker.example an RSA key at "r" as well.
func Zone() string {
	z := `
# Eve's own domain is in perfect order.
attacker.example        TXT "v=spf1 ip4:203.0.113.66 -all"
*.attacker.example      TXT "v=spf1 ip4:203.0.113.66 -all"
_dmarc.attacker.example TXT "v=DMARC1; p=none"
attacker.example        MX  10 mx.attacker.example
mx.attacker.example     A   203.0.113.66
mx.attacker.example     TXT "v=spf1 a -all"
203.0.113.66            PTR mx.attacker.example

# Those in whose name she would like to write.
bank.example            TXT "v=spf1 ip4:192.0.2.10 -all"
_dmarc.bank.example     TXT "v=DMARC1; p=reject"
bank.example            A   192.0.2.10
mx.bank.example         A   192.0.2.10
mx.bank.example         TXT "v=spf1 a -all"
192.0.2.10              PTR mx.bank.example
shop.example            TXT "v=spf1 -all"
_dmarc.shop.example     TXT "v=DMARC1; p=quarantine"
club.example            TXT "v=spf1 -all"
_dmarc.club.example     TXT "v=DMARC1; p=none"

# Honest people.
friend.example          TXT "v=spf1 ip4:192.0.2.20 -all"
_dmarc.friend.example   TXT "v=DMARC1; p=reject"
friend.example          A   192.0.2.20
mx.friend.example       A   192.0.2.20
mx.friend.example       TXT "v=spf1 a -all"
192.0.2.20              PTR mx.friend.example
xn--bcher-kva.example        TXT "v=spf1 ip4:192.0.2.20 -all"
_dmarc.xn--bcher-kva.example TXT "v=DMARC1; p=reject"
ours.example            TXT "v=spf1 -all"
_dmarc.ours.example     TXT "v=DMARC1; p=reject"
`
	for _, d := range []string{"attacker.example", "bank.example", "shop.example", "club.example", "friend.example", "xn--bcher-kva.example"} {
		z += fmt.Sprintf("e._domainkey.%s TXT %q\n", d, edKey(d).record())
	}
	return z + fmt.Sprintf("r._domainkey.attacker.example TXT %q\n", rsaKey(1024).record())
}

package publish_test

import (
	"fmt"
	"net/netip"
	"os"

	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/keys/publish"
)

func ExamplePublication_Records() {
	dir, err := os.MkdirTemp("", "keys")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	made, err := keys.Generate(dir, "example.com", keys.GenerateOptions{Selector: "s1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	p := publish.Publication{Domain: "example.com", Keys: made, Egress: []netip.Addr{netip.MustParseAddr("192.0.2.25")}}
	for _, r := range p.Records() {
		fmt.Printf("%s %s %.19s\n", r.Need, r.Name, r.Value)
	}
	// Output:
	// required s1._domainkey.example.com v=DKIM1; k=rsa; p=M
	// optional s1e._domainkey.example.com v=DKIM1; k=ed25519;
	// advice example.com v=spf1 mx ip4:192.0
	// advice _dmarc.example.com v=DMARC1; p=none; r
}

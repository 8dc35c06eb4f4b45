package keys_test

import (
	"fmt"
	"os"

	"github.com/sealmilter/sealmilter/keys"
)

// Keys are made once, loaded at each start, and picked by the domain of From.
func Example() {
	dir, err := os.MkdirTemp("", "keys")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	if _, err := keys.Generate(dir, "example.com", keys.GenerateOptions{Selector: "s1"}); err != nil {
		fmt.Println(err)
		return
	}
	store, problems := keys.Load(dir, []keys.DomainSpec{{Name: "example.com", Subdomains: true}}, nil)
	fmt.Println(len(problems), "problems")

	picked, sdid, err := store.Pick("news.example.com")
	for _, k := range picked {
		fmt.Println(k, k.Algorithm(), k.Bits(), "d="+sdid, err)
	}
	_, _, err = store.Pick("example.net")
	fmt.Println(err)
	// Output:
	// 0 problems
	// s1._domainkey.example.com rsa-sha256 2048 d=example.com <nil>
	// s1e._domainkey.example.com ed25519-sha256 256 d=example.com <nil>
	// example.net: not a domain that we sign for
}

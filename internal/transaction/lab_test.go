package transaction

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/dkim"
	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/policy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ours are the hints of mail that we send.
var ours = Hints{Listener: auth.Outbound}

// accepting is a policy that lets everything in.
type accepting struct{}

func (accepting) Decide(policy.Input) policy.Verdict { return policy.Verdict{Action: policy.Accept} }

var madeKeys = sync.OnceValues(func() (*keys.Store, error) {
	dir, err := os.MkdirTemp("", "sealmilter-keys-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if _, err = keys.Generate(filepath.Join(dir, "keys"), "good.example", keys.GenerateOptions{Selector: "s1"}); err != nil {
		return nil, err
	}
	store, _ := keys.Load(filepath.Join(dir, "keys"), []keys.DomainSpec{{Name: "good.example", Subdomains: true}, {Name: "keyless.example"}}, nil)
	return store, nil
})

// newSetup signs for good.example, has no keys for keyless.example, and asks an
// empty zone.
func newSetup(t testing.TB) *Setup {
	t.Helper()
	store, err := madeKeys()
	if err != nil {
		t.Fatal(err)
	}
	rules, bad := policy.Compile(nil, policy.Options{Quarantine: "tag", DMARCReject: "reject"})
	if len(bad) > 0 {
		t.Fatal(bad)
	}
	return &Setup{
		AuthservID: "mail.good.example",
		Rules:      defaultRules(),
		MTA:        "auto",
		Sign: Sign{
			Headers:     []string{"From", "To", "Subject", "Date", "Message-ID", "Reply-To"},
			Oversign:    []string{"From", "Subject"},
			HeaderCanon: dkim.Relaxed, BodyCanon: dkim.Relaxed,
		},
		Keys: store,
		Auth: &auth.Authenticator{
			Resolver: resolve.MustZone(labZone), SPF: true, DKIM: true, DMARC: true, IPRev: true,
			Receiver: "mail.good.example", Questions: 120, Timeout: 10 * time.Second, MaxSignatures: 8,
		},
		Policy: rules,
		Limits: Limits{FieldSize: 128 << 10, HeaderSize: 512 << 10, HeaderFields: 1000, HeaderMemory: 64 << 20},
	}
}

const labZone = `
sender.example        TXT "v=spf1 ip4:192.0.2.1 -all"
_dmarc.sender.example TXT "v=DMARC1; p=reject"
_dmarc.bank.example   TXT "v=DMARC1; p=reject"
`

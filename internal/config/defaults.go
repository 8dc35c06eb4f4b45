package config

import (
	"time"

	"github.com/sealmilter/sealmilter/policy"
	"github.com/sealmilter/sealmilter/policy/tree"
)

// Default is the configuration that an empty section means. AuthservID is the
// one value that has to be found out (Loader.HostID).
func Default() *Config {
	c := defaults()
	// The built-in rules have no problems.
	c.Policy.Compiled, _ = policy.Compile(&c.Policy.Rules.Node, c.Policy.options())
	return c
}

func defaults() *Config {
	return &Config{
		Listen: []Listener{{Addr: mustAddress("unix:/run/sealmilter/milter.sock"), Direction: "auto"}},
		Socket: Socket{Mode: 0o660},
		MTA:    "auto",
		Admin:  mustAddress("unix:/run/sealmilter/admin.sock"),
		DNS:    DNS{Timeout: 3 * time.Second, CacheSize: 10000},
		Outbound: Outbound{
			Local:         true,
			Authenticated: true,
			DaemonNames:   []string{"ORIGINATING"}, // Postfix's milter_macro_daemon_name for submission
			Reinjected:    "skip",
		},
		Sign: Sign{
			Keys:             "/var/lib/sealmilter/keys",
			RequirePublished: true,
			Canonicalization: "relaxed/relaxed",
			// RFC 6376 §5.4.1's core of a message, and what readers act upon.
			Headers: []string{
				"From", "Sender", "Reply-To", "To", "Cc", "Subject", "Date", "Message-ID", "In-Reply-To", "References",
				"MIME-Version", "Content-Type", "Content-Transfer-Encoding",
				"List-Id", "List-Help", "List-Unsubscribe", "List-Unsubscribe-Post", "List-Subscribe", "List-Post", "List-Owner", "List-Archive",
			},
			// RFC 6376 §8.15: a field added later breaks the signature.
			Oversign: []string{"From", "Reply-To", "To", "Cc", "Subject", "Content-Type"},
			Via:      "direct",
			RSA:      "auto",
			Senders:  Senders{OnMismatch: "log"},
			// RFC 6376 §3.6.1's keys stay for as long as mail may be under way: queues give up after 5 days.
			Rotate: Rotate{Overlap: 7 * 24 * time.Hour, Delay: 5 * time.Minute, Publish: "none"},
			Role:   "master",
		},
		Verify: Verify{SPF: true, DKIM: true, DMARC: true, IPRev: true},
		Policy: Policy{
			Quarantine:     "tag",
			DMARCReject:    "reject",
			DMARCTempError: "tempfail",
			Rules:          Tree{tree.Node{Kind: tree.List, Items: []tree.Node{{Kind: tree.Scalar, Scalar: "defaults"}}}},
		},
		Forwarders: emptyTree(tree.List),
		Reports:    emptyTree(tree.Map),
		Recorder:   Recorder{Messages: 1000},
		Web:        emptyTree(tree.Map),
		Limits: Limits{
			FieldSize:         128 << 10, // Postfix sends up to 102,400 bytes (header_size_limit)
			HeaderSize:        512 << 10,
			HeaderFields:      1000,
			HeaderMemory:      64 << 20,
			Signatures:        8,
			DNSQuestions:      120,
			MessageTimeout:    10 * time.Second, // the MTAs wait 300 s for us
			Connections:       1000,
			OutboundShare:     20,
			PacketSize:        1 << 20,
			IdleTimeout:       7210 * time.Second, // libmilter's: the MTA is silent during DATA
			FrameTimeout:      30 * time.Second,
			FirstFrameTimeout: 10 * time.Second,
		},
		Log: Log{Format: "text", Level: "info"},
	}
}

// Package config reads milter.yaml: defaults, then a strict decode in which an
// unknown name is an error, then the checks across sections. All problems come
// out at once, each with its line and what to do about it.
//
// It is the only importer of yaml.v3, and it opens nothing but the file
// itself: whether keys load, sockets bind or groups exist is for those who use
// the values to find out.
package config

import (
	"net/netip"
	"time"

	"github.com/sealmilter/sealmilter/policy"
)

// Config is the whole configuration, as plain values. Names and meaning are
// described in milter.yaml.example.
//
// Tags: yaml is the name; words are the only values; min and max bound a
// number, size or duration; check names a rule in leaf.go; single lets a list of
// one stand without brackets.
type Config struct {
	AuthservID string       `yaml:"authserv_id" check:"domain"`
	Listen     []Listener   `yaml:"listen" single:"yes"`
	Socket     Socket       `yaml:"socket"`
	MTA        string       `yaml:"mta" words:"auto postfix sendmail"`
	Admin      Address      `yaml:"admin"` // zero: none
	DNS        DNS          `yaml:"dns"`
	Outbound   Outbound     `yaml:"outbound"`
	Inbound    Inbound      `yaml:"inbound"`
	Egress     []netip.Addr `yaml:"egress"`
	Sign       Sign         `yaml:"sign"`
	Verify     Verify       `yaml:"verify"`
	ARC        ARC          `yaml:"arc"`
	Policy     Policy       `yaml:"policy"`
	Forwarders Tree         `yaml:"forwarders" shape:"list"`
	Reports    Tree         `yaml:"reports" shape:"map"`
	Recorder   Recorder     `yaml:"recorder"`
	Shadow     bool         `yaml:"shadow"`
	Web        Tree         `yaml:"web" shape:"map"`
	Limits     Limits       `yaml:"limits"`
	Log        Log          `yaml:"log"`
	Metrics    Metrics      `yaml:"metrics"`
}

// Recorder keeps decisions for those who ask why.
type Recorder struct {
	Messages int `yaml:"messages" min:"0" max:"1000000"`
}

// Socket is what our own unix sockets look like.
type Socket struct {
	Mode  FileMode `yaml:"mode"`
	Group string   `yaml:"group" check:"token"` // "": postfix where that group exists
	// Peers are the users who may connect beside root and ourselves. None: all
	// who can.
	Peers []string `yaml:"peers" check:"token"`
}

// DNS is how questions are asked.
type DNS struct {
	Servers   []netip.AddrPort `yaml:"servers"` // none: /etc/resolv.conf
	Timeout   time.Duration    `yaml:"timeout" min:"100ms" max:"1m"`
	CacheSize int              `yaml:"cache_size" min:"0" max:"10000000"`
}

// Outbound is what makes a message ours.
type Outbound struct {
	Local         bool           `yaml:"local"`
	Authenticated bool           `yaml:"authenticated"`
	DaemonNames   []string       `yaml:"daemon_names" check:"token"`
	Networks      []netip.Prefix `yaml:"networks"`
	Reinjected    string         `yaml:"reinjected" words:"skip sign"`
}

// Inbound names our own hosts that hand over foreign mail.
type Inbound struct {
	Relays []netip.Prefix `yaml:"relays"`
}

// Sign is how outbound mail is signed. No domain: nothing is.
type Sign struct {
	Keys             string        `yaml:"keys" check:"path"`
	Domains          []SignDomain  `yaml:"domains"`
	RequirePublished bool          `yaml:"require_published"`
	Expire           time.Duration `yaml:"expire" min:"0s" max:"8760h"` // 0: no x= tag
	// Canonicalization is c= as RFC 6376 §3.5 writes it, header/body.
	Canonicalization string      `yaml:"canonicalization" words:"relaxed/relaxed relaxed/simple simple/relaxed simple/simple"`
	Headers          []string    `yaml:"headers,flow" check:"field"`
	Oversign         []string    `yaml:"oversign,flow" check:"field"`
	Via              string      `yaml:"via" words:"direct ses"`
	RSA              string      `yaml:"rsa" words:"auto go openssl"`
	DomainsFrom      DomainsFrom `yaml:"domains_from"`
	Senders          Senders     `yaml:"senders"`
	Rotate           Rotate      `yaml:"rotate"`
	// SkipSigned leaves alone what has a signature of ours already.
	SkipSigned bool `yaml:"skip_signed"`
	// Role: a master makes keys and writes down their lives, a follower takes both from the folder.
	Role string `yaml:"role" words:"master follower"`
	// PublishedVia are asked for the records of keys; none: the domains' own name servers.
	PublishedVia []netip.AddrPort `yaml:"published_via"`
}

// Rotate is how keys follow each other, and who publishes their records.
type Rotate struct {
	Every    time.Duration    `yaml:"every,omitempty" min:"24h" max:"43800h"` // 0: when somebody says so
	Overlap  time.Duration    `yaml:"overlap" min:"0s" max:"8760h"`           // how long the record of a key stays that signs no more
	Delay    time.Duration    `yaml:"delay" min:"0s" max:"168h"`              // from the record's being seen to its key's taking over
	Turns    []string         `yaml:"turns,omitempty,flow" check:"domain"`    // two selectors in turn, see `dns --cname-to`
	Publish  string           `yaml:"publish" words:"none rfc2136 hook"`
	Server   []netip.AddrPort `yaml:"server,omitempty,flow" single:""` // of rfc2136, one after the other
	TSIGFile string           `yaml:"tsig_file,omitempty" check:"path"`
	Hook     string           `yaml:"hook,omitempty" check:"path"`
}

// ViaSES reports whether mail leaves through Amazon SES.
func (s Sign) ViaSES() bool { return s.Via == "ses" }

// SignDomain is one domain that we sign for.
type SignDomain struct {
	Name       string   `yaml:"name" check:"domain"` // A-labels, lower case
	Selectors  []string `yaml:"selectors,flow" check:"domain"`
	Subdomains bool     `yaml:"subdomains"`
	As         string   `yaml:"as,omitempty" check:"domain"` // signed with d= and keys of this domain
}

// DomainsFrom is a database with more names for sign.domains, all of them in one
// column. Zero: none.
type DomainsFrom struct {
	Driver  string        `yaml:"driver,omitempty" words:"mysql postgres sqlite"`
	DSNFile string        `yaml:"dsn_file,omitempty" check:"path"`
	Query   string        `yaml:"query,omitempty"`
	Refresh time.Duration `yaml:"refresh,omitempty" min:"10s" max:"24h"`
	// Line is where the file names DSNFile, for those who open it.
	Line int `yaml:"-"`
}

// Asked reports whether there is a database to ask.
func (f DomainsFrom) Asked() bool { return f.Driver != "" }

// Verify says which checks run on inbound mail.
type Verify struct {
	SPF                bool        `yaml:"spf"`
	DKIM               bool        `yaml:"dkim"`
	DMARC              bool        `yaml:"dmarc"`
	ARC                bool        `yaml:"arc"`
	IPRev              bool        `yaml:"iprev"`
	DNSBL              []DNSBLZone `yaml:"dnsbl"`
	TrustedAuthservIDs []TrustedID `yaml:"trusted_authserv_ids"`
	// RemoveAuthservIDs are more ids whose fields are removed as ours are: a former daemon's.
	RemoveAuthservIDs []string `yaml:"remove_authserv_ids,flow" check:"domain"`
}

// DNSBLZone is one block list.
type DNSBLZone struct {
	Zone string `yaml:"zone" check:"domain"`
}

// TrustedID is an upstream host of ours whose Authentication-Results stay.
type TrustedID struct {
	ID       string         `yaml:"id" check:"domain"`
	Networks []netip.Prefix `yaml:"networks"`
}

// ARC is sealing.
type ARC struct {
	Seal Seal `yaml:"seal"`
}

// Seal is zero when nothing is sealed.
type Seal struct {
	Domain   string `yaml:"domain,omitempty" check:"domain"`
	Selector string `yaml:"selector,omitempty" check:"domain"`
	For      string `yaml:"for,omitempty" words:"forwarded all"`
}

// Policy decides about inbound mail.
type Policy struct {
	Quarantine     string `yaml:"quarantine" words:"tag hold"`
	DMARCReject    string `yaml:"dmarc_reject" words:"reject quarantine"`
	DMARCTempError string `yaml:"dmarc_temperror" words:"tempfail accept quarantine"`
	Rules          Tree   `yaml:"rules"`
	// Compiled is what Rules mean.
	Compiled *policy.Policy `yaml:"-"`
}

func (p Policy) options() policy.Options {
	return policy.Options{Quarantine: p.Quarantine, DMARCReject: p.DMARCReject, DMARCTempError: p.DMARCTempError}
}

// Limits bound what one message and one peer can cost.
type Limits struct {
	FieldSize         Size          `yaml:"field_size" min:"4KiB" max:"16MiB"`
	HeaderSize        Size          `yaml:"header_size" min:"16KiB" max:"64MiB"`
	HeaderFields      int           `yaml:"header_fields" min:"50" max:"100000"`
	HeaderMemory      Size          `yaml:"header_memory" min:"1MiB" max:"64GiB"`
	Signatures        int           `yaml:"signatures" min:"1" max:"50"`
	DNSQuestions      int           `yaml:"dns_questions" min:"20" max:"1000"`
	MessageTimeout    time.Duration `yaml:"message_timeout" min:"1s" max:"4m"`
	Connections       int           `yaml:"connections" min:"1" max:"100000"`
	OutboundShare     int           `yaml:"outbound_share" min:"0" max:"90"` // percent of connections
	PacketSize        Size          `yaml:"packet_size" min:"64KiB" max:"64MiB"`
	IdleTimeout       time.Duration `yaml:"idle_timeout" min:"10s" max:"24h"`
	FrameTimeout      time.Duration `yaml:"frame_timeout" min:"1s" max:"10m"`
	FirstFrameTimeout time.Duration `yaml:"first_frame_timeout" min:"1s" max:"10m"`
}

// Log is how we talk.
type Log struct {
	Format string `yaml:"format" words:"text json"`
	Level  string `yaml:"level" words:"debug info warn error"`
}

// Metrics is where Prometheus may ask.
type Metrics struct {
	Listen string `yaml:"listen" check:"hostport"` // "": nowhere
}

package archtest

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/sealmilter/sealmilter/"

// room is a row of the table.
type room struct {
	names   string // one row for all of them
	may     string // what they may import of ours
	without string // packages of the standard library that would break the reason
	because string
}

// rooms is the table: what each package may import of ours, all paths in full.
// A package without a row may import nothing of ours, so that a new arrow is
// somebody's decision. What a row allows and nobody uses yet is fine; paths that
// do not exist are not.
var rooms = []room{
	{"auth/resolve auth/header auth/internal/tagvalue policy/tree", "", "", "leaves know nothing of their users"},
	{"auth/internal/canon", "auth/header", "", "tools know nothing of their users"},
	{"auth/internal/dkimsig", "auth/header auth/internal/canon auth/internal/tagvalue auth/resolve", "", "tools know nothing of their users"},
	{"auth/spf auth/dmarc auth/iprev", "auth/header auth/resolve auth/internal/tagvalue", "",
		"methods know nothing of each other; dmarc gets identifiers as values"},
	{"auth/dkim", "auth/header auth/resolve auth/internal/canon auth/internal/dkimsig auth/internal/tagvalue", "",
		"methods know nothing of each other; dmarc gets identifiers as values"},
	{"auth", "auth/spf auth/dkim auth/dmarc auth/iprev auth/header auth/resolve", "os", "truth does not depend on what we do about it"},
	{"policy", "policy/tree auth auth/spf auth/dkim auth/dmarc auth/iprev auth/header auth/resolve", "net os time", "a verdict can be replayed"},
	{"keys", "", "", "the safe does not know the mail"},
	{"keys/publish", "keys internal/address", "", "records follow from keys and domains alone"},

	{"internal/signing", "auth auth/resolve", "context net os time", "who may write as whom can be replayed from rules and addresses"},
	{"internal/directory", "internal/signing", "net os", "it remembers what was answered, and does not know who answers"},
	{"internal/transaction", "internal/transaction/sendmailform internal/signing policy keys auth auth/dkim auth/header", "log log/slog net os os/exec",
		"what becomes of a message is one value; who writes or counts it is an observer"},
	{"internal/transaction/sendmailform", "", "", "it knows Sendmail's form of addresses only"},
	{"internal/observe", "internal/transaction internal/telemetry auth", "os", "it is told what was decided, and decides nothing"},
	{"milter", "internal/transaction policy auth internal/postfix/version", "os/exec", "the hall speaks the protocol; what becomes of a message is internal/transaction's"},
	{"milter/client", "internal/postfix/version", "", "it plays the MTA, which knows nothing of us"},
	{"milter/witness", "", "", "it is no part of the daemon"},

	{"internal/config", "policy policy/tree auth/resolve internal/address internal/signing internal/sqldb/query internal/wholefile", "", "what the file says is known before anything is made of it"},
	{"internal/config/edit", "auth/resolve internal/problem", "os", "an edit can be replayed from the file's text"},
	{"internal/source", "internal/problem internal/wholefile", "", "what becomes of a list does not depend on who gave it"},
	{"internal/sqldb", "internal/problem internal/sqldb/query", "", "it asks a database and does not know what for"},
	{"internal/sqldb/query", "", "os net database/sql", "a query is judged from its text"},
	{"internal/dnsclient", "auth/resolve", "", "it answers questions and does not know whose"},
	{"internal/authoritative", "auth/resolve internal/address internal/dnsclient", "os", "what servers show can be replayed from a table of them"},
	{"internal/publisher", "auth/resolve internal/child internal/problem", "", "it puts a record into the DNS and does not know whose"},
	{"internal/assemble", `internal/config keys policy auth auth/dkim auth/resolve milter internal/transaction internal/dnsclient internal/asuser
		internal/directory internal/problem internal/signing internal/rotate internal/authoritative internal/publisher keys/publish internal/source internal/sqldb milter/witness`, "", "it makes the parts and starts none"},
	{"internal/proof", "keys keys/publish auth/dkim auth/header internal/secondopinion", "", "a proof needs a key and nothing that runs"},
	{"internal/mta", "internal/child internal/postfix milter/client", "", "it reads a host and judges nothing"},
	{"internal/inspect", `auth/resolve internal/config internal/assemble internal/proof internal/admin internal/socket internal/problem internal/address
		internal/asuser internal/doctor internal/doctor/words internal/filing internal/mta internal/rotate internal/source keys keys/publish`, "",
		"it looks, and starts nothing"},
	{"internal/explain", "internal/transaction internal/secondopinion internal/plain policy auth auth/dkim auth/header auth/resolve", "os",
		"a report can be made again from the message's text and a zone"},
	{"internal/rotate", "keys", "os net", "a plan can be made again from states, answers and the time"},
	{"internal/admin", "internal/problem internal/rotate keys", "", "the answers of a daemon do not depend on how it runs"},
	{"internal/service", `internal/config internal/assemble internal/admin internal/inspect internal/proof internal/dnsclient internal/socket
		internal/telemetry internal/problem internal/observe internal/transaction internal/asuser internal/rotate internal/source milter auth auth/resolve keys keys/publish`, "", "nothing is decided in it"},

	{"internal/setup", `internal/admin internal/config internal/config/edit internal/assemble internal/inspect internal/proof internal/postfix internal/sendmail
		internal/filing internal/socket internal/asuser internal/child internal/mta internal/secondopinion internal/problem internal/plain internal/wholefile
		milter/client milter/witness keys keys/publish auth/resolve policy/tree`, "", "it changes a host and judges no mail"},
	{"internal/demo", "auth/resolve internal/assemble internal/config internal/problem internal/socket keys keys/publish milter milter/client", "",
		"it shows what the daemon does, and is no part of it"},
	{"internal/manpage", "", "", "it knows roff, and what the commands cannot say themselves"},
	{"internal/doctor", `internal/doctor/words auth/dkim auth/dmarc auth/iprev auth/resolve auth/spf keys keys/publish internal/address internal/plain
		internal/postfix internal/sendmail`, "os os/exec", "a finding can be replayed from a zone and the MTA's text"},
	{"internal/doctor/words", "", "os", "sentences know nothing of what they are about"},
	{"internal/postfix", "internal/postfix/version internal/address internal/wholefile", "", "it knows Postfix's files only"},
	{"internal/postfix/version internal/filing", "", "", "they know the files of others only"},
	{"internal/sendmail", "", "os", "a plan can be replayed from Sendmail's files"},

	{"internal/problem", "internal/plain", "", "what is wrong is told in one form, whatever it is about"},
	{"internal/socket", "internal/problem", "", "plumbing knows nothing of the rooms"},
	{"internal/address internal/wholefile internal/plain internal/asuser internal/child internal/telemetry internal/secondopinion internal/archtest", "", "",
		"plumbing knows nothing of the rooms"},

	{"cmd/sealmilter", `auth auth/resolve internal/admin internal/assemble internal/asuser internal/config internal/demo internal/doctor
		internal/explain internal/inspect internal/manpage internal/mta internal/plain internal/problem internal/rotate internal/service
		internal/setup keys keys/publish milter policy/tree`, "", "the front door says what it opens"},
}

// importers names the one room that may import a library, tests apart.
var importers = map[string][]string{
	"gopkg.in/yaml.v3":                    {"internal/config", "internal/config/edit"},
	"github.com/miekg/dns":                {"internal/dnsclient", "internal/publisher"}, // one asks, the other changes
	"github.com/emersion/go-milter":       {"milter", "milter/client"},
	"github.com/emersion/go-msgauth":      {"internal/secondopinion"},
	"github.com/maypok86/otter/v2":        {"internal/dnsclient"},
	"golang.org/x/net/idna":               {"auth/resolve"},
	"golang.org/x/net/publicsuffix":       {"internal/config"},
	"golang.org/x/net/netutil":            {"internal/socket"},
	"golang.org/x/sys":                    {"cmd/sealmilter", "internal/child"},
	"github.com/prometheus/client_golang": {"internal/telemetry"},
	"github.com/go-sql-driver/mysql":      {"internal/sqldb"},
	"github.com/jackc/pgx/v5":             {"internal/sqldb"},
	"modernc.org/sqlite":                  {"internal/sqldb"},
	"github.com/spf13/cobra":              {"cmd/sealmilter"},
	"github.com/spf13/pflag":              {"cmd/sealmilter"},
	"github.com/coreos/go-systemd/v22":    {"cmd/sealmilter"},
	"blitiri.com.ar/go/spf":               {},
	"github.com/google/go-cmp":            {},
	"github.com/rogpeppe/go-internal":     {},
	"go.uber.org/goleak":                  {},
}

type pkg struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 10 {
		t.Fatalf("only %d packages found", len(all))
	}
	return all
}

func under(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

// crosses returns the reason why from may not import to, "" when it may.
func crosses(from, to string) string {
	row := slices.IndexFunc(rooms, func(r room) bool {
		return slices.Contains(strings.Fields(r.names), from)
	})
	ours, own := strings.CutPrefix(to, module)
	switch {
	case own && row < 0:
		return "it has no row in this table yet, and imports nothing of ours before it has one"
	case own && !slices.Contains(strings.Fields(rooms[row].may), ours):
		return rooms[row].because + " (it may: " + cmp.Or(strings.Join(strings.Fields(rooms[row].may), " "), "nothing of ours") + ")"
	case own:
		return ""
	case row >= 0 && slices.Contains(strings.Fields(rooms[row].without), to):
		return rooms[row].because
	case !strings.Contains(strings.Split(to, "/")[0], "."):
		return "" // the standard library
	}
	for lib, who := range importers {
		if under(to, lib) {
			if slices.Contains(who, from) {
				return ""
			}
			return "its one importer is " + cmp.Or(strings.Join(who, ", "), "nobody") + " (outside tests)"
		}
	}
	return "the library has no importer in this table yet"
}

func TestHouse(t *testing.T) {
	exists := map[string]bool{}
	for _, p := range packages(t) {
		from := strings.TrimPrefix(p.ImportPath, module)
		exists[from] = true
		if strings.HasPrefix(from, "test/") {
			continue
		}
		for _, to := range p.Imports {
			if why := crosses(from, to); why != "" {
				t.Errorf("%s must not import %s: %s", from, strings.TrimPrefix(to, module), why)
			}
		}
	}
	seen := map[string]bool{}
	for _, r := range rooms {
		for _, name := range strings.Fields(r.names) {
			if seen[name] {
				t.Errorf("%s has two rows", name)
			}
			seen[name] = true
		}
		for _, name := range strings.Fields(r.names + " " + r.may) {
			if !exists[name] {
				t.Errorf("the table names %s, which is not there", name)
			}
		}
		if r.because == "" {
			t.Errorf("%s: no reason", r.names)
		}
	}
}

// The table itself must be able to fail.
func TestTableRefuses(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"auth/spf", module + "auth/dkim", "methods know nothing of each other"},
		{"auth/spf", module + "auth/resolve", ""},
		{"auth/resolve", module + "auth/header", "leaves know nothing of their users (it may: nothing of ours)"},
		{"auth", module + "policy", "truth does not depend"},
		{"policy/tree", module + "policy", "leaves know nothing"},
		{"policy", module + "policy/tree", ""},
		{"policy", "net", "replayed"},
		{"policy", "net/netip", ""},
		{"policy", "gopkg.in/yaml.v3", "one importer is internal/config"},
		{"keys", module + "auth", "the safe"},
		{"milter", module + "internal/config", "the hall"},
		{"milter", "github.com/miekg/dns", "one importer is internal/dnsclient, internal/publisher"},
		{"cmd/sealmilter", "github.com/miekg/dns", "one importer"},
		{"cmd/sealmilter", "github.com/google/go-cmp/cmp", "one importer is nobody"},
		{"cmd/sealmilter", "example.com/new", "no importer in this table yet"},
		{"internal/dnsclient", "github.com/miekg/dns", ""},
		{"cmd/sealmilter", module + "milter", ""},
		{"cmd/sealmilter", module + "milter/witness", "front door"},
		{"internal/setup", module + "internal/doctor", "judges no mail"},
		{"internal/setup", module + "internal/postfix", ""},
		{"internal/doctor", "os/exec", "replayed"},
		{"internal/recorder", module + "auth/resolve", "no row in this table yet"},
		{"internal/recorder", module + "internal/recorder/disk", "no row in this table yet"},
		{"internal/recorder", "os", ""},
		{"internal/config/more", module + "policy", "no row in this table yet"},
	} {
		got := crosses(c.from, c.to)
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s -> %s: %q, want %q", c.from, c.to, got, c.want)
		}
	}
}

const (
	frontLines = 2200 // all of cmd/sealmilter without its tests
	frontFile  = 170  // one file of it
)

// TestFrontDoorStaysSmall: what a command does is in a room, where others can use it.
func TestFrontDoorStaysSmall(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "cmd/sealmilter/*.go"))
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	all := 0
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		n := strings.Count(string(text), "\n")
		if all += n; n > frontFile {
			t.Errorf("%s has %d lines, more than %d: it should have flags, help and exit codes only", f, n, frontFile)
		}
	}
	if all > frontLines {
		t.Errorf("%d lines, more than %d", all, frontLines)
	}
}

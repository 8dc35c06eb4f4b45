package publish

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-msgauth/dkim"
	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/sealmilter/sealmilter/keys"
)

var update = flag.Bool("update", false, "write the golden files")

// fixedKeys are the same in every run, so that golden files can hold their
// records: the Ed25519 key of RFC 8463 appendix A.1, and an RSA key of the Mersenne
// primes 2^607-1 and 2^1279-1.
func fixedKeys(t *testing.T) []*keys.Key {
	t.Helper()
	dir := keyFolder(t)
	for _, name := range []string{"s20261121.pem", "s20261121e.pem"} {
		pem, err := os.ReadFile(filepath.Join("testdata/keys", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "example.com", name), pem, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	store, problems := keys.Load(dir, []keys.DomainSpec{{Name: "example.com"}}, nil)
	list := store.Keys("example.com")
	if len(list) != 2 {
		t.Fatalf("keys %v, problems %v", list, problems)
	}
	slices.SortFunc(list, func(a, b *keys.Key) int { return strings.Compare(b.Selector, a.Selector) })
	return list
}

// keyFolder has a folder for the keys of example.com.
func keyFolder(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "keys")
	if err := os.MkdirAll(filepath.Join(dir, "example.com"), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func addrs(s ...string) []netip.Addr {
	var out []netip.Addr
	for _, a := range s {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}

func write(t *testing.T, form Form, records []TXT) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, form, records); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestWriteGolden(t *testing.T) {
	p := Publication{Domain: "example.com", Keys: fixedKeys(t)}
	for _, form := range Forms() {
		t.Run(string(form), func(t *testing.T) {
			got := write(t, form, p.Records())
			path := filepath.Join("testdata", string(form)+".golden")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// zone reads a piece of a zone file as a name server would.
func zone(t *testing.T, text string) map[string][][]string {
	t.Helper()
	z := dns.NewZoneParser(strings.NewReader(text), "", "")
	found := map[string][][]string{}
	for rr, ok := z.Next(); ok; rr, ok = z.Next() {
		txt, ok := rr.(*dns.TXT)
		if !ok {
			t.Fatalf("not a TXT record: %v", rr)
		}
		found[txt.Hdr.Name] = append(found[txt.Hdr.Name], txt.Txt)
	}
	if err := z.Err(); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return found
}

// TestBINDIsAZone: DKIM records load as they are, advice after its comment
// marks are removed, and the strings of each give its value.
func TestBINDIsAZone(t *testing.T) {
	p := Publication{Domain: "example.com", Keys: fixedKeys(t), Egress: addrs("192.0.2.1")}
	var many []string
	for i := range 40 { // an SPF record of several strings
		many = append(many, netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}).String())
	}
	long := Publication{Domain: "long.example", Keys: nil, Egress: addrs(many...)}
	records := append(p.Records(), long.Records()...)
	text := write(t, BIND, records)

	live := zone(t, text)
	if len(live) != 2 {
		t.Errorf("%d names are live, want the two DKIM records: %v", len(live), live)
	}
	var uncommented []string
	for line := range strings.Lines(text) {
		rest := strings.TrimPrefix(line, "; ")
		if rest != line && (strings.Contains(rest, " IN TXT") || strings.HasPrefix(rest, "    \"") || rest == ")\n") {
			line = rest
		}
		uncommented = append(uncommented, line)
	}
	all := zone(t, strings.Join(uncommented, ""))
	for _, r := range records {
		got := all[r.Name+"."]
		if len(got) != 1 || strings.Join(got[0], "") != r.Value {
			t.Errorf("%s: %q, want %q", r.Name, got, r.Value)
			continue
		}
		for _, s := range got[0] {
			if len(s) > 255 {
				t.Errorf("%s: a string of %d bytes", r.Name, len(s))
			}
		}
	}
}

// TestBINDOfMany: aliases are whole names whatever the $ORIGIN, and what was explained
// once keeps its mark.
func TestBINDOfMany(t *testing.T) {
	var b bytes.Buffer
	w, err := NewWriter(&b, BIND)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, domain := range []string{"one.example", "two.example"} {
		owner, _, err := Publication{Domain: domain}.Delegate(Delegation{To: "dkim.hoster.example"})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Add(domain, owner); err != nil {
			t.Fatal(err)
		}
		for _, s := range DelegatedSelectors() {
			want[s+"._domainkey."+domain+"."] = s + "." + domain + ".dkim.hoster.example."
		}
	}
	got := map[string]string{}
	z := dns.NewZoneParser(&b, "elsewhere.example.", "")
	text := b.String()
	for rr, ok := z.Next(); ok; rr, ok = z.Next() {
		got[rr.Header().Name] = rr.(*dns.CNAME).Target
	}
	if diff := cmp.Diff(want, got); diff != "" || z.Err() != nil {
		t.Errorf("%v\n%s", z.Err(), diff)
	}
	if n := strings.Count(text, "\n; required\n") + strings.Count(text, "\n; optional\n") + strings.Count(text, "\n; advice\n"); n != 8 {
		t.Errorf("%d records without a reason in\n%s", n, text)
	}
}

func TestRoute53(t *testing.T) {
	var batch struct {
		Comment string
		Changes []struct {
			Action            string
			ResourceRecordSet struct {
				Name, Type      string
				TTL             int
				ResourceRecords []struct{ Value string }
			}
		}
	}
	list := fixedKeys(t)
	text := write(t, Route53, Publication{Domain: "example.com", Keys: list}.Records())
	if err := json.Unmarshal([]byte(text), &batch); err != nil {
		t.Fatal(err)
	}
	if len(batch.Comment) > 256 { // the limit of the service
		t.Errorf("comment of %d bytes", len(batch.Comment))
	}
	var b strings.Builder
	for _, c := range batch.Changes {
		set := c.ResourceRecordSet
		b.WriteString(set.Name + " 60 IN " + set.Type + " " + set.ResourceRecords[0].Value + "\n")
	}
	got := zone(t, b.String())
	if len(got) != 2 {
		t.Fatalf("%d names, want only DKIM: %s", len(got), text)
	}
	for _, k := range list {
		if strings.Join(got[k.Name()+"."][0], "") != Record(k) {
			t.Errorf("%s: %v", k.Name(), got)
		}
	}
	var buf bytes.Buffer
	if err := Write(&buf, Route53, Publication{Domain: "example.com"}.Records()); !errors.Is(err, errNoRecords) || buf.Len() != 0 {
		t.Errorf("without keys: %v, %q", err, &buf)
	}
	// People read it before they hand it over.
	if text := write(t, Route53, []TXT{{Name: "s._domainkey.example.com", Value: "v=DKIM1; n=<a&b>"}}); !strings.Contains(text, "n=<a&b>") {
		t.Errorf("%s", text)
	}
	if err := Write(&buf, "xml", nil); err == nil {
		t.Error("unknown form accepted")
	}
}

// TestCSV: a spreadsheet gets each record in a row of its own, and no formula.
func TestCSV(t *testing.T) {
	records := Publication{Domain: "example.com", Keys: fixedKeys(t), Egress: addrs("192.0.2.1")}.Records()
	records[0].State = Published
	text := write(t, CSV, records)
	if strings.Count(text, "\r\n") != strings.Count(text, "\n") {
		t.Errorf("not all lines end in CRLF: %q", text)
	}
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) != 1+len(records) {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if got := strings.Join(rows[0], " "); got != "domain type name relative_name value need state zone" {
		t.Error(got)
	}
	for i, e := range records {
		state, rel := "unknown", e.Relative
		if i == 0 {
			state = "published"
		}
		if rel == "@" {
			rel = ""
		}
		want := []string{"example.com", "TXT", e.Name, rel, e.Value, string(e.Need), state, "example.com"}
		if diff := cmp.Diff(want, rows[1+i]); diff != "" {
			t.Error(diff)
		}
	}
	for _, evil := range []string{"=1+1", "+1", "-1", "@SUM(A1)", "\tx"} {
		rows, err := csv.NewReader(strings.NewReader(write(t, CSV, []Entry{{Name: evil, Value: evil, Domain: evil}}))).ReadAll()
		if err != nil || rows[1][0] != "'"+evil || rows[1][2] != "'"+evil || rows[1][4] != "'"+evil {
			t.Errorf("%q: %q, %v", evil, rows, err)
		}
	}
	if got := write(t, CSV, nil); !strings.HasPrefix(got, "domain,type,") {
		t.Errorf("%q", got)
	}
}

// TestJSONIsOneList: whatever was added, and when.
func TestJSONIsOneList(t *testing.T) {
	records := Publication{Domain: "example.com", Keys: fixedKeys(t)}.Records()
	for _, parts := range [][][]Entry{nil, {nil}, {records}, {records[:1], nil, records[1:]}} {
		var b bytes.Buffer
		w, err := NewWriter(&b, JSON)
		if err != nil {
			t.Fatal(err)
		}
		var want []Entry
		for _, p := range parts {
			if err := w.Add("title", p); err != nil {
				t.Fatal(err)
			}
			want = append(want, p...)
		}
		w.Note("for people")
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		var got []Entry
		if err := json.Unmarshal(b.Bytes(), &got); err != nil || !cmp.Equal(append([]Entry{}, want...), append([]Entry{}, got...)) {
			t.Errorf("%v\n%s", err, &b)
		}
	}
}

// TestWritesAsItGoes: who reads a long list sees each domain when it is known.
func TestWritesAsItGoes(t *testing.T) {
	for _, form := range []Form{Plain, BIND, CSV, JSON} {
		var b bytes.Buffer
		w, err := NewWriter(&b, form)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Add("one.example", Publication{Domain: "one.example"}.Records()); err != nil || !strings.Contains(b.String(), "_dmarc.one.example") {
			t.Errorf("%s: %v, %q", form, err, &b)
		}
	}
}

// TestSeveralDomains: each below its title, what is said about all of them once.
func TestSeveralDomains(t *testing.T) {
	for _, form := range []Form{Plain, BIND} {
		var b bytes.Buffer
		w, err := NewWriter(&b, form)
		if err != nil {
			t.Fatal(err)
		}
		for _, domain := range []string{"one.example", "two.example", "three.example"} {
			records := Publication{Domain: domain}.Records()
			if domain == "two.example" {
				records = nil
			}
			if err := w.Add(domain, records); err != nil {
				t.Fatal(err)
			}
			w.Note("noted about " + domain)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		for what, want := range map[string]bool{"_dmarc.one.example": true, "_dmarc.three.example": true, " one.example": true, "= two.example": false, "# two.example": false, "noted about two.example": true} {
			if strings.Contains(text, what) != want {
				t.Errorf("%s: %q: %v in\n%s", form, what, !want, text)
			}
		}
		if n := strings.Count(text, "who may send for"); n != 1 {
			t.Errorf("%s: explained %d times in\n%s", form, n, text)
		}
		if form == BIND && len(zone(t, text)) != 0 {
			t.Errorf("advice is live in\n%s", text)
		}
	}
}

// TestRoute53Limits: what Amazon would refuse is not written.
func TestRoute53Limits(t *testing.T) {
	for name, c := range map[string]struct {
		n, size int
		good    bool
	}{"many": {500, 10, true}, "too many": {501, 10, false}, "large": {10, 1599, true}, "too large": {10, 1600, false}} {
		var records []Entry
		for range c.n {
			records = append(records, Entry{Type: TypeCNAME, Name: "s1._domainkey.example.com", Value: strings.Repeat("x", c.size), Need: Required}) // and a dot
		}
		var b bytes.Buffer
		if err := Write(&b, Route53, records); (err == nil) != c.good || b.Len() > 0 != c.good {
			t.Errorf("%s: %v, %d bytes", name, err, b.Len())
		}
	}
}

func TestChunks(t *testing.T) {
	for _, n := range []int{0, 1, 255, 256, 510, 511, 5000} {
		v := strings.Repeat("x", n)
		chunks := TXT{Value: v}.Chunks()
		if strings.Join(chunks, "") != v || len(chunks) != max(1, (n+254)/255) {
			t.Errorf("%d bytes: %d chunks", n, len(chunks))
		}
		for _, c := range chunks {
			if len(c) > 255 {
				t.Errorf("%d bytes: a chunk of %d", n, len(c))
			}
		}
	}
}

func TestQuoteTXT(t *testing.T) {
	for _, s := range []string{"", "plain; text", `quote " and \ back`, "tab\t, nul\x00, é, \xff"} {
		got := zone(t, `x. 60 IN TXT "a" `+quoteTXT(s)+"\n")["x."]
		if len(got) != 1 || len(got[0]) != 2 || unescape(got[0][1]) != s {
			t.Errorf("%q: %q", s, got)
		}
		if strings.ContainsFunc(quoteTXT(s), func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%q is not written in ASCII", s)
		}
	}
	if got, want := quoteTXT("\x1f ~\x7f\xff"), `"\031 ~\127\255"`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// unescape undoes the presentation form in which miekg/dns keeps strings.
func unescape(s string) string {
	var b []byte
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '\\':
			b = append(b, s[i])
		case i+3 < len(s) && s[i+1] >= '0' && s[i+1] <= '9':
			b = append(b, (s[i+1]-'0')*100+(s[i+2]-'0')*10+s[i+3]-'0')
			i += 3
		default:
			i++
			b = append(b, s[i])
		}
	}
	return string(b)
}

// TestRecordVerifies lets a foreign verifier check what our keys sign against
// what our record says.
func TestRecordVerifies(t *testing.T) {
	const msg = "From: a@example.com\r\nSubject: hi\r\n\r\nbody\r\n"
	made, err := keys.Generate(keyFolder(t), "example.com", keys.GenerateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range made {
		var signed bytes.Buffer
		if err := dkim.Sign(&signed, strings.NewReader(msg), &dkim.SignOptions{Domain: k.Domain, Selector: k.Selector, Signer: k.Signer()}); err != nil {
			t.Fatal(err)
		}
		verdicts, err := dkim.VerifyWithOptions(&signed, &dkim.VerifyOptions{LookupTXT: func(name string) ([]string, error) {
			if name != k.Name() {
				t.Errorf("asked for %s", name)
			}
			return []string{Record(k)}, nil
		}})
		if err != nil || len(verdicts) != 1 || verdicts[0].Err != nil {
			t.Errorf("%v: %v, %v", k, verdicts, err)
		}
	}
}

package doctor

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/doctor/words"
)

var update = flag.Bool("update", false, "write the file that TestAdvice compares with")

// TestAdvice: what each case wants, and what is to be pasted, whole.
func TestAdvice(t *testing.T) {
	var b strings.Builder
	folder, key := regexp.MustCompile(`/\S+?/(c\d+\.example/s)`), regexp.MustCompile(`[A-Za-z0-9+/=]{40,}`)
	for _, bed := range beds(t) {
		fmt.Fprintf(&b, "== %s\n", bed.name)
		for _, f := range bed.find(t, resolve.MustZone(bed.zone)) {
			if f.Level == Pass {
				continue
			}
			v := f.In(words.English)
			fmt.Fprintf(&b, "%s %s %s: %s\n  want: %s\n  paste: %s\n", v.Level, v.Check, v.Subject, v.Message, v.Want, v.Paste)
		}
	}
	got := key.ReplaceAllString(folder.ReplaceAllString(b.String(), "KEYS/$1"), "KEY")
	const path = "testdata/advice.txt"
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("go test -update writes it anew:\n%s", got)
	}
}

// TestExampleHosts: each name out of an example, and what is below it.
func TestExampleHosts(t *testing.T) {
	for _, h := range []string{"example.com", "example.net", "example.org", "test", "invalid", "localhost", "yourdomain.com", "your-domain.com", "yourdomain.tld", "mydomain.com", "domain.tld"} {
		if !exampleHost(h) || !exampleHost("mail."+h) || exampleHost("not"+h) {
			t.Error(h)
		}
	}
}

// TestLongestAnswer: 512 bytes are more than a packet without EDNS has room for.
func TestLongestAnswer(t *testing.T) {
	for n, want := range map[int]int{511: 0, 512: 1} {
		c := &answers{Resolver: resolve.MustZone(""), longest: n}
		if got := c.longAnswers(t.Context(), "192.0.2.53:53"); len(got) != want {
			t.Errorf("%d bytes: %v", n, got)
		}
	}
}

package assemble

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/keys"
)

// TestListed: what the file says of a name stays, and the file's text as well.
func TestListed(t *testing.T) {
	cfg := config.Default()
	cfg.Sign.Domains = []config.SignDomain{{Name: "a.example", Selectors: []string{"s1"}}}
	got := Listed(cfg, []string{"a.example", "b.example"})
	if want := "[{a.example [s1] false } {b.example [] true }]"; fmt.Sprint(got.Sign.Domains) != want {
		t.Errorf("%v", got.Sign.Domains)
	}
	if len(cfg.Sign.Domains) != 1 || Listed(cfg, nil) != cfg {
		t.Error("the configuration was changed")
	}
}

// TestManyWithoutKey: one problem in place of many, and none is lost beside it.
func TestManyWithoutKey(t *testing.T) {
	cfg := config.Default()
	cfg.Sign.Keys = t.TempDir()
	if _, err := keys.Generate(cfg.Sign.Keys, "broken.example", keys.GenerateOptions{Selector: "s1"}); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"s1", "s1e"} {
		if err := os.Chmod(filepath.Join(cfg.Sign.Keys, "broken.example", n+".pem"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	names := []string{"broken.example"}
	for i := range 10 {
		names = append(names, fmt.Sprintf("d%02d.example", i))
	}
	_, problems := Keys(Listed(cfg, names), nil)
	if len(problems) != 12 { // two of the files
		t.Errorf("%d problems for ten", len(problems))
	}
	_, problems = Keys(Listed(cfg, append(names, "d10.example")), nil)
	last := problems[len(problems)-1]
	if len(problems) != 3 || !strings.HasPrefix(last.Message, "no key for 11 domains, d00.example, ") || last.Severity != keys.Warning || problems[0].Domain != "broken.example" {
		t.Errorf("%+v", problems)
	}
}

// BenchmarkManyDomains: what a change of one of 100,000 names costs beside mail, when
// most have no keys, and when one in a hundred has.
func BenchmarkManyDomains(b *testing.B) {
	cfg := config.Default()
	cfg.Sign.Keys = b.TempDir()
	names := make([]string, 100_000)
	for i := range names {
		names[i] = fmt.Sprintf("domain%06d.example", i)
	}
	for _, with := range []int{0, 1000} {
		if with > 0 {
			made, err := keys.Generate(cfg.Sign.Keys, names[0], keys.GenerateOptions{Selector: "s1"})
			if err != nil {
				b.Fatal(err)
			}
			for _, name := range names[1:with] {
				if err := os.Mkdir(filepath.Join(cfg.Sign.Keys, name), 0o700); err != nil {
					b.Fatal(err)
				}
				for _, k := range made {
					if err := os.Link(k.Path(), filepath.Join(cfg.Sign.Keys, name, k.Selector+".pem")); err != nil {
						b.Fatal(err)
					}
				}
			}
		}
		b.Run(fmt.Sprintf("keys=%d", with), func(b *testing.B) {
			for b.Loop() {
				if store, _ := Keys(Listed(cfg, names), nil); len(store.Domains()) != len(names) || len(store.All()) != 2*with {
					b.Fatal(len(store.All()))
				}
			}
		})
	}
}

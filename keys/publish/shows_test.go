package publish

import (
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/keys"
)

func TestShows(t *testing.T) {
	made, err := keys.Generate(t.TempDir(), "example.com", keys.GenerateOptions{Selector: "s1"})
	if err != nil {
		t.Fatal(err)
	}
	rsa, ed := Record(made[0]), Record(made[1])
	p := func(s string) string { return s[strings.Index(s, "p="):] }
	for name, c := range map[string]struct {
		k       *keys.Key
		records []string
		want    bool
	}{
		"rsa":                 {made[0], []string{rsa}, true},
		"ed25519":             {made[1], []string{ed}, true},
		"white space in p=":   {made[0], []string{rsa[:100] + " \t" + rsa[100:]}, true},
		"other tags":          {made[0], []string{"v=DKIM1; t=s; " + p(rsa) + ";"}, true},
		"without v= and k=":   {made[0], []string{p(rsa)}, true},
		"nothing":             {made[0], nil, false},
		"another key":         {made[0], []string{ed}, false},
		"another kind":        {made[0], []string{"v=DKIM1; k=ed25519; " + p(rsa)}, false},
		"ed25519 without k=":  {made[1], []string{"v=DKIM1; " + p(ed)}, false},
		"revoked":             {made[0], []string{"v=DKIM1; p="}, false},
		"cut":                 {made[0], []string{rsa[:255]}, false},
		"two records":         {made[0], []string{rsa, rsa}, false},
		"p= twice":            {made[0], []string{rsa + ";" + p(rsa)}, false},
		"another version":     {made[0], []string{strings.Replace(rsa, "DKIM1", "DKIM2", 1)}, false},
		"as long as is read":  {made[0], []string{rsa + ";" + strings.Repeat(" ", maxRecord-len(rsa)-1)}, true},
		"no key at all":       {&keys.Key{}, []string{rsa}, false},
		"longer than records": {made[0], []string{rsa + ";" + strings.Repeat(" ", maxRecord)}, false},
	} {
		if got := Shows(c.k, c.records); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

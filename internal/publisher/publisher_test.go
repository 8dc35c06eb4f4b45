package publisher

import (
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestCheck(t *testing.T) {
	good := Change{Name: "s1._domainkey.xn--9t4b11yi5a.example", Value: "v=DKIM1; p=", TTL: 3600}
	for title, tc := range map[string]struct {
		change func(*Change)
		want   string
	}{
		"good":             {func(*Change) {}, ""},
		"gone":             {func(c *Change) { c.Value, c.Remove = "", true }, ""},
		"gone with value":  {func(c *Change) { c.Remove = true }, "a value to take away"},
		"no value":         {func(c *Change) { c.Value = "" }, "0 bytes"},
		"long":             {func(c *Change) { c.Value = strings.Repeat("x", maxValue) }, ""},
		"too long":         {func(c *Change) { c.Value = strings.Repeat("x", maxValue+1) }, "4001 bytes"},
		"line end":         {func(c *Change) { c.Value = "v=DKIM1\nfoo" }, "printable"},
		"nul":              {func(c *Change) { c.Value = "v=DKIM1\x00" }, "printable"},
		"not ASCII":        {func(c *Change) { c.Value = "ü" }, "printable"},
		"ttl":              {func(c *Change) { c.TTL = maxTTL + 1 }, "ttl 2147483648"},
		"no name":          {func(c *Change) { c.Name = "" }, "record"},
		"dot at the end":   {func(c *Change) { c.Name += "." }, "record"},
		"space in name":    {func(c *Change) { c.Name = "a b.example" }, "not a name of"},
		"escape in name":   {func(c *Change) { c.Name = `a\.b.example` }, "not a name of"},
		"line end in name": {func(c *Change) { c.Name = "a\n.example" }, "not a name of"},
		"star":             {func(c *Change) { c.Name = "*.example" }, "not a name of"},
		"U-label":          {func(c *Change) { c.Name = "한국.example" }, "record"},
		"long label":       {func(c *Change) { c.Name = strings.Repeat("a", 64) + ".example" }, "record"},
	} {
		t.Run(title, func(t *testing.T) {
			c := good
			tc.change(&c)
			if err := c.check(); (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
}

func TestChunks(t *testing.T) {
	for n, want := range map[int]int{1: 1, 255: 1, 256: 2, 510: 2, 511: 3} {
		got := chunks(strings.Repeat("x", n))
		if len(got) != want || len(strings.Join(got, "")) != n || len(got[0]) > 255 {
			t.Errorf("%d bytes: %q", n, got)
		}
	}
}

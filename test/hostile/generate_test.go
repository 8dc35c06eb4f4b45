package hostile

import (
	"math/rand/v2"
	"reflect"
	"testing"
)

// TestGenerated: no composition of hostile parts gets a wrong verdict, all over
// one connection. Ten thousand go to the real daemon elsewhere.
func TestGenerated(t *testing.T) {
	l := newLab(t, "")
	may, must := 0, 0
	for i, c := range Generate(rand.New(rand.NewPCG(9989, 4)), 500, now) {
		for _, client := range []*Client{l.open, l.rules} {
			v, err := client.Deliver(c.Message)
			if err != nil {
				t.Fatalf("%d %s: %v", i, c.Name, err)
			}
			if p := c.Problems(v); len(p) > 0 {
				t.Errorf("%d %s: %q\nFrom %q", i, c.Name, p, c.Fields.All("From"))
			}
		}
		if c.MayPass {
			may++
		}
		if c.MustPass {
			must++
		}
	}
	if may < 50 || must < 30 || may > 400 {
		t.Errorf("%d may pass, %d must: the generator has lost its variety", may, must)
	}
}

func TestGenerateIsRepeatable(t *testing.T) {
	a := Generate(rand.New(rand.NewPCG(1, 2)), 50, now)
	b := Generate(rand.New(rand.NewPCG(1, 2)), 50, now)
	if !reflect.DeepEqual(a, b) {
		t.Error("the same seed made other messages")
	}
}

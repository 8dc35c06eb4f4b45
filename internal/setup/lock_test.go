package setup

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

func TestOneSetUpAtATime(t *testing.T) {
	mta, other, etc := t.TempDir(), t.TempDir(), t.TempDir()
	first := Common{Config: filepath.Join(etc, "milter.yaml")}
	if err := first.lock(mta); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ mta, config, in string }{
		"the same MTA, another milter.yaml": {mta, filepath.Join(other, "milter.yaml"), mta},
		"another MTA, the same milter.yaml": {other, first.Config, etc},
	} {
		second := Common{Config: c.config}
		var f *Failure
		if err := second.lock(c.mta); !errors.As(err, &f) || !strings.HasSuffix(err.Error(), "another set-up is at work in "+c.in) || f.Hint == "" {
			t.Errorf("%s: %v", name, err)
		}
		second.unlock()
	}
	first.unlock()
	second := Common{Config: first.Config}
	if err := second.lock(mta); err != nil {
		t.Errorf("after the first: %v", err)
	}
	second.unlock()
	if err := second.lock(filepath.Join(mta, "none")); err != nil {
		t.Errorf("a folder that is not there: %v", err)
	}
	second.unlock()
	// milter.yaml may lie beside main.cf.
	beside := Common{Config: filepath.Join(mta, "milter.yaml")}
	if err := beside.lock(mta); err != nil {
		t.Errorf("one folder for both: %v", err)
	}
	beside.unlock()
}

package setup

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sealmilter/sealmilter/internal/problem"
)

func TestOneSetUpAtATime(t *testing.T) {
	mta, other, etc, locks := t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()
	first := Common{Config: filepath.Join(etc, "milter.yaml"), locks: locks}
	if err := first.lock(mta); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ mta, config, in string }{
		"the same MTA, another milter.yaml": {mta, filepath.Join(other, "milter.yaml"), mta},
		"another MTA, the same milter.yaml": {other, first.Config, etc},
	} {
		second := Common{Config: c.config, locks: locks}
		var f *problem.Error
		if err := second.lock(c.mta); !errors.As(err, &f) || !strings.HasSuffix(err.Error(), "another set-up is at work in "+c.in) || f.Hint == "" {
			t.Errorf("%s: %v", name, err)
		}
		second.unlock()
	}
	first.unlock()
	second := Common{Config: first.Config, locks: locks}
	if err := second.lock(mta); err != nil {
		t.Errorf("after the first: %v", err)
	}
	second.unlock()
	if err := second.lock(filepath.Join(mta, "none")); err != nil {
		t.Errorf("a folder that is not there: %v", err)
	}
	second.unlock()
	// milter.yaml may lie beside main.cf.
	beside := Common{Config: filepath.Join(mta, "milter.yaml"), locks: locks}
	if err := beside.lock(mta); err != nil {
		t.Errorf("one folder for both: %v", err)
	}
	beside.unlock()
}

// TestNobodyElseLocks: who may list the folders cannot keep set-up from its work.
func TestNobodyElseLocks(t *testing.T) {
	mta, locks := t.TempDir(), t.TempDir()
	f, err := os.Open(mta)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH); err != nil {
		t.Fatal(err)
	}
	c := Common{Config: filepath.Join(mta, "milter.yaml"), locks: locks}
	if err := c.lock(mta); err != nil {
		t.Error(err)
	}
	defer c.unlock()
	files, err := os.ReadDir(locks)
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	if st, err := files[0].Info(); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("others may open the lock: %v, %v", st.Mode(), err)
	}
}

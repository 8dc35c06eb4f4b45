package problem

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
)

func TestPrint(t *testing.T) {
	var b strings.Builder
	Print(&b, Problem{Fault, "milter.yaml:3", "unknown field", "known here: sign"})
	Print(&b, Problem{Severity: Warning, Place: "k.pem", Message: "weak\x1b[1A\nerror: forged"})
	PrintError(&b, errors.New("cannot be read."), "run it as root (sudo)")
	PrintError(&b, errors.New("no more"), "")
	const want = "error: milter.yaml:3: unknown field\nhint: known here: sign\n" +
		`warning: k.pem: weak\u001b[1A\u000aerror: forged` + "\n" +
		"error: cannot be read\nhint: run it as root (sudo)\nerror: no more\n"
	if b.String() != want {
		t.Errorf("got\n%s", b.String())
	}
}

func TestErrors(t *testing.T) {
	err := fmt.Errorf("keys: %w", Fail("chmod 0600 k.pem", "k.pem: %w", fs.ErrPermission))
	if !errors.Is(err, fs.ErrPermission) || Hint(err) != "chmod 0600 k.pem" || err.Error() != "keys: k.pem: permission denied" {
		t.Errorf("%v, %q", err, Hint(err))
	}
	if Hint(fs.ErrExist) != "" || Hint(nil) != "" {
		t.Error("a hint from nowhere")
	}
	if Faults([]Problem{{Severity: Warning}}) || !Faults([]Problem{{Severity: Warning}, {Severity: Fault}}) {
		t.Error("Faults")
	}
}

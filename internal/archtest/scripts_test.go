package archtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A package's script runs the new program as the daemon's user, who may be
// somebody else by now: without root's environment, open files and session, and
// with nothing raw on root's terminal.
func TestMaintainerScriptsLendNothing(t *testing.T) {
	dir := t.TempDir()
	stub := "#!/bin/sh\ntr '\\0' '\\n' </proc/$$/environ\nls -l /proc/$$/fd\n" +
		"echo \"sid $(cut -d' ' -f6 /proc/$$/stat) pid $$\"\nprintf '\\033]0;gotcha\\007\\302\\233'\nexit 3\n"
	if err := os.WriteFile(filepath.Join(dir, "runuser"), []byte(stub), 0o755); err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", `. ../../packaging/scripts/common.sh; exec 3<"$1"; config_is_good; echo "code $?" >&2`, "sh", secret)
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "AWS_SECRET_ACCESS_KEY=hunter2")
	cmd.Stdin = strings.NewReader("typed by root\n")
	raw, err := cmd.CombinedOutput()
	out := string(raw)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, bad := range []string{"hunter2", "-> " + secret, "\x1b", "\xc2\x9b"} {
		if strings.Contains(out, bad) {
			t.Errorf("%q is in:\n%q", bad, out)
		}
	}
	if !strings.Contains(out, "0 -> /dev/null") {
		t.Errorf("its input is not /dev/null:\n%s", out)
	}
	if !strings.Contains(out, "]0;gotcha") || !strings.HasSuffix(out, "code 3\n") {
		t.Errorf("what it says or its exit code is lost:\n%q", out)
	}
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) == 4 && f[0] == "sid" && f[1] != f[3] {
			t.Errorf("not in a session of its own: %s", line)
		}
	}
}

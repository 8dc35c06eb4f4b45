package archtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// maxExposure is what systemd-analyze may say of a unit, of 10.
const maxExposure = 1.6

// TestUnitsAreLocked: both units keep what contains a daemon that was taken over,
// the package's and the one for installations from source.
func TestUnitsAreLocked(t *testing.T) {
	for _, unit := range []string{"packaging/systemd/sealmilter.service", "packaging/plain/sealmilter.service"} {
		path := filepath.Join(root, unit)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(text), "\n")
		for _, want := range []string{"User=sealmilter", "NoNewPrivileges=yes", "CapabilityBoundingSet=", "ProtectSystem=strict", "ProtectHome=yes",
			"UMask=0077", "LimitCORE=0", "MemoryHigh=1024M", "MemoryMax=2048M", "Environment=GOMEMLIMIT=768MiB", "StateDirectoryMode=0700", "RestrictNamespaces=yes", "RestrictSUIDSGID=yes", "MemoryDenyWriteExecute=yes"} {
			if !slices.Contains(lines, want) {
				t.Errorf("%s lacks %s", unit, want)
			}
		}
		out, err := exec.Command("systemd-analyze", "security", "--no-pager", "--offline=yes", path).CombinedOutput()
		if err != nil { // none here, or older than 250
			t.Logf("%s: not looked at by systemd: %v %.200s", unit, err, out)
			continue
		}
		m := regexp.MustCompile(`Overall exposure level for [^:]*: ([0-9.]+) `).FindSubmatch(out)
		if m == nil {
			t.Fatalf("%s: %s", unit, out)
		}
		if level, err := strconv.ParseFloat(string(m[1]), 64); err != nil || level >= maxExposure {
			t.Errorf("%s: exposure %s", unit, m[1])
		}
	}
}

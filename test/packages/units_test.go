// Package packages_test looks at what the packages bring without installing them;
// run.sh does that.
package packages_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// since is the first version of systemd that knows a directive, from its NEWS; 0
// stands for those that are older than the 219 of CentOS 7 and Amazon Linux 2.
var since = map[string]int{
	"Description": 0, "Documentation": 0, "Requires": 0, "Wants": 0, "After": 0, "Before": 0, "WantedBy": 0, "Also": 0,
	"Type": 0, "NotifyAccess": 0, "User": 0, "Group": 0, "ExecStart": 0, "ExecStartPre": 0, "ExecStartPost": 0, "ExecReload": 0,
	"Restart": 0, "RestartSec": 0, "StartLimitInterval": 0, "WatchdogSec": 0, "TimeoutStopSec": 0, "SyslogFacility": 0,
	"LimitNOFILE": 0, "LimitCORE": 0, "UMask": 0, "RuntimeDirectory": 0, "RuntimeDirectoryMode": 0,
	"CapabilityBoundingSet": 0, "Environment": 0, "NoNewPrivileges": 0, "ProtectSystem": 0, "ProtectHome": 0, "PrivateTmp": 0, "PrivateDevices": 0,
	"RestrictAddressFamilies": 0, "SystemCallArchitectures": 0, "SystemCallFilter": 0, "SystemCallErrorNumber": 0,
	"ListenStream": 0, "SocketUser": 0, "SocketGroup": 0, "SocketMode": 0, "DirectoryMode": 0, "Backlog": 0,

	"AmbientCapabilities": 229, "StartLimitIntervalSec": 230, "TriggerLimitIntervalSec": 230,
	"ReadWritePaths": 231, "MemoryHigh": 231, "MemoryMax": 231, "RestrictRealtime": 231, "MemoryDenyWriteExecute": 231,
	"ProtectKernelTunables": 232, "ProtectKernelModules": 232, "ProtectControlGroups": 232, "RemoveIPC": 232,
	"RestrictNamespaces": 233, "StateDirectory": 235, "StateDirectoryMode": 235, "LockPersonality": 235, "WatchdogSignal": 240,
	"ProtectHostname": 242, "RestrictSUIDSGID": 242, "OOMPolicy": 243, "ProtectKernelLogs": 244, "ProtectClock": 245, "ProtectProc": 247, "ProcSubset": 247,
}

// sandbox are directives without which a unit works as well, only less confined; before OOMPolicy there
// was what it asks for.
var sandbox = []string{"Protect", "Restrict", "ProcSubset", "WatchdogSignal", "OOMPolicy"}

// value is the first version that takes a directive's value.
func value(name, v string) int {
	switch {
	case strings.HasPrefix(name, "Exec") && strings.ContainsAny(v[:len(v)-len(strings.TrimLeft(v, "-@:+!"))], "+!"):
		return 231
	case name == "ProtectSystem" && v == "strict":
		return 232
	case name == "RuntimeDirectory" && strings.Contains(v, "/"):
		return 235
	case name == "SystemCallFilter" && strings.Contains(v, "@system-service"):
		return 239
	case name == "SystemCallFilter" && strings.Contains(v, "@"):
		return 231
	}
	return 0
}

// directives of a unit, as "Name=value".
func directives(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line != "" && line[0] != '#' && line[0] != ';' && line[0] != '[' {
			out = append(out, line)
		}
	}
	return out
}

// unknown lists the directives of a unit that a version of systemd does not know,
// or takes otherwise.
func unknown(t *testing.T, text string, version int) (out []string) {
	t.Helper()
	for _, d := range directives(text) {
		name, v, _ := strings.Cut(d, "=")
		first, listed := since[name]
		if !listed {
			t.Errorf("%s: since which version does systemd know it?", name)
		}
		if max(first, value(name, v)) > version {
			out = append(out, d)
		}
	}
	return out
}

// TestOneTable: README and docs/packages.md say the same about what was run where.
func TestOneTable(t *testing.T) {
	table := func(path string) string {
		_, rest, ok := strings.Cut(read(t, path), "\n| system | MTA |")
		table, _, ends := strings.Cut(rest, "\n\n")
		if !ok || !ends || strings.Count(table, "\n") < 8 {
			t.Fatalf("%s has no table of systems", path)
		}
		return table
	}
	if table("../README.md") != table("../docs/packages.md") {
		t.Error("README.md and docs/packages.md differ about what was run where")
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "packaging", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestUnitForSystemd219: what CentOS 7 and Amazon Linux 2 get has nothing that their
// systemd does not know, and all that the daemon needs.
func TestUnitForSystemd219(t *testing.T) {
	cmd := exec.Command("sed", "-f", "../../packaging/plain/systemd-219.sed", "../../packaging/plain/sealmilter.service")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	unit := string(out)
	for _, d := range unknown(t, unit, 219) {
		t.Errorf("systemd 219 does not know %s", d)
	}
	for _, want := range []string{"[Unit]\n", "[Service]\n", "[Install]\n", "\nType=notify\n", "\nUser=sealmilter\n", "\nExecStart=", "\nExecReload=",
		"\nRestart=always\n", "\nStartLimitInterval=0\n", "\nTimeoutStopSec=90\n", "\nNoNewPrivileges=yes\n", "\nProtectSystem=full\n", "\nCapabilityBoundingSet=\n", "\nUMask=0077\n", "\nWantedBy=multi-user.target\n"} {
		if !strings.Contains(unit, want) {
			t.Errorf("no %q in\n%s", want, unit)
		}
	}
	if len(unknown(t, read(t, "plain/sealmilter.service"), 219)) == 0 {
		t.Error("219 knows the plain unit: this shows nothing")
	}
}

// TestUnitsForEL8: what systemd 239 does not know of the package's units is sandbox.
func TestUnitsForEL8(t *testing.T) {
	for _, unit := range []string{"systemd/sealmilter.service", "systemd/sealmilter.socket", "systemd/postfix.conf", "plain/sealmilter.service"} {
		for _, d := range unknown(t, read(t, unit), 239) {
			harmless := false
			for _, s := range sandbox {
				harmless = harmless || strings.HasPrefix(d, s)
			}
			if !harmless {
				t.Errorf("%s: systemd 239 does not know %s", unit, d)
			}
		}
	}
}

// TestMakeInstall: what the packages bring beside the units, by hand as well.
func TestMakeInstall(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("no make")
	}
	dir := t.TempDir()
	if out, err := exec.Command("make", "-C", "../..", "install", "DESTDIR="+dir, "PREFIX=/usr").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for path, want := range map[string]string{
		"usr/sbin/sealmilter": "\x7fELF", "usr/share/man/man8/sealmilter-doctor.8": ".TH", "usr/share/man/man5/milter.yaml.5": ".TH",
		"usr/share/bash-completion/completions/sealmilter": "complete", "usr/share/zsh/site-functions/_sealmilter": "#compdef", "usr/share/fish/vendor_completions.d/sealmilter.fish": "complete",
		"etc/systemd/system/sealmilter.service": "[Service]", "usr/share/doc/sealmilter/milter.yaml.example": "sign:",
	} {
		if text, err := os.ReadFile(filepath.Join(dir, path)); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

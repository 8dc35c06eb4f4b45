package local

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// ownRoot gives the script its own folders to change. $repo is the source tree,
// $program the program; common holds the functions of the package's scripts.
const ownRoot = `
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
umask 022
mount -t tmpfs tmpfs /mnt
mkdir -p /mnt/lib /mnt/run/sysusers.d /mnt/run/tmpfiles.d /mnt/upper /mnt/work /mnt/spool
cp -a /etc /mnt/etc
mount --bind /mnt/etc /etc
mount --bind /mnt/lib /var/lib
mount --bind /mnt/run /run
mount --bind /mnt/spool /var/spool
mount -t overlay overlay -o lowerdir=/usr/share,upperdir=/mnt/upper,workdir=/mnt/work /usr/share
sed -i /^sealmilter:/d /etc/passwd /etc/group /etc/shadow /etc/gshadow
cp "$repo/packaging/systemd/sysusers.conf" /run/sysusers.d/sealmilter.conf
cp "$repo/packaging/systemd/tmpfiles.conf" /run/tmpfiles.d/sealmilter.conf
mkdir -p /usr/share/sealmilter
cp "$repo/packaging/systemd/postfix.conf" /usr/share/sealmilter/
. "$repo/packaging/scripts/common.sh"
them() { (cd / && setpriv --reuid sealmilter --regid sealmilter --clear-groups "$@"); }
owner() { stat -c '%U:%G %a' "$1"; }
`

// program is built once.
func program(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sealmilter")
	out, err := exec.Command("go", "build", "-o", path, "../../cmd/sealmilter").CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// run has the shell run a script in ownRoot and returns what it printed.
func run(t *testing.T, program, script string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root for a mount namespace")
	}
	if out, err := exec.Command("unshare", "-m", "--propagation", "private", "mount", "-t", "tmpfs", "tmpfs", "/mnt").CombinedOutput(); err != nil {
		if os.Getenv("SEALMILTER_CI") != "" {
			t.Fatalf("no mount namespace: %v %s", err, out)
		}
		t.Skipf("no mount namespace: %v %s", err, out)
	}
	repo, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	// --kill-child: what the script leaves behind ends with it.
	cmd := exec.CommandContext(ctx, "unshare", "-m", "--propagation", "private", "-p", "--fork", "--kill-child", "--mount-proc", "sh", "-eu", "-c", ownRoot+script)
	cmd.Env = append(os.Environ(), "repo="+repo, "program="+program)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

func want(t *testing.T, out string, all ...string) {
	t.Helper()
	for _, w := range all {
		if !strings.Contains(out, w) {
			t.Errorf("no %q in\n%s", w, out)
		}
	}
}

// TestUpgradeFollowsNoPlantedLink: the script makes the daemon's folders, again
// and again, and gives nothing else away.
func TestUpgradeFollowsNoPlantedLink(t *testing.T) {
	want(t, run(t, "", `
mkdir /etc/precious
make_user
echo "state $(owner /var/lib/sealmilter), keys $(owner /var/lib/sealmilter/keys), run $(owner /run/sealmilter)"
them rmdir /var/lib/sealmilter/keys
them ln -s /etc/precious /var/lib/sealmilter/keys
make_user
echo "precious $(owner /etc/precious)"
`), "state sealmilter:sealmilter 700, keys sealmilter:sealmilter 700, run root:sealmilter 2755", "precious root:root 755")
}

// TestProbesHaveNoTerminal: what a package's script runs as the daemon's user, on
// root's terminal, has none, no environment and no open files of root's, and what
// it says cannot steer the terminal.
func TestProbesHaveNoTerminal(t *testing.T) {
	out := run(t, "", `
make_user
cat >/mnt/script <<'END'
. "$repo/packaging/scripts/common.sh"
exec 3</etc/shadow
(: </dev/tty) && echo "root has a terminal"
as_daemon sh -c '(: </dev/tty) 2>/dev/null && echo "it has a terminal"
	tr "\\0" "\\n" </proc/$$/environ; ls -l /proc/$$/fd
	echo "session $(cut -d" " -f6 /proc/$$/stat)"; id -un; printf "\\033]0;gotcha\\007"; exit 3' || echo "code $?"
echo "ours $(cut -d' ' -f6 /proc/self/stat)"
END
SECRET=hunter2 script -qec 'sh -eu /mnt/script' /dev/null </dev/null
`)
	want(t, out, "root has a terminal", "LANG=C\r\n", "\nsealmilter\r\n", "]0;gotcha", "code 3\r\n")
	for _, bad := range []string{"it has a terminal", "hunter2", "/etc/shadow", "/dev/pts", "\x1b"} {
		if strings.Contains(out, bad) {
			t.Errorf("%q in %q", bad, out)
		}
	}
	if _, rest, _ := strings.Cut(out, "\nsession "); strings.Contains(out, "\nours "+strings.SplitN(rest, "\r", 2)[0]+"\r") {
		t.Errorf("root's session: %q", out)
	}
}

// TestHomeIsNowhere: what the MTA, sshd or cron reads in the home of the daemon's
// user, the daemon cannot write.
func TestHomeIsNowhere(t *testing.T) {
	out := run(t, "", `
make_user
echo "new $(getent passwd sealmilter | cut -d: -f6)"
sed -i '/^sealmilter:/s,:/nonexistent:,:/var/lib/sealmilter:,' /etc/passwd
make_user
echo "idle $(getent passwd sealmilter | cut -d: -f6)"
sed -i '/^sealmilter:/s,:/nonexistent:,:/var/lib/sealmilter:,' /etc/passwd
setpriv --reuid sealmilter --regid sealmilter --clear-groups sleep 60 &
until pgrep -u sealmilter >/dev/null; do :; done
touch -d yesterday /etc/passwd # vipw sees a change by the second
usermod -d /elsewhere sealmilter 2>/dev/null && echo "usermod works: this shows nothing"
make_user
kill $!
echo "busy $(getent passwd sealmilter | cut -d: -f6)"
sed -i '/^sealmilter:/d' /etc/passwd /etc/group
rm /run/sysusers.d/sealmilter.conf
make_user 2>/dev/null
echo "old system $(getent passwd sealmilter | cut -d: -f6)"
`)
	want(t, out, "new /nonexistent\n", "idle /nonexistent\n", "busy /nonexistent\n", "old system /nonexistent\n")
	if strings.Contains(out, "shows nothing") {
		t.Error(out)
	}
}

// TestRunFolderIsTakenBack: /run/sealmilter of an earlier version is the daemon's.
func TestRunFolderIsTakenBack(t *testing.T) {
	want(t, run(t, "", `
make_user
rm -rf /run/sealmilter
mkdir /etc/precious /run/sealmilter
chown -h sealmilter:sealmilter /run/sealmilter
them sh -c 'ln -s /etc/precious /run/sealmilter/daemon; mkdir -p /run/sealmilter/milter.sock/full'
them python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("/run/sealmilter/old.sock")'
make_user
echo "run $(owner /run/sealmilter): $(ls -A /run/sealmilter)"
echo "precious $(owner /etc/precious)"
`), "run root:sealmilter 2755: old.sock\n", "precious root:root 755")
}

// TestQueueFolder: in a folder of the daemon's systemd opens no socket, and the
// drop-in of earlier versions no longer changes the group by a name.
func TestQueueFolder(t *testing.T) {
	out := run(t, "", `
getent group postfix >/dev/null || groupadd --system postfix
make_user
mkdir -p /var/spool/postfix/sealmilter
chown -h sealmilter:postfix /var/spool/postfix/sealmilter
postfix_socket
test -e "$dropin" && echo "opened in the daemon's folder"
chown -h root:root /var/spool/postfix/sealmilter
postfix_socket
pre=$(sed -n 's/^ExecStartPre=-//p' "$dropin")
$pre
echo "folder $(owner /var/spool/postfix/sealmilter)"
python3 -c 'import os, socket; os.umask(0o117); socket.socket(socket.AF_UNIX).bind("/var/spool/postfix/sealmilter/milter.sock")'
echo "socket $(owner /var/spool/postfix/sealmilter/milter.sock)"
printf '[Socket]\nListenStream=/a/milter.sock\nExecStartPost=-/bin/chgrp mail /a/milter.sock\n' >"$dropin"
mend_dropin
sed 's/^/dropin /' "$dropin"
`)
	want(t, out, "install -d -o root -g postfix -m 2750 /var/spool/postfix/sealmilter", "folder root:postfix 2750", "socket root:postfix 660",
		"dropin [Socket]\ndropin ListenStream=/a/milter.sock\ndropin ExecStartPre=-/usr/bin/install -d -o root -g mail -m 2750 /a\n")
	if strings.Contains(out, "opened in the daemon's folder") {
		t.Error(out)
	}
}

// yaml is a configuration with the usual key folder.
const yaml = `
mkdir -p /etc/sealmilter
printf 'authserv_id: mx.example.com\nadmin: ""\nsign: {domains: [example.com]}\n' >/etc/sealmilter/milter.yaml
mkdir /mnt/bin
cp "$program" /mnt/bin/sealmilter
PATH=/mnt/bin:$PATH
make_user
`

// TestKeysNewWritesForTheOwner: root makes keys with the rights of the daemon's
// user, and for them.
func TestKeysNewWritesForTheOwner(t *testing.T) {
	out := run(t, program(t), yaml+`
sealmilter keys new example.com --selector s1 >/dev/null
cd /var/lib/sealmilter/keys
echo "made $(owner example.com) $(owner example.com/s1.pem) $(owner example.com/s1e.pem)"
them mv /var/lib/sealmilter/keys /var/lib/sealmilter/away
cd /
mkdir /etc/precious
them ln -s /etc/precious /var/lib/sealmilter/keys
sealmilter keys new example.com --selector s2 || true
echo "precious: $(ls -AR /etc/precious)."
them rm /var/lib/sealmilter/keys
them ln -s /var/lib/sealmilter/none/deep /var/lib/sealmilter/keys
sealmilter keys new example.com --selector s3 || true
`)
	want(t, out, "made sealmilter:sealmilter 700 sealmilter:sealmilter 600 sealmilter:sealmilter 600", "precious: /etc/precious:.\n")
}

// TestRootReadsKeysAsTheirOwner: check, keys list and doctor neither read nor tell
// to give away what a link leads to, and open nothing that is no file.
func TestRootReadsKeysAsTheirOwner(t *testing.T) {
	out := run(t, program(t), yaml+`
mkdir -m 700 /etc/precious /etc/precious/example.com
sealmilter keys new example.com --selector s1 >/dev/null
cp /var/lib/sealmilter/keys/example.com/s1.pem /etc/precious/example.com/root.pem
looks() { echo "== $1"; sealmilter check 2>&1 || true; sealmilter keys list 2>&1 || true; timeout 60 sealmilter doctor example.com --no-mta --zone /dev/null 2>&1 || true; }
keys=/var/lib/sealmilter/keys
them ln -s /etc/precious/example.com/root.pem $keys/example.com/a.pem
them mkfifo $keys/example.com/f.pem
sh -c "exec 3>$keys/example.com/f.pem; echo 'the FIFO was opened'" & fifo=$!
looks file
kill $fifo 2>/dev/null || true
them mv $keys/example.com $keys/away
them ln -s /etc/precious/example.com $keys/example.com
looks folder
them mv $keys $keys.away
them ln -s /etc/precious $keys
looks all
`)
	for _, bad := range []string{"the FIFO was opened", "chown sealmilter", "chown root", "root._domainkey"} {
		if strings.Contains(out, bad) {
			t.Errorf("%q in\n%s", bad, out)
		}
	}
	_, rest, _ := strings.Cut(out, "== file")
	file, rest, _ := strings.Cut(rest, "== folder")
	folder, all, _ := strings.Cut(rest, "== all")
	want(t, file, "a.pem: a link that is absolute or leaves the key folder is not followed", "f.pem: not a regular file")
	want(t, folder, "keys/example.com: a link that is absolute or leaves the key folder is not followed")
	want(t, all, "permission denied")
}

// TestPackageTestsRefuseAPlantedTree: /var/tmp is everybody's, and what lies in the
// folder of the package tests is booted by root.
func TestPackageTestsRefuseAPlantedTree(t *testing.T) {
	out := run(t, "", `
make_user
mkdir -m 1777 /mnt/tmp
plant() { them sh -c "mkdir -p $1/bookworm && touch $1/bookworm/.complete && ln -s /etc/passwd $1/lock"; }
plant /mnt/tmp/folder
plant /mnt/tmp/elsewhere
them ln -s elsewhere /mnt/tmp/link
mkdir /mnt/tmp/open
chmod 0777 /mnt/tmp/open
for lab in folder link open; do
	echo "$lab: $(LAB=/mnt/tmp/$lab GO=false timeout 20 "$repo/test/packages/run.sh" rpm 2>&1 || true)"
done
`)
	want(t, out, "folder: FAIL: /mnt/tmp/folder is not root's alone", "link: FAIL: /mnt/tmp/link is not root's alone", "open: FAIL: /mnt/tmp/open is not root's alone")
}

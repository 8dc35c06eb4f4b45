#!/bin/bash
# The package test: a Debian with Postfix is booted with systemd-nspawn, without
# a network, and the deb lives its whole life in it. Another has the deb before
# Postfix comes, goes and comes again. Then the rpm is installed, verified and
# erased in a root of its own. Needs root, debootstrap, systemd-container and rpm;
# `apt-get install` brings what is missing. One run at a time; another waits.
# Exit status 75: this machine cannot make a Debian tree, or not boot one at all.
# usage: run.sh [deb|late|rpm]
#
#   LAB     folder for the Debian tree, which is kept (default /var/tmp/sealmilter-packages)
#   WAIT    for another run, in seconds (default 1800)
#   SLACK   factor for how long mail may take: 1 on an idle machine (default 5)
#   MIRROR  where debootstrap gets its packages (default: what apt uses here)
#   SUITE   default bookworm
#   PACKAGES  folder with v1, v2 and smtpstream, built before (test/matrix)
#   RESTARTS  under the stream of sessions, default 10
set -euo pipefail
cd "$(dirname "$0")/../.."
LAB=${LAB:-/var/tmp/sealmilter-packages}
SUITE=${SUITE:-bookworm}
GO=${GO:-go}
work=$LAB/run
box=$work/box
pid=""
booted=""

step() { printf '\n== %s\n' "$*"; }
ok() { printf '   ok: %s\n' "$*"; }
die() {
	printf 'FAIL: %s\n' "$*" >&2
	[ -z "$pid" ] || inside journalctl --no-pager -n 40 -u sealmilter -u sealmilter.socket -u postfix@- >&2 || true
	exit 1
}

# --- the machine ---

# What is in there is run as root, so that it must be root's alone from the beginning.
mkdir -p "$(dirname "$LAB")"
mkdir -m 0700 "$LAB" 2>/dev/null || true
case $([ -L "$LAB" ] || stat -c '%u %A' "$LAB") in
"0 d"????[!w]??[!w]*) chmod 0700 "$LAB" ;;
*) die "$LAB is not root's alone: somebody may have planted a tree. Look at it and remove it, or name another LAB" ;;
esac
missing=""
for tool in debootstrap:debootstrap systemd-nspawn:systemd-container rpm:rpm; do
	command -v "${tool%:*}" >/dev/null || missing="$missing ${tool#*:}"
done
[ -z "$missing" ] || DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing

exec 9>"$LAB/lock"
# What is started below holds it, too: nothing of a killed run is in the way.
flock -w "${WAIT:-1800}" 9 || die "another run, or what is left of one, holds $LAB/lock"
tree=$LAB/$SUITE
test/packages/tree.sh "$SUITE" "$tree" || exit $?

boot() {
	systemd-nspawn -q -b -D "$box" --register=no --keep-unit --private-network --hostname=mail.example.com \
		--resolv-conf=off --timezone=off --console=pipe >>"$work/console" 2>&1 </dev/null &
	nspawn=$!
	local end=$((SECONDS + 90)) state
	while [ $SECONDS -lt $end ] && kill -0 $nspawn 2>/dev/null; do
		pid=$(pgrep -P $nspawn || true)
		# Not the helper that nspawn has for a moment, which still sees this host's systemd.
		if [ -n "$pid" ] && [ "$(readlink "/proc/$pid/ns/pid")" != "$(readlink /proc/self/ns/pid)" ]; then
			state=$(timeout 60 nsenter -t "$pid" -a systemctl is-system-running --wait 2>/dev/null || true)
			case $state in running | degraded) booted=yes; return ;; esac
		fi
		sleep 0.2
	done
	kill -KILL $nspawn 2>/dev/null || true
	pid=""
	printf 'FAIL: the machine does not boot: %s\n' "$(tail -5 "$work/console")" >&2
	# Before anything of ours is in it, that is not our fault.
	[ -n "$booted" ] || exit 75
	exit 1
}
halt() {
	[ -n "$pid" ] || return 0
	nsenter -t "$pid" -a systemctl poweroff >/dev/null 2>&1 || true
	for _ in $(seq 150); do kill -0 $nspawn 2>/dev/null || break; sleep 0.2; done
	kill -KILL $nspawn 2>/dev/null || true
	wait $nspawn 2>/dev/null || true
	pid=""
}
inside() { nsenter -t "$pid" -a env PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@"; }
shell() { inside sh -c "$1"; }
trap 'halt; rm -rf "$work"' EXIT

# --- what is looked at ---

mailbox=/var/mail/bob
daemon() { inside systemctl show -P MainPID sealmilter; }
active() { inside systemctl is-active --quiet "$1" || die "$1 is not active"; }
count() { shell "grep -c '^$1' $mailbox 2>/dev/null || true"; }
settle() { # until the queue is empty; twice, since a file may move while one looks
	local empty=0
	for _ in $(seq 150); do
		if [ -z "$(shell 'find /var/spool/postfix/maildrop /var/spool/postfix/incoming /var/spool/postfix/active -type f')" ]; then
			empty=$((empty + 1))
			[ $empty -lt 2 ] || return 0
		else
			empty=0
		fi
		sleep 0.2
	done
	die "mail is stuck: $(inside mailq)"
}
# One message must be taken, in $1 seconds, and arrive signed by both keys.
signed_within() {
	shell ": >$mailbox"
	local began took limit=$(($1 * ${SLACK:-5}))
	began=$(date +%s%N)
	inside /root/smtpstream -clients 1 -messages 1 -pause 0 >"$work/one" || { cat "$work/one"; die "message refused"; }
	took=$((($(date +%s%N) - began) / 1000000))
	settle
	[ "$(count DKIM-Signature:)" = 2 ] || die "not signed twice: $(shell "cat $mailbox")"
	[ $took -le $((limit * 1000)) ] || die "took $took ms, more than $limit s"
	ok "taken after $took ms, signed twice"
}
stream_start() {
	shell ": >$mailbox"
	shell 'rm -f /run/stream.pid'
	inside sh -c 'echo $$ >/run/stream.pid; exec /root/smtpstream "$@"' stream "$@" >"$work/stream" 2>&1 &
	stream=$!
	for _ in $(seq 50); do shell 'test -s /run/stream.pid' && return; sleep 0.2; done
	die "the stream does not start: $(cat "$work/stream")"
}
# All sessions were served, and each message that was taken is signed.
stream_end() {
	shell 'kill -TERM $(cat /run/stream.pid)'
	wait $stream || { cat "$work/stream"; die "the stream was refused or answered otherwise"; }
	tail -1 "$work/stream" | sed 's/^/   /'
	settle
	local delivered
	delivered=$(sed -n 's/.*delivered=\([0-9]*\) .*/\1/p' "$work/stream")
	[ "$delivered" -gt 0 ] || die "no message in the stream"
	[ "$(count 'From ')" = "$delivered" ] || die "$delivered messages taken, $(count 'From ') arrived"
	[ "$(count DKIM-Signature:)" = $((2 * delivered)) ] || die "$delivered messages, $(count DKIM-Signature:) signatures"
	ok "nobody refused, $delivered messages, all signed"
}

# --- go ---

step "packages"
rm -rf "$work"
mkdir -p "$work"
ARCHS=$($GO env GOHOSTARCH)
export ARCHS
if [ -n "${PACKAGES:-}" ]; then
	cp -r "$PACKAGES/." "$work/"
else
	PACKAGE_VERSION=1.0.0 packaging/build.sh "$work/v1" >/dev/null
	PACKAGE_VERSION=1.0.1 packaging/build.sh "$work/v2" >/dev/null
	CGO_ENABLED=0 $GO build -o "$work/smtpstream" ./test/packages/smtpstream
fi

# A machine of its own for each life, with the packages in /root.
new_box() {
	rm -rf "$box"
	cp -a "$tree" "$box"
	cp "$work"/v1/*.deb "$box/root/one.deb"
	cp "$work"/v2/*.deb "$box/root/two.deb"
	cp "$work/smtpstream" "$box/root/"
	echo mail.example.com >"$box/etc/hostname"
	printf '127.0.0.1 mail.example.com mail localhost\n' >"$box/etc/hosts"
	echo 'nameserver 127.0.0.1' >"$box/etc/resolv.conf"
	chroot "$box" useradd -m bob
	chroot "$box" install -o bob -g mail -m 0660 /dev/null $mailbox
}
main_cf() {
	cat >"$box/etc/postfix/main.cf" <<'END'
compatibility_level = 3.6
myhostname = mail.example.com
mydestination = $myhostname, example.com, localhost
mynetworks = 127.0.0.0/8
alias_maps =
local_recipient_maps =
END
}

deb_life() {
new_box
main_cf
boot

step "install beside Postfix"
inside dpkg -i /root/one.deb 2>&1 | sed 's/^/   | /'
active sealmilter.socket
active sealmilter.service
grep -Eq '^smtp +inet +n +- +y ' "$box/etc/postfix/master.cf" || die "this Postfix has no chroot"
[ "$(shell 'stat -c "%U %G %a" /var/spool/postfix/sealmilter/milter.sock')" = "root postfix 660" ] || die "socket: $(shell 'ls -l /var/spool/postfix/sealmilter')"
for f in "/run/sealmilter:root sealmilter 2755" "/run/sealmilter/daemon:sealmilter sealmilter 755" "/run/sealmilter/milter.sock:root sealmilter 660" \
	"/run/sealmilter/daemon/admin.sock:sealmilter sealmilter 600" "/var/spool/postfix/sealmilter:root postfix 2750" \
	"/var/lib/sealmilter:sealmilter sealmilter 700" "/var/lib/sealmilter/keys:sealmilter sealmilter 700"; do
	[ "$(shell "stat -c '%U %G %a' ${f%%:*}")" = "${f#*:}" ] || die "${f%%:*}: $(shell "stat -c '%U %G %a' ${f%%:*}"), want ${f#*:}"
done
inside sealmilter reload >"$work/reload" 2>&1 || { cat "$work/reload"; die "the admin socket does not answer"; }
[ "$(shell "stat -c %U /proc/$(daemon)")" = sealmilter ] || die "the daemon is not sealmilter"
[ "$(shell "sed -n 's/^CapPrm:[[:space:]]*//p' /proc/$(daemon)/status")" = 0000000000000000 ] || die "the daemon has capabilities"
exposure=$(inside systemd-analyze security --no-pager sealmilter.service | sed -n 's/.*Overall exposure level.*: \([0-9.]*\).*/\1/p')
awk "BEGIN {exit !($exposure < 1.6)}" || die "systemd-analyze security: $exposure"
inside systemd-analyze verify --man=no sealmilter.service sealmilter.socket || die "systemd-analyze verify"
ok "socket in the chroot, user sealmilter, no capabilities, exposure $exposure"

step "set up with one command"
postfix_start=$(inside systemctl show -P ActiveEnterTimestampMonotonic postfix@-)
inside sealmilter setup postfix --domain example.com </dev/null >"$work/setup" 2>&1 || { cat "$work/setup"; die "set-up"; }
grep -q 'another by SMTP' "$work/setup" || { cat "$work/setup"; die "set-up did not prove itself"; }
signed_within 2
shell ": >$mailbox; printf 'From: alice@example.com\nTo: bob@example.com\n\nhi\n' | sendmail -f alice@example.com bob@example.com"
for _ in $(seq 50); do [ "$(count 'From ')" = 1 ] && break; sleep 0.2; done
[ "$(count DKIM-Signature:)" = 2 ] || die "sendmail(1): not signed: $(shell "cat $mailbox")"
[ "$(inside systemctl show -P ActiveEnterTimestampMonotonic postfix@-)" = "$postfix_start" ] || die "Postfix was restarted"
ok "the sendmail command's mail too; Postfix was not restarted"

step "mail to the daemon's user runs nothing"
shell 'printf "|/usr/bin/touch /tmp/owned\n" >/var/lib/sealmilter/.forward; chown sealmilter: /var/lib/sealmilter/.forward'
shell 'printf "From: alice@example.com\n\nhi\n" | sendmail -f alice@example.com sealmilter@example.com'
for _ in $(seq 50); do shell 'test -s /var/mail/sealmilter' && break; sleep 0.2; done
shell 'test -s /var/mail/sealmilter && ! test -e /tmp/owned' || die "$(shell 'ls -l /tmp /var/mail')"
ok "its .forward is nobody's"

step "ten restarts under a stream of sessions"
stream_start -clients 12 -pause 2s
for i in $(seq "${RESTARTS:-10}"); do inside systemctl restart sealmilter; printf '   restart %s\n' "$i"; done
stream_end

step "kill -9"
shell "kill -KILL $(daemon)"
signed_within 1

step "a daemon that hangs (SIGSTOP)"
restarts=$(inside systemctl show -P NRestarts sealmilter)
shell "kill -STOP $(daemon)"
signed_within 25
[ "$(inside systemctl show -P NRestarts sealmilter)" -gt "$restarts" ] || die "the watchdog did not restart it"
ok "restarted by the watchdog"

step "upgrade under a stream of sessions, from what earlier versions had"
shell "printf '[Socket]\nListenStream=/var/spool/postfix/sealmilter/milter.sock\nExecStartPost=-/bin/chgrp postfix /var/spool/postfix/sealmilter/milter.sock\n' >/etc/systemd/system/sealmilter.socket.d/postfix.conf"
shell 'chown sealmilter: /run/sealmilter; chmod 755 /run/sealmilter; sed -i "/^sealmilter:/s,:/nonexistent:,:/var/lib/sealmilter:," /etc/passwd; touch -d yesterday /etc/passwd'
old=$(daemon)
stream_start -clients 4 -pause 2s
inside dpkg -i /root/two.deb >"$work/upgrade" 2>&1 || { cat "$work/upgrade"; die "upgrade"; }
stream_end
[ "$(daemon)" != "$old" ] || die "the old process runs on"
[ "$(inside sealmilter version)" = "sealmilter 1.0.1" ] || die "$(inside sealmilter version)"
[ "$(shell "stat -c '%U %G %a' /run/sealmilter")" = "root sealmilter 2755" ] || die "/run/sealmilter: $(shell 'ls -la /run/sealmilter')"
[ "$(shell 'getent passwd sealmilter | cut -d: -f6')" = /nonexistent ] || die "home: $(shell 'getent passwd sealmilter'); $(cat "$work/upgrade")"
shell '! grep -q chgrp /etc/systemd/system/sealmilter.socket.d/postfix.conf' || die "the drop-in is the old one"
inside sealmilter reload >/dev/null || die "the admin socket does not answer"
ok "folders and home are taken back while the daemon runs"

step "bad configuration: upgrade, restart, reboot"
shell 'cp /etc/sealmilter/milter.yaml /root/good.yaml; echo "nonsense: true" >>/etc/sealmilter/milter.yaml'
old=$(daemon)
inside dpkg -i /root/two.deb >"$work/upgrade" 2>&1 || { cat "$work/upgrade"; die "dpkg must not fail"; }
grep -q 'OLD PROCESS GOES ON' "$work/upgrade" || { cat "$work/upgrade"; die "it does not say that the old process is kept"; }
grep -q 'milter.yaml:[0-9]*: ' "$work/upgrade" || die "it does not say what is wrong"
[ "$(daemon)" = "$old" ] || die "the old process was not kept"
ok "the upgrade keeps the old process and says so"
inside systemctl restart sealmilter
signed_within 2
halt
boot
signed_within 5
shell 'journalctl -b -u sealmilter | grep -q "last configuration that worked"' || die "the log does not say so"
ok "mail is signed after a reboot, with the last configuration that worked"
shell 'cp /root/good.yaml /etc/sealmilter/milter.yaml; systemctl reload sealmilter'

step "a reload that fails is not green"
shell 'echo "nonsense: true" >>/etc/sealmilter/milter.yaml; ! systemctl reload sealmilter 2>/dev/null' || die "systemctl reload of a bad file says nothing"
shell 'journalctl -b -u sealmilter -n 30 | grep -q "milter.yaml:[0-9]*: unknown field"' || die "the journal does not say what is wrong: $(shell 'journalctl -b -u sealmilter -n 30')"
active sealmilter.service
shell 'cp /root/good.yaml /etc/sealmilter/milter.yaml; systemctl reload sealmilter' || die "systemctl reload of the good file fails"
signed_within 2
ok "systemctl reload fails with a bad file, the journal has the line, and mail is signed all the time"

step "keys that root made for itself"
shell 'chown -R root: /var/lib/sealmilter/keys; sealmilter check -q' >"$work/rootkeys" 2>&1 && die "check is green: $(cat "$work/rootkeys")"
grep -q 'chown -Rh sealmilter: /var/lib/sealmilter/keys' "$work/rootkeys" || die "check does not say what to do: $(cat "$work/rootkeys")"
inside systemctl restart sealmilter
shell 'sealmilter status' >"$work/status" 2>&1 && die "status is green: $(cat "$work/status")"
grep -q 'gets a 451' "$work/status" || die "status does not say that mail waits: $(cat "$work/status")"
shell 'sealmilter reload' >"$work/reload" 2>&1 && die "reload is green: $(cat "$work/reload")"
grep -q 'waits with 451' "$work/reload" || die "reload does not say that mail waits: $(cat "$work/reload")"
shell 'sealmilter doctor example.com' >"$work/doctor" 2>&1 || true
grep -q 'FAIL  daemon example.com: its mail waits with 451' "$work/doctor" || die "doctor does not say that mail waits: $(cat "$work/doctor")"
shell 'chown -Rh sealmilter: /var/lib/sealmilter/keys && sealmilter reload' || die "the hint does not mend it"
signed_within 2
shell 'sealmilter check -q && sealmilter status >/dev/null' || die "not green after it"
ok "check, status, reload and doctor say that mail waits; the hint mends it"

step "a crash loop does not close the socket"
shell 'mv /var/lib/sealmilter/last-good /root; echo "nonsense: true" >>/etc/sealmilter/milter.yaml; systemctl restart sealmilter' 2>/dev/null || true
for _ in $(seq 60); do [ "$(inside systemctl show -P NRestarts sealmilter)" -ge 10 ] && break; sleep 0.5; done
active sealmilter.socket
shell 'cp /root/good.yaml /etc/sealmilter/milter.yaml'
signed_within 5

step "remove, with the MTA still asking"
inside dpkg -r sealmilter >"$work/remove" 2>&1 || { cat "$work/remove"; die "remove"; }
grep -q 'Postfix still asks' "$work/remove" && grep -q 'sealmilter setup postfix --undo' "$work/remove" || die "no warning about the MTA: $(cat "$work/remove")"
shell 'postconf -X smtpd_milters non_smtpd_milters && postfix reload' 2>/dev/null
shell 'test -f /etc/sealmilter/milter.yaml && ls /var/lib/sealmilter/keys/example.com/*.pem >/dev/null' || die "configuration or keys are gone"
shell '! test -e /var/spool/postfix/sealmilter && ! test -e /run/sealmilter' || die "sockets are left"
! inside systemctl is-active --quiet sealmilter.socket || die "the socket unit is active"
ok "configuration and keys stay, sockets are gone, the MTA's lines are warned of"

step "install again, purge"
inside dpkg -i /root/two.deb >/dev/null 2>&1 || die "install again"
active sealmilter.service
inside dpkg -P sealmilter >"$work/purge" 2>&1 || { cat "$work/purge"; die "purge"; }
grep -q 'private keys stay' "$work/purge" || die "purge does not speak of the keys: $(cat "$work/purge")"
shell 'ls /var/lib/sealmilter/keys/example.com/*.pem >/dev/null' || die "purge removed keys"
shell '! test -e /etc/sealmilter && ! test -e /etc/systemd/system/sealmilter.socket.d' || die "purge left: $(shell 'ls -R /etc/sealmilter /etc/systemd/system/sealmilter.socket.d')"
[ -z "$(shell 'find /etc/systemd /var/lib/systemd/deb-systemd-helper* -name "*sealmilter*" 2>/dev/null')" ] || die "unit links are left"
ok "configuration gone, keys kept and named"

step "the plain unit, by hand as in the README"
shell 'dpkg-deb -x /root/two.deb /root/x && cp /root/x/usr/sbin/sealmilter /usr/sbin/ &&
	cp /root/x/usr/share/doc/sealmilter/plain.service /etc/systemd/system/sealmilter.service &&
	install -d -o sealmilter -g postfix -m 2750 /var/spool/postfix/sealmilter && install -d /etc/sealmilter' || die "by hand"
shell 'printf "authserv_id: mail.example.com\nlisten: [\"unix:/var/spool/postfix/sealmilter/milter.sock\"]\nsign: {domains: [example.com]}\n" >/etc/sealmilter/milter.yaml'
shell 'systemctl daemon-reload && systemctl start sealmilter' || die "the plain unit does not start"
[ "$(shell 'stat -c "%U %G %a" /var/spool/postfix/sealmilter/milter.sock')" = "sealmilter postfix 660" ] || die "socket: $(shell 'ls -la /var/spool/postfix/sealmilter')"
inside sealmilter reload >"$work/reload" 2>&1 || { cat "$work/reload"; die "the admin socket does not answer"; }
inside sealmilter setup postfix --domain example.com </dev/null >"$work/setup" 2>&1 || { cat "$work/setup"; die "set-up"; }
grep -q 'another by SMTP' "$work/setup" || { cat "$work/setup"; die "set-up did not prove itself"; }
signed_within 2
exposure=$(inside systemd-analyze security --no-pager sealmilter.service | sed -n 's/.*Overall exposure level.*: \([0-9.]*\).*/\1/p')
awk "BEGIN {exit !($exposure < 1.6)}" || die "systemd-analyze security: $exposure"
ok "exposure $exposure"
halt
}

# Postfix comes after the deb, goes, and comes again with another number for its group.
late_life() {
new_box
postfix_deb="/var/cache/apt/archives/postfix_*.deb" # the shell in the box expands it
shell_box() { chroot "$box" sh -c "$1"; }
shell_box "test -f $postfix_deb" || die "no $postfix_deb in $tree: remove it, so that it is made again"
shell_box 'DEBIAN_FRONTEND=noninteractive dpkg --purge postfix' >"$work/purge-postfix" 2>&1 || { cat "$work/purge-postfix"; die "this Debian does not go without Postfix"; }
boot
postfix_comes() {
	shell "dpkg -i $postfix_deb" >"$work/postfix" 2>&1 || { cat "$work/postfix"; die "Postfix cannot be installed"; }
	main_cf
	shell 'systemctl restart postfix' || die "Postfix does not start"
}
set_up() {
	inside sealmilter setup postfix --domain example.com "$@" </dev/null >"$work/setup" 2>&1 || { cat "$work/setup"; die "set-up $*"; }
}
own=/run/sealmilter/milter.sock
queue=/var/spool/postfix/sealmilter/milter.sock
dropin=/etc/systemd/system/sealmilter.socket.d/postfix.conf

step "the deb first, Postfix later"
inside dpkg -i /root/one.deb >"$work/install" 2>&1 || { cat "$work/install"; die "install"; }
active sealmilter.service
shell "test -S $own && ! test -e $dropin" || die "sockets without Postfix: $(shell "ls -l $own $dropin")"
postfix_comes
shell "! test -e $dropin" || die "who has written $dropin?"
set_up --dry-run
grep -q "$dropin: systemd opens $queue" "$work/setup" || { cat "$work/setup"; die "the dry run does not speak of the socket"; }
shell "! test -e $dropin && ! test -e $queue" || die "a dry run has opened the socket"
set_up
grep -q 'another by SMTP' "$work/setup" || { cat "$work/setup"; die "set-up did not prove itself"; }
[ "$(shell "stat -c '%U %G %a' $queue")" = "root postfix 660" ] || die "socket: $(shell "ls -l $queue")"
[ "$(shell "stat -c '%U %G %a' $own")" = "root sealmilter 660" ] || die "socket: $(shell "ls -l $own")"
signed_within 2
settings() { grep -v '^#' "$1"; }
[ "$(settings "$box$dropin")" = "$(settings "$box/usr/share/sealmilter/postfix.conf")" ] || die "not the package's drop-in: $(cat "$box$dropin")"

step "Postfix asks and the socket is gone: doctor says so, set-up mends it"
shell "systemctl stop sealmilter.service && rm $dropin && systemctl daemon-reload && systemctl restart sealmilter.socket && systemctl start sealmilter.service && rm -f $queue" ||
	die "the socket cannot be taken away"
inside sealmilter doctor example.com </dev/null >"$work/doctor" 2>&1 && die "doctor finds nothing"
grep -A3 'FAIL  *socket' "$work/doctor" | grep -q 'sealmilter setup postfix' || { cat "$work/doctor"; die "doctor does not say what to do"; }
set_up
signed_within 2

step "undo"
inside sealmilter setup postfix --undo </dev/null >"$work/undo" 2>&1 || { cat "$work/undo"; die "undo"; }
shell ": >$mailbox"
inside /root/smtpstream -clients 1 -messages 1 -pause 0 >"$work/one" || { cat "$work/one"; die "message refused after the undo"; }
settle
[ "$(count 'From ')" = 1 ] && [ "$(count DKIM-Signature:)" = 0 ] || die "after the undo: $(shell "cat $mailbox")"
ok "mail passes unsigned"

step "Postfix goes, for good; a reboot"
gid=$(shell 'getent group postfix | cut -d: -f3')
shell 'dpkg --purge postfix' >"$work/postfix" 2>&1 || { cat "$work/postfix"; die "Postfix cannot be removed"; }
# Debian 13 leaves user and group; then it is an admin who removes them.
if shell 'getent group postfix' >/dev/null; then shell 'userdel -f postfix; groupdel postfix' >/dev/null 2>&1 || true; fi
! shell 'getent group postfix' >/dev/null || die "the group postfix is still there: this shows nothing"
halt
boot
active sealmilter.socket
active sealmilter.service
shell "test -S $own" || die "no socket for another MTA"
ok "the socket for another MTA is open"

step "Postfix again, with another number for its group"
shell "groupadd --gid $gid somebody"
postfix_comes
[ "$(shell 'getent group postfix | cut -d: -f3')" != "$gid" ] || die "the group has its old number: this shows nothing"
set_up
[ "$(shell "stat -c '%U %G %a' $queue")" = "root postfix 660" ] || die "socket: $(shell "ls -l $queue")"
signed_within 2

step "undo, remove"
inside sealmilter setup postfix --undo </dev/null >"$work/undo" 2>&1 || { cat "$work/undo"; die "undo"; }
inside dpkg -r sealmilter >"$work/remove" 2>&1 || { cat "$work/remove"; die "remove"; }
! grep -q 'still asks' "$work/remove" || die "a warning about nothing: $(cat "$work/remove")"
halt
}

rpm_life() {
step "rpm: install, verify, erase"
rm -rf "$box"
cp -a "$tree" "$box"
cp "$work"/v2/*.rpm "$box/root/two.rpm"
rpm --root "$box" --initdb
selinux_tools() { # STATUS of selinuxenabled, of the others
	for tool in selinuxenabled:$1 semanage:$2 restorecon:$2; do
		printf '#!/bin/sh\necho "%s $*" >>/root/selinux\nexit %s\n' "${tool%:*}" "${tool#*:}" >"$box/usr/sbin/${tool%:*}"
		chmod +x "$box/usr/sbin/${tool%:*}"
	done
	: >"$box/root/selinux"
}
asked() { grep -q "^$1" "$box/root/selinux"; }
quietly() { # rpm must say nothing, or what is meant for everybody
	rpm --root "$box" "$@" 2>"$work/rpm" || { cat "$work/rpm"; die "rpm $*"; }
	! grep -i 'scriptlet\|not found\|no such' "$work/rpm" || die "rpm $*"
}
# No SELinux tools at all; switched off; in force.
quietly -i --nodeps --ignoreos "$box/root/two.rpm"
! grep -qi selinux "$work/rpm" || die "it speaks of SELinux where there is none: $(cat "$work/rpm")"
quietly -e --nodeps sealmilter
selinux_tools 1 0
quietly -i --nodeps --ignoreos "$box/root/two.rpm"
! asked semanage && ! asked restorecon || die "SELinux is off: $(cat "$box/root/selinux")"
quietly -e --nodeps sealmilter
selinux_tools 0 0
quietly -i --nodeps --ignoreos "$box/root/two.rpm"
for want in 'semanage fcontext -a -t dkim_milter_exec_t /usr/sbin/sealmilter' 'semanage fcontext -a -t dkim_milter_data_t /var/lib/sealmilter' 'restorecon .*/usr/sbin/sealmilter'; do
	asked "$want" || die "not asked for: $want; $(cat "$box/root/selinux")"
done
! grep -q 'no SELinux type' "$work/rpm" || die "$(cat "$work/rpm")"
: >"$box/root/selinux"
quietly -e --nodeps sealmilter
asked 'semanage fcontext -d /usr/sbin/sealmilter' || die "the types stay after rpm -e: $(cat "$box/root/selinux")"
ok "without SELinux tools, switched off, in force"
# Tools that do not work, as in a container, must not fail the installation.
selinux_tools 0 1
rpm --root "$box" -i --nodeps --ignoreos "$box/root/two.rpm" || die "rpm -i"
asked 'semanage .*dkim_milter_exec_t' || die "no SELinux types asked for"
printf '#!/bin/sh\nexit 1\n' >"$box/usr/sbin/selinuxenabled"
rpm --root "$box" -V --nodeps sealmilter || die "rpm -V"
[ "$(chroot "$box" stat -c '%U %a' /var/lib/sealmilter/keys)" = "sealmilter 700" ] || die "key folder"
sed -i 's/domains: \[\]/domains: [example.com]/; 1i authserv_id: mail.example.com' "$box/etc/sealmilter/milter.yaml"
chroot "$box" sealmilter keys new example.com >/dev/null
rpm --root "$box" -U --nodeps --force "$box/root/two.rpm" || die "rpm -U"
grep -q 'domains: \[example.com\]' "$box/etc/sealmilter/milter.yaml" || die "rpm -U replaced the configuration"
rpm --root "$box" -e --nodeps sealmilter 2>"$work/erase" || { cat "$work/erase"; die "rpm -e"; }
[ -e "$box/etc/sealmilter/milter.yaml.rpmsave" ] || die "the configuration is gone"
ls "$box"/var/lib/sealmilter/keys/example.com/*.pem >/dev/null || die "the keys are gone"
grep -q 'private keys stay' "$work/erase" || die "rpm -e does not speak of the keys"
ok "verified, configuration and keys stay"
}

case ${1:-all} in
deb) deb_life ;;
late) late_life ;;
rpm) rpm_life ;;
all) deb_life; late_life; rpm_life ;;
*) die "usage: run.sh [deb|late|rpm]" ;;
esac

printf '\nall package tests passed\n'

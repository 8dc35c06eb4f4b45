#!/bin/bash
# Makes a minimal Debian with systemd and Postfix, once; the tests copy it.
# usage: tree.sh SUITE FOLDER
#   MIRROR  where debootstrap gets its packages (default: what apt uses here)
# Exit status 75: no such tree can be made here, and the last line says why.
set -euo pipefail
suite=$1 tree=$2
[ ! -e "$tree/.complete" ] || exit 0
if ! command -v debootstrap >/dev/null; then
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends debootstrap >&2 || { echo "no debootstrap" >&2; exit 75; }
fi
mirror=${MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 2>/dev/null | head -1 || true)}
# A debootstrap that is older than a suite has no script of its name.
script=/usr/share/debootstrap/scripts/$suite
[ -e "$script" ] || script=/usr/share/debootstrap/scripts/sid
printf '== debootstrap %s (once)\n' "$suite"
rm -rf "$tree"
# Without a keyring that knows the suite this fails, and so it should.
debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,postfix "$suite" "$tree" ${mirror:+"$mirror" "$script"} >"$tree.log" 2>&1 || {
	rm -rf "$tree"
	tail -20 "$tree.log" >&2
	echo "debootstrap $suite: $(grep '^E:' "$tree.log" | tail -1)" >&2
	exit 75
}
touch "$tree/.complete"

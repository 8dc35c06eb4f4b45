#!/bin/bash
# The suites of Debian and what is in them: Postfix 3.5 (also that of EL 8 and 9) to
# that of unstable, Sendmail 8.15 to 8.18. In each the end-to-end tests run, from a
# test binary and a daemon that are built once on this machine, and the life of the
# package (test/packages). Needs root; takes about ten minutes a suite.
# usage: run.sh [SUITE...]      default: bullseye bookworm trixie sid
#
#   ONLY    e2e or packages: leave the other out
#   LAB     folder for the trees, which are kept (default /var/tmp/sealmilter-packages)
#   MIRROR, RESTARTS, SLACK, WAIT: see test/packages
# The last lines are a table. Exit status: 1 when something failed; 75 when nothing
# did, but something was NOT RUN, and the table says why.
set -euo pipefail
cd "$(dirname "$0")/../.."
LAB=${LAB:-/var/tmp/sealmilter-packages}
GO=${GO:-go}
ONLY=${ONLY:-e2e packages}
export LAB
[ "$(id -u)" = 0 ] || { echo "needs root" >&2; exit 75; }
mkdir -p "$LAB"
here=$PWD
work=$(mktemp -d "$LAB/matrix.XXXXXX")
trap 'rm -rf "$work"' EXIT
step() { printf '\n== %s\n' "$*"; }

step "build, once for all"
export CGO_ENABLED=0
$GO test -c -tags e2e -o "$work/e2e.test" ./test/e2e
$GO build -trimpath -buildvcs=false -o "$work/sealmilter" ./cmd/sealmilter
cp -r test/e2e/testdata "$work/testdata"
cp test/e2e/install-packages.sh "$work/"
if [ -z "${ONLY##*packages*}" ]; then
	export PACKAGES=$work/packages ARCHS
	ARCHS=$($GO env GOHOSTARCH)
	PACKAGE_VERSION=1.0.0 packaging/build.sh "$PACKAGES/v1" >/dev/null
	PACKAGE_VERSION=1.0.1 packaging/build.sh "$PACKAGES/v2" >/dev/null
	$GO build -o "$PACKAGES/smtpstream" ./test/packages/smtpstream
fi

# What the end-to-end tests want is installed in a copy of the tree, where the
# network is this host's. A mirror that stands still makes old lists; so it be.
e2e_tree() { # SUITE
	local base=$LAB/$1 tree=$LAB/$1-e2e want code=0
	(
		flock -w "${WAIT:-1800}" 9 || { echo "another run holds $LAB/lock" >&2; exit 75; }
		test/packages/tree.sh "$1" "$base" 9>&-
	) 9>"$LAB/lock" || return $?
	want=$(cksum <test/e2e/install-packages.sh)
	[ "$(cat "$tree/.complete" 2>/dev/null)" != "$want" ] || return 0
	if [ ! -e "$tree/etc" ]; then
		rm -rf "$tree"
		cp -a "$base" "$tree"
	fi
	rm -f "$tree/.complete"
	cp -L /etc/resolv.conf "$tree/etc/resolv.conf"
	echo 'Acquire::Check-Valid-Until "false";' >"$tree/etc/apt/apt.conf.d/99sealmilter"
	inside "$tree" sh -c 'apt-get -q update && /suite/install-packages.sh' >"$tree.log" 2>&1 || code=$?
	[ $code = 0 ] || { tail -5 "$tree.log" >&2; return 75; }
	printf '%s\n' "$want" >"$tree/.complete"
}

# A tree as / of a mount namespace, so that what enters that namespace (nsenter)
# sees the tree as well; a chroot would not do. /suite is what was built above.
inside() { # TREE COMMAND...
	unshare --mount --propagation private bash -ec '
		tree=$1 work=$2; shift 2
		mkdir -p "$tree/suite" "$tree/.outside"
		mount --bind "$tree" "$tree"
		mount --bind "$work" "$tree/suite"
		mount --rbind /dev "$tree/dev"
		mount -t proc proc "$tree/proc"
		cd "$tree"
		pivot_root . .outside
		exec /usr/sbin/chroot . /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C TMPDIR=/tmp \
			DEBIAN_FRONTEND=noninteractive SEALMILTER_CI=1 SEALMILTER_BINARY=/suite/sealmilter \
			sh -c "umount -l /.outside && cd /suite && exec \"\$@\"" inside "$@"
	' unshare "$1" "$work" "${@:2}"
}

worst=0
result() { # STATUS
	case $1 in
	0) echo ok ;;
	75) echo "NOT RUN" ;;
	*) echo FAILED ;;
	esac
}
count() { # STATUS: the worst of all counts
	if [ "$1" != 0 ] && { [ "$1" != 75 ] || [ $worst = 0 ]; }; then
		worst=$1
		[ "$1" = 75 ] || worst=1
	fi
}
versions() { # TREE
	local postfix sendmail
	postfix=$(chroot "$1" dpkg-query -W -f '${Version}' postfix 2>/dev/null | sed 's/-.*//') || postfix="?"
	sendmail=$(ls "$1"/var/cache/sealmilter-e2e/sendmail-bin_*.deb 2>/dev/null | sed 's/.*sendmail-bin_//; s/-.*//' | tail -1) || sendmail="?"
	echo "$postfix | ${sendmail:--}"
}

table=""
[ $# -gt 0 ] || set -- bullseye bookworm trixie sid
for suite; do
	e2e=- packages=-
	if [ -z "${ONLY##*e2e*}" ]; then
		step "$suite: end to end"
		code=0
		e2e_tree "$suite" || code=75
		if [ $code = 0 ]; then
			inside "$LAB/$suite-e2e" ./e2e.test -test.timeout 20m || code=1
		fi
		e2e=$(result $code)
		count $code
	fi
	if [ -z "${ONLY##*packages*}" ]; then
		step "$suite: packages"
		code=0
		SUITE=$suite RESTARTS=${RESTARTS:-3} "$here/test/packages/run.sh" || code=$?
		packages=$(result $code)
		count $code
	fi
	seen=$LAB/$suite-e2e
	[ -e "$seen/.complete" ] || seen=$LAB/$suite
	table="$table| $suite | $(versions "$seen") | $e2e | $packages |"$'\n'
done
step "what was run here"
printf '| suite | Postfix | Sendmail | end to end | packages |\n|---|---|---|---|---|\n%s' "$table"
exit $worst

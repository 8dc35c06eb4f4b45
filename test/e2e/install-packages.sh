#!/bin/sh
# Installs what `make test` needs from Debian's packages: a C compiler, the MTAs, four name servers, two
# database servers, a SASL
# server, two delivery agents, three foreign DKIM implementations, a parser of Authentication-Results and four of From. Nothing
# that it installs is started or configured: the suite brings up its own instances below a temporary directory. Safe
# to run again; quick when all is there.
set -eu

# gcc and libc6-dev: the race detector of the unit tests needs cgo.
packages="gcc libc6-dev make postfix dovecot-core dovecot-imapd dovecot-sieve procmail nsd unbound bind9 bind9-utils bind9-dnsutils knot mariadb-server postfix-mysql postgresql python3 python3-dkim python3-dnspython python3-nacl python3-authres libmail-dkim-perl libemail-address-xs-perl libmailtools-perl opendkim-tools sasl2-bin libsasl2-modules libsasl2-modules-db util-linux m4 iproute2 shellcheck"

missing=""
for p in $packages; do
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null || true)" = installed ] || missing="$missing $p"
done

# Sendmail's packages conflict with Postfix's: they are fetched, and the suite unpacks them below its own directory.
# Only the libraries that they need are installed.
cache="${SEALMILTER_CACHE:-/var/cache/sealmilter-e2e}"
fetch="sendmail-bin sendmail-base sendmail-cf"
lacking=""
for p in $fetch; do
	ls "$cache/$p"_*.deb >/dev/null 2>&1 || lacking="$lacking $p"
done

if [ -z "$missing$lacking" ]; then
	echo "e2e packages: all there"
	exit 0
fi

sudo=""
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || { echo "error: needs root or sudo to install:$missing" >&2; exit 1; }
	sudo="sudo"
fi

# 101 from policy-rc.d means "do not start": a Debian package starts its service on installation otherwise.
# A policy that is already there (containers ship one) is left alone.
policy=/usr/sbin/policy-rc.d
made_policy=""
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
	$sudo chmod 0755 "$policy"
	made_policy=1
fi
cleanup() { [ -z "$made_policy" ] || $sudo rm -f "$policy"; }
trap cleanup EXIT

# Postfix asks what kind of site this is. Not when it was installed before: that answer is the admin's.
if [ ! -e /etc/postfix/main.cf ]; then
	printf '%s\n' \
		"postfix postfix/main_mailer_type select Local only" \
		"postfix postfix/mailname string host.invalid" | $sudo debconf-set-selections
fi

apt="$sudo env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l apt-get -q -y -o Dpkg::Use-Pty=0"
# shellcheck disable=SC2086  # word splitting is wanted in the package list
if [ -n "$missing" ] && ! $apt install --no-install-recommends $missing; then
	$apt update # the package list may be missing or old
	$apt install --no-install-recommends $missing
fi
if [ -n "$lacking" ]; then
	$sudo mkdir -p "$cache"
	fetched() { (cd "$cache" && $apt -o APT::Sandbox::User=root download $lacking); }
	fetched || { $apt update && fetched; }
	libraries=$(for f in "$cache"/sendmail-bin_*.deb; do dpkg-deb -f "$f" Depends; done | tr ',' '\n' |
		sed -n 's/^ *\(lib[^ (|:]*\).*/\1/p' | sort -u)
	$apt install --no-install-recommends $libraries
fi
echo "e2e packages: installed$missing$lacking"

#!/bin/bash
# The demo and the unit tests of what computes (auth, keys, milter, policy) as arm64
# programs, cross-built here and run by Debian's qemu-user-static.
# Exit status 75: there is no such emulator here.
set -euo pipefail
cd "$(dirname "$0")/../.."
GO=${GO:-go}
if ! command -v qemu-aarch64-static >/dev/null; then
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends qemu-user-static >/dev/null 2>&1 ||
		{ echo "NOT RUN: arm64: no qemu-aarch64-static, and it cannot be installed" >&2; exit 75; }
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export CGO_ENABLED=0
GOARCH=arm64 $GO build -trimpath -buildvcs=false -o "$work/sealmilter" ./cmd/sealmilter
qemu-aarch64-static "$work/sealmilter" demo >"$work/demo" || { cat "$work/demo"; echo "FAIL: demo on arm64" >&2; exit 1; }
echo "ok  	demo"
module=$($GO list -m)
for p in $($GO list ./auth/... ./keys ./milter ./policy); do
	dir=.${p#"$module"}
	GOARCH=arm64 $GO test -c -o "$work/test" "$p" || exit 1
	[ -e "$work/test" ] || continue # no tests
	(cd "$dir" && qemu-aarch64-static "$work/test" -test.timeout 20m >"$work/log" 2>&1) || { tail -40 "$work/log"; echo "FAIL: $p on arm64" >&2; exit 1; }
	printf 'ok  \t%s\n' "$p"
	rm -f "$work/test"
done

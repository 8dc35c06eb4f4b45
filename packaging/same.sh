#!/bin/sh
# Builds all packages twice, the second time from a copy of the tree in another
# folder, and fails where a byte differs.
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
packaging/build.sh "$work/one" >/dev/null
git ls-files -z | tar c --null -T - | (mkdir "$work/copy" && cd "$work/copy" && tar x)
mkdir "$work/copy/bin"
cp -p bin/nfpm "$work/copy/bin/"
PACKAGE_VERSION=$(basename "$work"/one/*_amd64.deb | sed 's/^sealmilter_\(.*\)-1_amd64.deb$/\1/')
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export PACKAGE_VERSION SOURCE_DATE_EPOCH
(cd "$work/copy" && umask 077 && packaging/build.sh "$work/two" >/dev/null)
(cd "$work/one" && sha256sum ./*) >"$work/sums"
cat "$work/sums"
(cd "$work/two" && sha256sum --quiet -c "$work/sums")
echo "both builds are the same"

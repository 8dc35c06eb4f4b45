#!/bin/sh
# Builds dist/*.deb and dist/*.rpm for amd64 and arm64. The same commit gives the
# same bytes: times come from SOURCE_DATE_EPOCH (default: the commit's), paths and
# build host are left out. usage: packaging/build.sh [OUTPUT-FOLDER]
#   PACKAGE_VERSION  default: the tag, or 0.0.0~gitDATE.COMMIT without one
#   ARCHS            default: "amd64 arm64"
set -eu
cd "$(dirname "$0")/.."
out=${1:-dist}
GO=${GO:-go}
umask 022
export LC_ALL=C TZ=UTC

SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
if [ -z "${PACKAGE_VERSION:-}" ]; then
	if tag=$(git describe --tags --exact-match 2>/dev/null); then
		PACKAGE_VERSION=${tag#v}
	else
		PACKAGE_VERSION=0.0.0~git$(date -d "@$SOURCE_DATE_EPOCH" +%Y%m%d%H%M%S).$(git rev-parse --short=8 HEAD)
	fi
fi
PACKAGE_DATE=$(date -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)
export SOURCE_DATE_EPOCH

[ -x bin/nfpm ] && [ -z "$(find tools/nfpm/go.mod -newer bin/nfpm)" ] ||
	(cd tools/nfpm && $GO build -o ../../bin/nfpm github.com/goreleaser/nfpm/v2/cmd/nfpm)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
STAGE=$work/stage
mkdir -p "$STAGE/man" "$STAGE/completion" "$STAGE/scripts" "$out"

program() { # program ARCH FILE
	CGO_ENABLED=0 GOOS=linux GOARCH=$1 $GO build -trimpath -buildvcs=false \
		-ldflags "-s -w -X main.version=$PACKAGE_VERSION" -o "$2" ./cmd/sealmilter
}
native=$work/sealmilter
program "$($GO env GOHOSTARCH)" "$native"
"$native" man --example milter.yaml.example "$STAGE/man"
gzip -9n "$STAGE"/man/*
for f in "$STAGE"/man/*; do
	section=${f%.gz}
	section=${section##*.}
	echo "  - {src: $f, dst: /usr/share/man/man$section/${f##*/}, \${DOC}file_info: {mode: 0644}}"
done >"$work/manpages"
"$native" completion bash >"$STAGE/completion/bash"
"$native" completion zsh >"$STAGE/completion/zsh"
"$native" completion fish >"$STAGE/completion/fish"

for f in postinst prerm postrm; do
	{ printf '#!/bin/sh\nset -e\n'; cat packaging/scripts/common.sh "packaging/scripts/deb.$f"; } >"$STAGE/scripts/deb.$f"
done
for f in post preun postun; do
	cat packaging/scripts/common.sh packaging/scripts/selinux.sh "packaging/scripts/rpm.$f" >"$STAGE/scripts/rpm.$f"
done

# The licences of what is linked in: ours, Go's, and each module's.
{
	echo "sealmilter is linked statically with the Go standard library and these modules."
	goroot=$($GO env GOROOT)
	$GO list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}' ./cmd/sealmilter | sort -u >"$work/modules"
	printf '\n===== Go standard library\n\n'
	cat "$goroot/LICENSE"
	while read -r path version dir; do
		printf '\n===== %s %s\n\n' "$path" "$version"
		find "$dir" -maxdepth 1 -type f \( -iname 'LICENSE*' -o -iname 'COPYING*' -o -iname 'NOTICE*' \) | sort | xargs -r cat
	done <"$work/modules"
} >"$STAGE/third-party-licences"
cp packaging/lint/copyright "$STAGE/copyright"
{ echo; sed 's/^$/./; s/^/ /' LICENSE; } >>"$STAGE/copyright"
sed 's|/usr/local/sbin|/usr/sbin|' packaging/plain/sealmilter.service >"$STAGE/plain.service"
sed -f packaging/plain/systemd-219.sed "$STAGE/plain.service" >"$STAGE/systemd-219.service"
note="Release $PACKAGE_VERSION; CHANGELOG.md says what changed."
who="The sealmilter authors <sealmilter@users.noreply.github.com>"
printf 'sealmilter (%s-1) unstable; urgency=medium\n\n  * %s\n\n -- %s  %s\n' "$PACKAGE_VERSION" "$note" "$who" \
	"$(date -R -d "@$SOURCE_DATE_EPOCH")" | gzip -9n >"$STAGE/changelog.Debian.gz"
printf -- '- semver: %s-1\n  date: %s\n  packager: %s\n  changes: [{note: "%s"}]\n' "$PACKAGE_VERSION" "$PACKAGE_DATE" "$who" "$note" \
	>"$STAGE/changelog.yaml"
gzip -9nc CHANGELOG.md >"$STAGE/changelog.gz"

for arch in ${ARCHS:-amd64 arm64}; do
	program "$arch" "$STAGE/sealmilter"
	find "$STAGE" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
	render="s|\${STAGE}|$STAGE|g; s|\${PACKAGE_ARCH}|$arch|; s|\${PACKAGE_VERSION}|$PACKAGE_VERSION|; s|\${PACKAGE_DATE}|$PACKAGE_DATE|"
	for format in deb rpm; do
		# A deb's changelog is a file of its own, above, and it knows no type doc.
		changelog=$STAGE/changelog.yaml doc="type: doc, "
		[ $format = rpm ] || changelog='' doc=''
		sed "/# MANPAGES/r $work/manpages
			$render; s|\${CHANGELOG}|$changelog|" packaging/nfpm.yaml | sed "s|\${DOC}|$doc|" >"$work/nfpm.yaml"
		bin/nfpm package --config "$work/nfpm.yaml" --packager $format --target "$out" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
	done
done
ls -l "$out"

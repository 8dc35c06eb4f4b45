# Included by the Makefile: deb and rpm, and their tests.
.PHONY: packages packages-same packages-lint test-packages

# dist/: deb and rpm for amd64 and arm64; the same commit gives the same bytes.
packages:
	GO='$(GO)' packaging/build.sh dist

# Builds twice, the second time from another folder, and compares.
packages-same:
	GO='$(GO)' packaging/same.sh

# lintian and rpmlint, of Debian's packages.
packages-lint: packages
	lintian --fail-on error,warning dist/*.deb
	rpmlint -c packaging/lint/rpmlint.toml dist/*.rpm

# Installs, restarts, kills, upgrades and removes the package in a Debian that
# is booted with systemd-nspawn; the rpm in an empty root. Needs root.
test-packages:
	$(SUDO) env "PATH=$$PATH" GO='$(GO)' test/packages/run.sh

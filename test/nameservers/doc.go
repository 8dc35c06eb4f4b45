// Package nameservers has a real BIND, a primary and a secondary, and a real Knot on
// loopback: records are put into their zones and taken away by internal/publisher, and
// looked at by internal/authoritative. The tests carry the build tag e2e and need
// Debian's packages (test/e2e/install-packages.sh); `make e2e` runs them. Without the
// tag this package is empty.
package nameservers

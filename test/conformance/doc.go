// Package conformance holds the tests against foreign suites and foreign
// programs that cross packages: openspf's suite over real DNS packets and
// through the running daemon, and thousands of messages that other DKIM
// engines sign and verify with us.
//
// What needs Debian's packages (test/e2e/install-packages.sh) is skipped where
// they are missing, and fails there under SEALMILTER_CI=1. `make conformance`
// runs everything at full length.
package conformance

// Package db has a real MariaDB and a real PostgreSQL, from Debian's packages,
// give the domains to sign for: started by the tests on unix sockets below a
// temporary folder, killed, restarted, locked and filled with what no database of
// domains should have. It skips where the packages are missing, and fails there
// under SEALMILTER_CI=1.
package db

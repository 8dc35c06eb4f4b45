// Package local has what somebody does who runs code as the daemon's user, or is
// any user of the host, while root installs, upgrades, looks and sets up. Each
// test has an /etc, a /run and a /var/lib of its own, in a mount namespace: it
// needs root. `make e2e` runs them.
package local

// Package e2e runs sealmilter under a real Postfix, with real name servers and foreign DKIM verifiers.
//
// The tests carry the build tag e2e, need root and Debian's packages (install-packages.sh); README.md says what
// is brought up and what each file shows. Without the tag this package is empty.
package e2e

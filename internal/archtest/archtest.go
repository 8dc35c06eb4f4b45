// Package archtest holds the structure of the house (docs/design.md) as a test:
// which room may import which, and who the one importer of each third-party
// library is. There is no code in it.
package archtest

// Package sendmail reads and edits Sendmail's sendmail.mc, and reads the parts of
// sendmail.cf, access and relay-domains that a set-up needs to know (Sendmail's
// cf/README and Installation and Operation Guide).
//
// The .mc is m4 text: it is cut into macro calls, not evaluated. What stands
// within the arguments of other macros (ifdef) or in included files is not seen.
// An edit is a block of whole lines between two comments; every other byte stays.
//
// The package is pure: it touches no file and knows nothing of sealmilter's
// configuration, keys or mail.
package sendmail

// Package postfix reads and edits main.cf and master.cf, and plans what has to
// change in them so that Postfix talks to a milter (postconf(5), master(5),
// MILTER_README).
//
// Reading is our own: `postconf -P` and `-F` do not exist in Postfix 2.10. Only
// defaults are asked of postconf. An edit touches the logical line that it is
// about and leaves every other byte as it was. A plan is a value; apply.go and
// command.go are the only files that touch the system.
//
// The package deliberately knows nothing of sealmilter's configuration, keys or
// mail.
package postfix

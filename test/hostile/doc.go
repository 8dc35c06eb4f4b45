// Package hostile makes the messages that forgers send, and judges what the
// daemon did with them.
//
// Its tests are the place where each class of attack has a name: the classes of
// "Composition Kills" (USENIX Security 2020), the CVEs of OpenDKIM and OpenDMARC,
// SMTP smuggling, and their kin. Every message goes over a real unix socket, in
// raw milter frames, because an orderly client refuses to send most of them.
//
// Three things here know nothing of the daemon's own code: the signer, which
// makes wrong signatures on purpose; the reader of Authentication-Results; and
// Displayed, a naive view of who a mail client may show as the author. Verdict.Problems
// holds a verdict against them: whoever is displayed and was not authenticated
// never gets dmarc=pass.
//
// Generate composes the same parts at random, for long runs against a daemon:
//
//	cases := hostile.Generate(rand.New(rand.NewPCG(1, 2)), 10_000, time.Now())
//	c, err := hostile.Dial("unix", path)      // the daemon asks a DNS that serves hostile.Zone()
//	v, err := c.Deliver(cases[0].Message)     // as many as you like over one connection
//	problems := cases[0].Problems(v)          // empty: the verdict is right
//
// A run in pieces calls Generate again with the same rng. The daemon is configured
// with authserv_id AuthservID; a second one with "policy: {rules: []}" shows the
// results of what the first one rejects.
//
// The names in this comment and the fields of Case, Message, Peer and Verdict
// are stable. A message's Peer is told to the daemon when it is not the one of
// the message before.
package hostile

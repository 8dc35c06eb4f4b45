// Package dkim signs messages and verifies their signatures: RFC 6376 with
// RFC 8301 (no SHA-1, key sizes), RFC 8463 (Ed25519) and RFC 8616
// (internationalised mail).
//
// Both ways a message streams by: the header section is given at the start, the
// body in chunks as it comes, and each distinct body hash is computed once for
// all signatures. Nothing of the body is kept.
//
// It deliberately knows no key files, no policy and no DMARC: what a result is
// worth is for others to say. A key in test mode (t=y) is reported as such and
// does not change the result: RFC 6376 §3.6.1 wants such mail treated like
// unsigned mail, which is the reader of Result.Testing's to do. rsa-sha1 is
// neither signed nor verified, l= never written.
package dkim

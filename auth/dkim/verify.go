package dkim

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/auth/internal/canon"
	"github.com/sealmilter/sealmilter/auth/internal/dkimsig"
	"github.com/sealmilter/sealmilter/auth/resolve"
)

const (
	// DefaultMaxSignatures is how many signatures of a message are verified.
	DefaultMaxSignatures = 8
	// MaxFuture is how far t= may lie ahead: clocks are set wrongly by an hour
	// or less, and a signature from next week was made by someone who plans.
	MaxFuture = time.Hour
	// maxRecords is how many TXT records of a selector are looked at.
	maxRecords = 10
)

// Verifier verifies the signatures of messages. It keeps nothing of a message
// and is safe for concurrent use.
type Verifier struct {
	Resolver resolve.Resolver
	// Now is the clock for t= and x=; nil is time.Now.
	Now func() time.Time
	// MaxSignatures bounds the work for a message; 0 is DefaultMaxSignatures.
	MaxSignatures int
}

// Verification is the verification of one message, from its header section to
// its results. It belongs to one goroutine; end it with Finish or Cancel.
type Verification struct {
	header  header.Fields
	index   dkimsig.Index
	items   []item
	rest    []int // places of the signatures beyond the limit
	bodies  canon.Bodies
	lookups *dkimsig.Lookups
	// spare is how many public-key operations are left over for selectors with
	// several keys: the message's limit less one for each signature.
	spare int
}

// item is one signature on its way.
type item struct {
	*signature
	err  error // from parsing: nothing more is done
	body *canon.Body
	// unacceptable is why the signature will not pass even if it verifies.
	unacceptable error
}

// Start reads the signatures in h, top field first, and begins to fetch their
// keys. ctx bounds the look-ups; h must not change before Finish. authorDomains
// (A-labels, lower case) say which signatures come first when there are more
// than the limit.
func (v *Verifier) Start(ctx context.Context, h header.Fields, authorDomains []string) *Verification {
	now, limit := time.Now, DefaultMaxSignatures
	if v.Now != nil {
		now = v.Now
	}
	if v.MaxSignatures > 0 {
		limit = v.MaxSignatures
	}
	chosen, rest := choose(h, authorDomains, limit)
	r := &Verification{header: h, rest: rest, lookups: dkimsig.NewLookups(ctx, v.Resolver), spare: limit - len(chosen)}
	if len(chosen) == 0 {
		return r
	}
	r.index = dkimsig.NewIndex(h)
	seen := shown(h)
	for _, place := range chosen {
		s, err := parseSignature(h[place], place)
		it := item{signature: s, err: err}
		if err == nil {
			it.err = s.expired(now())
		}
		if it.err == nil {
			it.unacceptable = cmp.Or(s.limited(), s.future(now()), duplicated(seen, s.names))
			it.body = r.bodies.Add(s.bodyCanon, s.limit)
			r.lookups.Start(s.keyName())
		}
		r.items = append(r.items, it)
	}
	return r
}

// Write takes the next chunk of the body as it stands on the wire (CRLF line
// ends, dots unstuffed), cut anywhere. It never fails.
func (r *Verification) Write(chunk []byte) (int, error) { return r.bodies.Write(chunk) }

// Finish ends the body and returns one Result a signature, top first, and one
// more for all those beyond the limit together. It waits for keys until ctx
// ends; a signature whose key is missing then is a TempError.
func (r *Verification) Finish(ctx context.Context) []Result {
	defer r.lookups.Stop()
	var out []Result
	for i := range r.items {
		out = append(out, r.finish(ctx, &r.items[i]))
	}
	if n := len(r.rest); n > 0 {
		err := fmt.Errorf("%w: %d of %d not verified", ErrTooMany, n, n+len(r.items))
		out = append(out, Result{Status: statusOf(err), Index: r.rest[0], Err: err})
	}
	return out
}

// Cancel ends the look-ups and waits for them. It may be called any number of
// times, also after Finish.
func (r *Verification) Cancel() { r.lookups.Stop() }

// finish does RFC 6376 §6.1.2 and §6.1.3. One step is out of order: a wrong
// body hash is known without the key, and no later attempt would mend it, so it
// is Fail and not TempError when the key is unavailable.
func (r *Verification) finish(ctx context.Context, it *item) Result {
	if it.err != nil {
		return it.result(it.err)
	}
	keys, seen, err := r.keys(ctx, it.signature)
	bodyErr := it.checkBody()
	switch {
	case err == nil && bodyErr == nil:
		seen, err = r.verify(it.signature, keys)
	case err == nil, errors.Is(err, ErrKeyUnavailable) && bodyErr != nil:
		err = bodyErr
	}
	// What verifies, or may do so when the key can be had, is judged by us.
	if st := statusOf(err); it.unacceptable != nil && (st == Pass || st == TempError) {
		err = it.unacceptable
	}
	res := it.result(err)
	if seen != nil {
		res.KeyBits, res.Testing = seen.Bits, seen.Testing
	}
	return res
}

// keys returns the usable records of the signature's selector, or why there is
// none, and the record to report. With several records RFC 6376 §3.6.2.2 calls
// the result undefined and §6.1.2 step 4 allows to cycle through them; OpenDKIM
// takes the first, whichever the DNS puts first today. We try each that is
// usable, so that the order does not matter.
func (r *Verification) keys(ctx context.Context, s *signature) (usable []*KeyRecord, seen *KeyRecord, err error) {
	records, err := r.lookups.Wait(ctx, s.keyName())
	if err != nil {
		return nil, nil, err
	}
	for _, txt := range records[:min(len(records), maxRecords)] {
		k, e := ParseKeyRecord(txt)
		if e == nil {
			e = suits(k, s)
		}
		switch {
		case e == nil:
			usable = append(usable, k)
		case err == nil || errors.Is(err, ErrKeySyntax): // a key that is one tells more than another's text
			err, seen = e, k
		}
	}
	if len(usable) > 0 {
		return usable, usable[0], nil
	}
	return nil, seen, err
}

// checkBody is RFC 6376 §6.1.3 step 3.
func (it *item) checkBody() error {
	sum := it.body.Sum()
	switch {
	case it.body.Short(): // §3.5 l=: must not be larger than the body
		return fmt.Errorf("%w: l= is larger than the body", ErrBodyHash)
	case !bytes.Equal(sum[:], it.bodyHash):
		return ErrBodyHash
	}
	return nil
}

// verify is RFC 6376 §6.1.3 step 4. It returns the key that
// verified, or the first one.
func (r *Verification) verify(s *signature, keys []*KeyRecord) (*KeyRecord, error) {
	hash := dkimsig.HeaderHash(r.header, r.index, s.names, s.headerCanon, s.field, s.index)
	for i, k := range keys {
		if i > 0 {
			if r.spare == 0 {
				break
			}
			r.spare--
		}
		if dkimsig.Verify(k, hash[:], s.sig) {
			return k, nil
		}
	}
	return keys[0], ErrSignature
}

// keyName is where the key is (RFC 6376 §3.6.2.1).
func (s *signature) keyName() string { return s.selector + "._domainkey." + s.domain }

// expired obeys x=, which §3.5 leaves to us.
func (s *signature) expired(now time.Time) error {
	if s.expires >= 0 && now.Unix() > s.expires {
		return fmt.Errorf("%w on %s", ErrExpired, time.Unix(s.expires, 0).UTC().Format(time.DateOnly))
	}
	return nil
}

// future judges t=, which §3.5 allows.
func (s *signature) future(now time.Time) error {
	if s.signed > now.Add(MaxFuture).Unix() {
		return fmt.Errorf("%w: t=%d", ErrFuture, s.signed)
	}
	return nil
}

// limited judges l= (RFC 6376 §8.2): anyone may have appended what the reader
// will see instead.
func (s *signature) limited() error {
	if s.limit >= 0 {
		return fmt.Errorf("%w: l=%d", ErrBodyLength, s.limit)
	}
	return nil
}

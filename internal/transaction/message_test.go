package transaction

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/policy"
)

func outside() Offer {
	return Offer{
		Hints: Hints{Client: Client{Family: '4', IP: netip.MustParseAddr("192.0.2.1"), Port: 25000, Name: "out.sender.example"}},
		Helo:  "out.sender.example", MailFrom: "a@sender.example",
	}
}

// TestDecisionOfEachDirection: what has no meaning for a direction is empty.
func TestDecisionOfEachDirection(t *testing.T) {
	set := newSetup(t)
	in := Begin(t.Context(), set, outside())
	in.Recipient("box@good.example")
	in.Field("From", " a@sender.example", true)
	in.Body([]byte("x\r\n"))
	d := in.Finish("4Q")
	in.Close()
	if d.Direction != auth.Inbound || d.Reason != "from outside" || d.Results.SPF.Status != "pass" || d.Results.DMARC.Status != "pass" || d.Verdict.Action != policy.Accept {
		t.Errorf("%+v", d)
	}
	if d.Signed != nil || d.Unsigned != (Unsigned{}) || d.Risks != nil || d.Reply != nil || d.Err != nil {
		t.Errorf("inbound: %+v", d)
	}
	e := d.Envelope
	if e.QueueID != "4Q" || e.MailFrom != "a@sender.example" || !slices.Equal(e.Recipients, []string{"box@good.example"}) || e.Size != int64(len("From: a@sender.example\r\n\r\nx\r\n")) || d.Start.IsZero() || d.Duration <= 0 {
		t.Errorf("%+v", d)
	}

	out := Begin(t.Context(), set, Offer{Hints: ours, MailFrom: "a@good.example"})
	out.Field("From", "a@good.example", false)
	out.Body([]byte(strings.Repeat("x", 2000) + "\r\n"))
	d = out.Finish("")
	out.Close()
	if d.Results.SPF != nil || d.Results.DKIMRan || d.Results.Author.Domain() != "good.example" || len(d.Signed) != 2 || !d.Envelope.Signed {
		t.Errorf("outbound: %+v", d)
	}
	if len(d.Edits) != 2 || d.Edits[1].Name != "DKIM-Signature" || !slices.Equal(d.Risks, []string{"a body line of 2000 bytes, where the MTA cuts after 998"}) {
		t.Errorf("%+v %q", d.Edits, d.Risks)
	}
}

// TestCheckedAndSealed: nothing keeps a message from both, as a forwarder's ARC
// seal needs. The results stand above the signatures.
func TestCheckedAndSealed(t *testing.T) {
	m := Begin(t.Context(), newSetup(t), outside())
	defer m.Close()
	m.Field("From", " a@good.example", true)
	m.EndOfHeader()
	m.seal = m.startSeal()
	m.Body([]byte("x\r\n"))
	d := m.Finish("")
	if d.Results.SPF == nil || d.Results.DMARC == nil || len(d.Signed) != 2 || d.Err != nil {
		t.Fatalf("%+v", d)
	}
	var names []string
	for _, e := range d.Edits {
		names = append(names, e.Name)
	}
	if !slices.Equal(names, []string{"DKIM-Signature", "DKIM-Signature", "Authentication-Results"}) {
		t.Error(names)
	}
}

// TestWhyUnsigned: each reason is of a kind that is counted, with its text.
func TestWhyUnsigned(t *testing.T) {
	for name, c := range map[string]struct {
		fields  []string
		offer   Offer
		why     Why
		text    string
		warn    bool
		problem error
	}{
		"a program hands back": {
			[]string{"Authentication-Results: mail.good.example; dmarc=fail header.from=good.example", "From: a@good.example"},
			Offer{Hints: Hints{Client: Client{Family: 'L'}}}, Reinjection, "re-injected: our own results say dmarc=fail", false, nil},
		"too large":         {[]string{"From: a@good.example", "X: " + strings.Repeat("x", 128<<10)}, Offer{Hints: ours}, OverLimit, "a header field of more than 131072 bytes", true, nil},
		"nobody":            {[]string{"From: root"}, Offer{Hints: ours}, NoAuthorDomain, "no author domain: ", false, nil},
		"hidden":            {nil, Offer{Hints: ours, MTA: MTA{HidesFirst: true}}, NoAuthorDomain, "which this Postfix hides", true, nil},
		"no From":           {nil, Offer{Hints: ours}, NoAuthorDomain, "no From field", false, nil},
		"nothing is hidden": {[]string{"From: root"}, Offer{Hints: ours, MTA: MTA{HidesFirst: true}}, NoAuthorDomain, "no address in the From field", false, nil},
		"readers differ":    {[]string{"From: <ceo@good.example> <eve@tenant.example>"}, Offer{Hints: ours}, NotListed, "readers differ", false, nil},
		"no key":            {[]string{"From: a@keyless.example"}, Offer{Hints: ours}, NoKey, "keys new keyless.example", true, nil},
		"not of ours":       {[]string{"From: a@other.example"}, Offer{Hints: ours}, NotListed, "other.example", false, nil},
		"a broken key":      {[]string{"From: a@good.example"}, Offer{Hints: ours}, SignError, "", false, keys.ErrBroken},
		"signed after all":  {[]string{"From: a@good.example"}, Offer{Hints: ours}, "", "", false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			set := newSetup(t)
			if c.problem != nil {
				set.Keys = broken{c.problem}
			}
			m := Begin(t.Context(), set, c.offer)
			defer m.Close()
			for _, f := range c.fields {
				n, v, _ := strings.Cut(f, ":")
				m.Field(n, v, true)
			}
			d := m.Finish("")
			u := d.Unsigned
			if u.Why != c.why || !strings.Contains(u.Text, c.text) || u.Warn != c.warn || (len(d.Signed) > 0) != (c.why == "") {
				t.Errorf("%+v, signed %v", u, d.Signed)
			}
			if (d.Err != nil) != (c.problem != nil) || c.problem != nil && (d.Reply != &InternalError || !errors.Is(d.Err, c.problem) || d.Action() != policy.Tempfail) {
				t.Errorf("%v %v", d.Err, d.Reply)
			}
		})
	}
}

// TestRisksOfWhatIsSent: of a message that is not sent nothing is at risk.
func TestRisksOfWhatIsSent(t *testing.T) {
	for action, risks := range map[policy.Action]int{policy.Accept: 1, policy.Discard: 0, policy.Reject: 0} {
		set := newSetup(t)
		set.Policy = deciding(action)
		m := Begin(t.Context(), set, Offer{Hints: ours})
		m.Field("From", " a@good.example", true)
		m.Body([]byte("\xff\r\n"))
		if d := m.Finish(""); len(d.Risks) != risks || len(d.Signed) == 0 {
			t.Errorf("%s: %q, %q", action, d.Risks, d.Signed)
		}
		m.Close()
	}
}

type deciding policy.Action

func (d deciding) Decide(policy.Input) policy.Verdict {
	return policy.Verdict{Action: policy.Action(d), Rule: "mine", Reply: policy.Reply{Code: 550, Enhanced: "5.7.1", Text: "no"}}
}

type broken struct{ err error }

func (b broken) PickTrial(string) ([]*keys.Key, string, error) { return nil, "", b.err }
func (b broken) Pick(string) ([]*keys.Key, string, error)      { return nil, "", b.err }

// TestObserverCannotSpoilAMessage: whatever it does, the decision stands.
func TestObserverCannotSpoilAMessage(t *testing.T) {
	set := newSetup(t)
	set.Observer = rude{}
	set.Policy = panicking{}
	m := Begin(t.Context(), set, outside())
	defer m.Close()
	d := m.Finish("")
	m.Tell(d)
	if d.Reply != &InternalError || d.Err == nil || !strings.Contains(d.Err.Error(), "panic: no policy") || d.Edits != nil {
		t.Errorf("%+v", d)
	}
}

type rude struct{}

func (rude) Decided(*Decision) { panic("decided") }
func (rude) Panicked(string)   { panic("panicked") }

type panicking struct{}

func (panicking) Decide(policy.Input) policy.Verdict { panic("no policy") }

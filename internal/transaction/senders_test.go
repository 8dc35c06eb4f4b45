package transaction

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/auth/header"
	"github.com/sealmilter/sealmilter/internal/signing"
	"github.com/sealmilter/sealmilter/keys"
	"github.com/sealmilter/sealmilter/policy"
)

// tenants signs for three domains, and below them, with one key.
type tenants struct{ key []*keys.Key }

func (s tenants) Pick(domain string) ([]*keys.Key, string, error) {
	for _, t := range []string{"a.example", "b.example", "xn--bcher-kva.example"} {
		if domain == t || strings.HasSuffix(domain, "."+t) {
			return s.key, t, nil
		}
	}
	return nil, "", fmt.Errorf("%w: %s", keys.ErrNotListed, domain)
}

// PickTrial is Pick: its records are never asked for.
func (s tenants) PickTrial(domain string) ([]*keys.Key, string, error) { return s.Pick(domain) }

// aliases is a directory.
type aliases map[string][]string

func (d aliases) Addresses(_ context.Context, user string) (*signing.Addresses, error) {
	if rows, ok := d[user]; ok {
		a, _ := signing.ReadAddresses(rows)
		return a, nil
	}
	return nil, nil
}

// silent is a directory that does not answer, with its error or, nil, until the
// message is over.
type silent struct{ err error }

func (d silent) Addresses(ctx context.Context, _ string) (*signing.Addresses, error) {
	if d.err == nil {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return nil, d.err
}

type explosive struct{}

func (explosive) Addresses(context.Context, string) (*signing.Addresses, error) { panic("directory") }

func senderRule(t testing.TB, user, client string, local bool, from ...string) signing.Rule {
	t.Helper()
	r := signing.Rule{Local: local}
	var err error
	if user != "" {
		if r.User, err = signing.ParseUserPattern(user); err != nil {
			t.Fatal(err)
		}
	}
	if client != "" {
		r.Client = netip.MustParsePrefix(client)
	}
	for _, s := range from {
		p, err := signing.ParsePattern(s)
		if err != nil {
			t.Fatal(err)
		}
		r.From = append(r.From, p)
	}
	return r
}

// tenantSetup is three tenants: a's users have their addresses and boss all of the
// domain, b's have aliases in a database, and of bücher's the names have no domain.
func tenantSetup(t testing.TB, action signing.Action) *Setup {
	set := newSetup(t)
	store, err := madeKeys()
	if err != nil {
		t.Fatal(err)
	}
	picked, _, err := store.Pick("good.example")
	if err != nil {
		t.Fatal(err)
	}
	set.Keys = tenants{picked}
	set.Senders = &Senders{
		OnMismatch: action,
		Rules: signing.Compile([]signing.Rule{
			senderRule(t, "*", "", false, "{user}", "{user}@bücher.example"),
			senderRule(t, "boss@a.example", "", false, "@a.example", "@*.a.example"),
			senderRule(t, "", "192.168.5.0/24", false, "@b.example"),
			senderRule(t, "", "", true, "@a.example"),
		}),
		Directory: aliases{"lee@b.example": {"sales@b.example"}, "kim@b.example": {"info@b.example"}},
	}
	return set
}

func fieldsOf(text string) (h header.Fields) {
	for line := range strings.SplitSeq(text, "\n") {
		name, value, _ := strings.Cut(line, ":")
		h = append(h, header.Field{Name: name, Value: strings.ReplaceAll(value, "|", "\r\n")})
	}
	return h
}

func sendAs(t testing.TB, set *Setup, h Hints, fields header.Fields) *Decision {
	t.Helper()
	return sendFrom(t, set, h, "bounces@z.example", fields)
}

func sendFrom(t testing.TB, set *Setup, h Hints, mailFrom string, fields header.Fields) *Decision {
	t.Helper()
	m := Begin(t.Context(), set, Offer{Hints: h, MailFrom: mailFrom, MTA: MTA{Name: "mail.a.example", Sendmail: set.MTA == "sendmail"}})
	defer m.Close()
	m.Authenticate()
	for _, f := range fields {
		m.Field(f.Name, f.Value, true)
	}
	m.Body([]byte("text\r\n"))
	return m.Finish("Q1")
}

var sdid = regexp.MustCompile(`\bd=([^;]+);`)

// signedFor are the domains whose signatures a message gets.
func signedFor(d *Decision) (all []string) {
	for _, e := range d.Edits {
		if e.Name == "DKIM-Signature" && d.Reply == nil {
			all = append(all, sdid.FindStringSubmatch(strings.ReplaceAll(e.Value, "\r\n", ""))[1])
		}
	}
	return all
}

// spoofs are header sections in which somebody who may write as ME shows YOU.
var spoofs = []string{
	"From: YOU",
	"From: <YOU>",
	"From: Kim <YOU>",
	"From: YOU (ME)",
	`From: "ME" <YOU>`,
	"From: ME <YOU>",
	"From: <ME> <YOU>",
	"From: YOU <ME>",
	"From: <YOU> ME",
	"From: ME (<YOU>)",
	"From: ME, YOU",
	"From: YOU, ME",
	"From: Kim <ME>, Lee <YOU>",
	"From: board: YOU, ME;",
	"From: board: ME, YOU;",
	"From: board: ME;, YOU",
	"From: <@YOUDOMAIN:ME>",
	"From: <@MYDOMAIN:YOU>",
	"From: =?utf-8?q?=3CYOUQP=3E?= <ME>",
	"From: =?utf-8?q?=3CYOUQP=3E=2C?= ME",
	`From: "x"@YOUDOMAIN`,
	`From: "ME"@YOUDOMAIN`,
	"From: x(ME)@YOUDOMAIN",
	"From: x @ YOUDOMAIN",
	"From: x@|YOUDOMAIN",
	"From: YOU.",
	"From: UPPER",
	"From: x@news.YOUDOMAIN",
	"From: x@www.news.YOUDOMAIN, ME",
	"From: ME\nSender: YOU",
	"From: ME\nSENDER : YOU",
	"From: ME\nSender: ME\nSender: YOU",
	"From: ME\nSender: ME, YOU",
	"From: ME\nSender: =?utf-8?q?=3CYOUQP=3E?= <ME>",
	"Sender: ME\nFrom: YOU",
	"From: ME\nFrom: YOU",
	"From: YOU\nFrom: ME",
	"From: ME\nFrom\u200b: YOU",
	"From: ME\nSubject: x\rFrom: YOU",
	"From: ME\nSubject: x\rSender: YOU",
	"From: ME\x00, YOU",
	"From: ME;YOU",
	"From: ME YOU",
	"From: MEYOU",
	"From: ME@YOUDOMAIN",
	"From: YOU@MYDOMAIN",
	"From: ME\nSender: YOU\x01",
}

// TestNobodySignsForOthers: three tenants with three users each, and every way to
// put another domain into a message: nothing that leaves has a signature of a
// domain that its user has nothing of.
func TestNobodySignsForOthers(t *testing.T) {
	users := map[string][]string{ // and whom they may be
		"a.example":             {"kim@a.example", "lee@a.example", "boss@a.example"},
		"b.example":             {"kim@b.example", "lee@b.example", "KIM@B.example."},
		"xn--bcher-kva.example": {"kim", "lee", "boss"},
	}
	upper := strings.ToUpper
	qp := strings.NewReplacer("@", "=40", ".", "=2E")
	n, defused := 0, map[string]bool{}
	for _, action := range []signing.Action{signing.SignNot, signing.Reject} {
		for _, mta := range []string{"postfix", "sendmail"} {
			set := tenantSetup(t, action)
			set.MTA = mta
			for mine, logins := range users {
				for _, login := range logins {
					me, _, _ := strings.Cut(strings.ToLower(login), "@")
					me += "@" + mine
					h := Hints{AuthUser: login, Client: Client{Family: '4', IP: netip.MustParseAddr("127.0.0.1"), Port: 1}}
					for _, from := range []string{"From: " + me, "From: Kim <" + upper(me) + ">", `From: "ceo@z.example" <` + me + ">", "From: 'x' <" + me + ">\nSender: " + me} {
						if d := sendAs(t, set, h, fieldsOf(from)); !slices.Equal(signedFor(d), []string{mine}) && len(signedFor(d)) != 2 || d.Reply != nil {
							t.Errorf("%s %s: %q: signed %q, %+v, %v", mta, login, from, signedFor(d), d.Unsigned, d.Reply)
						}
					}
					for other := range users {
						if other == mine {
							continue
						}
						for _, you := range []string{"kim@" + other, "x@" + other} {
							r := strings.NewReplacer("YOUDOMAIN", other, "MYDOMAIN", mine, "YOUQP", qp.Replace(you), "YOU", you, "ME", me, "UPPER", upper(you))
							for _, s := range spoofs {
								n++
								text := r.Replace(s)
								d := sendAs(t, set, h, fieldsOf(text))
								got := signedFor(d)
								if mta == "sendmail" && slices.Equal(slices.Compact(got), []string{mine}) {
									defused[s] = true // its form of From leaves a mere name of it
									continue
								}
								if len(got) > 0 {
									t.Errorf("%s %s: %q is signed for %q", mta, login, text, got)
								}
								if d.Err != nil || (d.Unsigned.Why == "") {
									t.Errorf("%s %s: %q: %v %+v", mta, login, text, d.Err, d.Unsigned)
								}
								if action == signing.Reject && (d.Reply == nil || d.Reply.Code != 550 || d.Reply.Enhanced != "5.7.1" || len(d.Reply.Text) > 400) {
									t.Errorf("%s %s: %q: %+v", mta, login, text, d.Reply)
								}
								if action == signing.SignNot && d.Reply != nil {
									t.Errorf("%s %s: %q: %+v", mta, login, text, d.Reply)
								}
							}
						}
					}
				}
			}
		}
	}
	if n < 3000 || len(defused) != 2 {
		t.Errorf("%d messages, defused %v", n, defused)
	}
}

// TestSenders: what each principal may, and what becomes of what it may not.
func TestSenders(t *testing.T) {
	const addr4 = "192.0.2.1"
	user := func(name string) Hints {
		return Hints{AuthUser: name, Client: Client{Family: '4', IP: netip.MustParseAddr(addr4), Port: 1}}
	}
	client := func(ip string) Hints {
		return Hints{Listener: auth.Outbound, Client: Client{Family: '4', IP: netip.MustParseAddr(ip), Port: 1}}
	}
	local := client("127.0.0.1")
	for name, c := range map[string]struct {
		who    Hints
		fields string
		action signing.Action
		dir    Directory
		signed string
		why    Why
		reply  string
		text   string // in the mismatch, the reason of the verdict, or why it is unsigned
	}{
		"his own":                       {user("kim@a.example"), "From: kim@a.example", signing.Reject, nil, "a.example", "", "", ""},
		"logged":                        {user("kim@a.example"), "From: x@b.example", signing.Log, nil, "b.example", "", "", "user kim@a.example may not write as x@b.example (From)"},
		"not signed":                    {user("kim@a.example"), "From: x@b.example", signing.SignNot, nil, "", Sender, "", "user kim@a.example may not write as x@b.example (From)"},
		"refused":                       {user("kim@a.example"), "From: x@b.example", signing.Reject, nil, "", Sender, "550 5.7.1 this login may not send as x@b.example (From)", "user kim@a.example may"},
		"a colleague":                   {user("kim@a.example"), "From: lee@a.example", signing.SignNot, nil, "", Sender, "", "lee@a.example"},
		"the boss":                      {user("boss@a.example"), "From: any@news.a.example", signing.SignNot, nil, "a.example", "", "", ""},
		"a tag":                         {user("kim@a.example"), "From: kim+x@a.example", signing.SignNot, nil, "", Sender, "", "kim+x@a.example"},
		"Sender":                        {user("kim@a.example"), "From: kim@a.example\nSender: x@b.example", signing.Reject, nil, "", Sender, "550 5.7.1 this login may not send as x@b.example (Sender)", ""},
		"an alias":                      {user("lee@b.example"), "From: sales@b.example", signing.Reject, nil, "b.example", "", "", ""},
		"another's alias":               {user("kim@b.example"), "From: sales@b.example", signing.Reject, nil, "", Sender, "550 5.7.1 this login may not send as sales@b.example (From)", ""},
		"a domain that is nobody's":     {user("kim@a.example"), "From: x@else.example", signing.SignNot, nil, "", NotListed, "", "not a domain that we sign for"},
		"the same, refused":             {user("kim@a.example"), "From: x@else.example", signing.Reject, nil, "", Sender, "550 5.7.1 this login may not send as x@else.example (From)", ""},
		"nobody's address":              {user("kim@a.example"), "From: root (Cron Daemon)", signing.Reject, nil, "", NoAuthorDomain, "", ""},
		"no From":                       {user("kim@a.example"), "Subject: x", signing.Reject, nil, "", NoAuthorDomain, "", ""},
		"no From, another's Sender":     {user("kim@a.example"), "Sender: x@b.example", signing.Reject, nil, "", Sender, "550 5.7.1 this login may not send as x@b.example (Sender)", ""},
		"two From":                      {user("kim@a.example"), "From: kim@a.example\nFrom: kim@a.example", signing.Reject, nil, "", Sender, "550 5.7.1 whom this message is from cannot be told: 2 From fields", ""},
		"two From, not signed":          {user("kim@a.example"), "From: kim@a.example\nFrom: kim@a.example", signing.SignNot, nil, "", NoAuthorDomain, "", ""},
		"two From of a program":         {local, "From: x@b.example\nFrom: x@b.example", signing.Reject, nil, "", NoAuthorDomain, "", ""},
		"hostile text":                  {user("kim%s\x7f\xff@a.example"), "From: \"%n\xff\"@b.example", signing.Reject, nil, "", Sender, "550 5.7.1 this login may not send as \"%n?\"@b.example (From)", "user kim%s??@a.example may"},
		"a program":                     {local, "From: any@a.example", signing.Reject, nil, "a.example", "", "", ""},
		"a program as another tenant":   {local, "From: any@b.example", signing.Reject, nil, "", Sender, "550 5.7.1 a program of this host may not send as any@b.example (From)", "a program of this host may not write"},
		"cron":                          {local, "From: root@mail.host.example", signing.Reject, nil, "", NotListed, "", ""},
		"cron, logged":                  {local, "From: root@mail.host.example", signing.Log, nil, "", NotListed, "", ""},
		"a client":                      {client("192.168.5.9"), "From: any@b.example", signing.Reject, nil, "b.example", "", "", ""},
		"a client as another tenant":    {client("192.168.5.9"), "From: any@a.example", signing.Reject, nil, "", Sender, "550 5.7.1 this client may not send as any@a.example (From)", "client 192.168.5.9 may not"},
		"a client of whom no rule says": {client(addr4), "From: any@a.example", signing.SignNot, nil, "", Sender, "", "client 192.0.2.1 may not"},
		"a web mailer's user":           {Hints{AuthUser: "eve@b.example", Client: local.Client}, "From: any@a.example", signing.Reject, nil, "", Sender, "550 5.7.1 this login may not send as any@a.example (From)", ""},
		"re-injected":                   {local, "Received: from o.example (o.example [192.0.2.9]) by a.example; x\nFrom: x@b.example", signing.Reject, nil, "", Reinjection, "", ""},
		"no database, and no need":      {user("kim@a.example"), "From: kim@a.example", signing.Reject, silent{nil}, "a.example", "", "", ""},
		"no database":                   {user("lee@b.example"), "From: sales@b.example", signing.Reject, silent{errors.New("down\r\n")}, "", Sender, "451 4.4.3 whom this login may send as cannot be told at the moment, try again later", "whether user lee@b.example may write as sales@b.example (From) cannot be told: down??"},
		"no database, not signed":       {user("lee@b.example"), "From: sales@b.example", signing.SignNot, silent{errors.New("down")}, "", Sender, "451 4.4.3 whom this login may send as cannot be told at the moment, try again later", "down"},
		"no database, logged":           {user("lee@b.example"), "From: sales@b.example", signing.Log, silent{errors.New("down")}, "b.example", "", "", "cannot be told: down"},
		"no database, nothing to sign":  {user("lee@b.example"), "From: x@else.example", signing.SignNot, silent{errors.New("down")}, "", NotListed, "", ""},
		"the directory panics":          {user("lee@b.example"), "From: sales@b.example", signing.Reject, explosive{}, "", Sender, "451 4.4.3 whom this login may send as cannot be told at the moment, try again later", "panic: directory"},
	} {
		t.Run(name, func(t *testing.T) {
			set := tenantSetup(t, c.action)
			if c.dir != nil {
				set.Senders.Directory = c.dir
			}
			d := sendAs(t, set, c.who, fieldsOf(c.fields))
			got := slices.Compact(signedFor(d))
			reply := ""
			if d.Reply != nil {
				reply = fmt.Sprintf("%d %s %s", d.Reply.Code, d.Reply.Enhanced, d.Reply.Text)
			}
			if strings.Join(got, " ") != c.signed || d.Unsigned.Why != c.why || reply != c.reply || d.Err != nil {
				t.Errorf("signed %q, unsigned %+v, reply %q, %v", got, d.Unsigned, reply, d.Err)
			}
			text := d.Mismatch + d.Unsigned.Text
			if d.Verdict.Rule == "sender" {
				text += d.Verdict.Reason
			}
			if !strings.Contains(text, c.text) || c.action == signing.Log && (d.Mismatch == "") != (c.text == "") || c.text == "" && d.Mismatch != "" {
				t.Errorf("it says %q", text)
			}
			if want := policy.Action(""); c.reply != "" {
				if want = policy.Reject; strings.HasPrefix(c.reply, "451") {
					want = policy.Tempfail
				}
				if d.Action() != want || len(d.Signed) > 0 {
					t.Errorf("%s, signed %q", d.Action(), d.Signed)
				}
			}
		})
	}
}

// TestBouncesAreNotRefused: what the MTA reports is not lost, and not signed where
// no rule allows it. A user has nothing of that.
func TestBouncesAreNotRefused(t *testing.T) {
	set := tenantSetup(t, signing.Reject)
	fields := fieldsOf("From: MAILER-DAEMON@b.example")
	local := Hints{Client: Client{Family: '4', IP: netip.MustParseAddr("127.0.0.1")}}
	if d := sendFrom(t, set, local, "", fields); d.Reply != nil || len(signedFor(d)) > 0 || d.Unsigned.Why != Sender || d.Unsigned.Text == "" {
		t.Errorf("%+v %+v", d.Reply, d.Unsigned)
	}
	local.AuthUser = "kim@a.example"
	if d := sendFrom(t, set, local, "", fields); d.Reply == nil || d.Reply.Code != 550 {
		t.Errorf("of a user: %+v", d.Reply)
	}
}

// TestSendersOverLimit: of a message that was not read as a whole nobody can tell
// whom it is from.
func TestSendersOverLimit(t *testing.T) {
	for action, reply := range map[signing.Action]bool{signing.SignNot: false, signing.Reject: true} {
		set := tenantSetup(t, action)
		set.Limits.HeaderFields = 2
		d := sendAs(t, set, Hints{AuthUser: "kim@a.example"}, fieldsOf("From: kim@a.example\nTo: x\nTo: x\nSender: x@b.example"))
		if len(signedFor(d)) > 0 || (d.Reply != nil) != reply {
			t.Errorf("%s: %v %+v", action, d.Reply, d.Unsigned)
		}
	}
}

// TestDirectoryEndsWithTheMessage: what is asked ends when the message does, and
// when its connection does.
func TestDirectoryEndsWithTheMessage(t *testing.T) {
	set := tenantSetup(t, signing.Reject)
	ended := make(chan error, 3)
	set.Senders.Directory = watched{ended}
	m := Begin(t.Context(), set, Offer{Hints: Hints{AuthUser: "kim@a.example"}})
	m.Authenticate()
	m.Authenticate() // asks once
	m.Close()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended by itself: %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	m = Begin(ctx, set, Offer{Hints: Hints{AuthUser: "kim@a.example"}})
	defer m.Close()
	m.Field("From", " x@b.example", true)
	m.EndOfHeader()
	cancel()
	if d := m.Finish(""); d.Reply == nil || d.Reply.Code != 451 {
		t.Errorf("%+v", d.Reply)
	}
	<-ended
	if len(ended) > 0 {
		t.Error("asked more than once")
	}
}

// TestDirectoryThatDoesNotListen: nobody waits for it when the connection ends.
func TestDirectoryThatDoesNotListen(t *testing.T) {
	set := tenantSetup(t, signing.Reject)
	deaf := deaf(make(chan struct{}))
	defer close(deaf)
	set.Senders.Directory = deaf
	ctx, cancel := context.WithCancel(t.Context())
	m := Begin(ctx, set, Offer{Hints: Hints{AuthUser: "kim@a.example"}})
	defer m.Close()
	m.Field("From", " x@b.example", true)
	m.EndOfHeader()
	cancel()
	if d := m.Finish(""); d.Reply == nil || d.Reply.Code != 451 {
		t.Errorf("%+v", d.Reply)
	}
}

type deaf chan struct{}

func (d deaf) Addresses(context.Context, string) (*signing.Addresses, error) {
	<-d
	return nil, nil
}

type watched struct{ ended chan error }

func (w watched) Addresses(ctx context.Context, _ string) (*signing.Addresses, error) {
	<-ctx.Done()
	w.ended <- ctx.Err()
	return nil, ctx.Err()
}

package directory

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/internal/signing"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// office is a database with a clock, and a cache before it.
type office struct {
	Cache
	mu    sync.Mutex
	clock time.Time
	rows  map[string][]string
	err   error
	asked []string
	told  []string
}

func newOffice() *office {
	o := &office{clock: time.Unix(1e9, 0), rows: map[string][]string{"kim@x.example": {"sales@x.example"}}}
	o.Now = func() time.Time { o.mu.Lock(); defer o.mu.Unlock(); return o.clock }
	o.Ask = func(_ context.Context, user string) ([]string, error) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.asked = append(o.asked, user)
		return o.rows[user], o.err
	}
	o.Failed = func(err error) { o.mu.Lock(); defer o.mu.Unlock(); o.told = append(o.told, err.Error()) }
	o.Bad = func(user string, rows []string) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.told = append(o.told, fmt.Sprintf("%s %q", user, rows))
	}
	return o
}

func (o *office) later(d time.Duration) { o.mu.Lock(); defer o.mu.Unlock(); o.clock = o.clock.Add(d) }
func (o *office) set(err error, kim ...string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rows["kim@x.example"], o.err = kim, err
}

// said waits until n things were told, which happens behind the answers.
func (o *office) said(n int) []string {
	for {
		o.mu.Lock()
		told := slices.Clone(o.told)
		o.mu.Unlock()
		if len(told) >= n {
			return told
		}
		runtime.Gosched()
	}
}

// may reports what the cache says about an address of kim's: "yes", "no", or the error.
func (o *office) may(t *testing.T, address string) string {
	t.Helper()
	more, err := o.Addresses(t.Context(), "Kim@X.example")
	if err != nil {
		return err.Error()
	}
	at := strings.LastIndexByte(address, '@')
	if _, ok := signing.Compile(nil).Denied(signing.Principal{User: "kim@x.example"}, more, []auth.Address{{Local: address[:at], Domain: address[at+1:]}}); ok {
		return "yes"
	}
	return "no"
}

// TestAnswersServe: an answer for a minute, the last one for an hour where the
// database fails, a failure for five seconds.
func TestAnswersServe(t *testing.T) {
	o := newOffice()
	step := func(name, want string, asked int) {
		t.Helper()
		if got := o.may(t, "sales@x.example"); got != want || len(o.asked) != asked {
			t.Errorf("%s: %s, asked %d times; want %s, %d", name, got, len(o.asked), want, asked)
		}
	}
	step("first", "yes", 1)
	o.later(fresh - 1)
	o.set(nil)
	step("fresh", "yes", 1)
	o.later(1)
	step("old", "no", 2)
	o.set(errors.New("down"))
	o.later(fresh)
	step("the last answer", "no", 3)
	o.set(nil, "sales@x.example")
	o.later(retry - 1)
	step("a failure serves", "no", 3)
	o.later(1)
	step("again", "yes", 4)
	o.set(errors.New("down"))
	o.later(stale - 1)
	step("an hour", "yes", 5)
	o.later(retry)
	step("over an hour", "down", 6)
	step("a failure serves still", "down", 6)
	if got := strings.Join(o.said(3), " "); got != "down down down" {
		t.Errorf("told %q", got)
	}
	if !slices.Equal(slices.Compact(o.asked), []string{"kim@x.example"}) {
		t.Errorf("asked for %q", o.asked)
	}
}

// TestNobody: names that are none are not asked for.
func TestNobody(t *testing.T) {
	o := newOffice()
	for _, user := range []string{"", "a\x00b", strings.Repeat("a", 2000)} {
		if more, err := o.Addresses(t.Context(), user); more != nil || err != nil {
			t.Errorf("%q: %v %v", user, more, err)
		}
	}
	if len(o.asked) > 0 {
		t.Errorf("asked for %q", o.asked)
	}
}

// TestBadRows are told once, and the others count.
func TestBadRows(t *testing.T) {
	o := newOffice()
	o.set(nil, "nonsense", "sales@x.example")
	for range 3 {
		if got := o.may(t, "sales@x.example"); got != "yes" {
			t.Error(got)
		}
		o.later(fresh)
	}
	o.said(1)
	o.set(nil, "other nonsense") // told behind all that was told before
	o.may(t, "sales@x.example")
	if told := o.said(2); len(told) != 2 || told[0] != `kim@x.example ["nonsense"]` || told[1] != `kim@x.example ["other nonsense"]` {
		t.Errorf("told %q", told)
	}
}

// slow is a database that answers when it is told to.
func slow(c *Cache) (asked chan string, answer chan []string, ended chan error) {
	asked, answer, ended = make(chan string), make(chan []string), make(chan error, 9)
	c.Ask = func(ctx context.Context, user string) ([]string, error) {
		asked <- user
		select {
		case rows := <-answer:
			return rows, nil
		case <-ctx.Done():
			ended <- ctx.Err()
			return nil, ctx.Err()
		}
	}
	return asked, answer, ended
}

// TestOneFlight: many who ask for a user at once are one question, and each may go
// without ending it for the others.
func TestOneFlight(t *testing.T) {
	var c Cache
	asked, answer, ended := slow(&c)
	impatient, leave := context.WithCancel(t.Context())
	got := make(chan error)
	go func() {
		_, err := c.Addresses(impatient, "kim@x.example")
		got <- err
	}()
	<-asked
	const many = 20
	for range many {
		go func() {
			more, err := c.Addresses(t.Context(), "kim@x.example")
			if err == nil && more.Len() != 1 {
				err = errors.New("no address")
			}
			got <- err
		}()
	}
	for c.waiting("kim@x.example") < many+1 {
		runtime.Gosched()
	}
	leave()
	if err := <-got; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	answer <- []string{"sales@x.example"}
	for range many {
		if err := <-got; err != nil {
			t.Error(err)
		}
	}
	if len(ended) > 0 {
		t.Error("ended")
	}
}

func (c *Cache) waiting(user string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.users[user]; e != nil && e.flight != nil {
		return e.flight.waiting
	}
	return 0
}

// TestLastOneEndsIt: a look-up ends with the last who waits, and counts as no
// failure of the database; who comes then has a new one.
func TestLastOneEndsIt(t *testing.T) {
	var c Cache
	c.Failed = func(err error) { t.Error(err) }
	asked, answer, ended := slow(&c)
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan error)
	ask := func(ctx context.Context) {
		_, err := c.Addresses(ctx, "kim@x.example")
		got <- err
	}
	go ask(ctx)
	<-asked
	cancel()
	if err := <-got; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended by itself: %v", err)
	}
	go ask(t.Context())
	<-asked
	answer <- nil
	if err := <-got; err != nil {
		t.Error(err)
	}
}

// TestDeafDatabase: one that goes on after everybody left keeps nobody waiting, and
// what it says then is not counted for a user who was forgotten meanwhile.
func TestDeafDatabase(t *testing.T) {
	var c Cache
	asked, release, over := make(chan string, 2), make(chan []string), make(chan struct{})
	c.Bad = func(string, []string) { close(over) }
	c.Ask = func(_ context.Context, user string) ([]string, error) {
		if user != "kim@x.example" {
			return nil, nil
		}
		asked <- user
		return <-release, nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Addresses(ctx, "kim@x.example"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	<-asked
	got := make(chan error)
	ctx, cancel = context.WithCancel(t.Context())
	go func() {
		_, err := c.Addresses(ctx, "kim@x.example")
		got <- err
	}()
	<-asked // again, beside the first
	cancel()
	<-got
	for i := range maxUsers {
		if _, err := c.Addresses(t.Context(), fmt.Sprintf("u%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if c.users["kim@x.example"] != nil {
		t.Fatal("not forgotten")
	}
	release <- []string{"a@x.example", "b@x.example", "nonsense"}
	<-over
	release <- nil
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.addresses != maxUsers {
		t.Errorf("%d addresses of %d users", c.addresses, len(c.users))
	}
}

// TestPanic: one in a look-up is its error.
func TestPanic(t *testing.T) {
	c := Cache{Ask: func(context.Context, string) ([]string, error) { panic("x") }}
	if _, err := c.Addresses(t.Context(), "kim"); !errors.Is(err, ErrPanic) {
		t.Error(err)
	}
}

// TestBounds: users and addresses are forgotten, the last used last.
func TestBounds(t *testing.T) {
	o := newOffice()
	for i := range maxUsers + 500 {
		if i%100 == 0 {
			o.may(t, "sales@x.example") // stays known
		}
		if _, err := o.Addresses(t.Context(), fmt.Sprintf("u%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(o.users); n != maxUsers || o.byUse.Len() != n || o.addresses > 2*n {
		t.Errorf("%d users, %d in order, %d addresses", n, o.byUse.Len(), o.addresses)
	}
	if o.may(t, "sales@x.example"); slices.Index(o.asked[1:], "kim@x.example") >= 0 {
		t.Error("the one who was asked for most was forgotten")
	}

	o = newOffice()
	rows := make([]string, signing.MaxAddresses)
	for i := range rows {
		rows[i] = fmt.Sprintf("a%d@x.example", i)
	}
	o.Ask = func(context.Context, string) ([]string, error) { return rows, nil }
	for i := range 2 * maxAddresses / len(rows) {
		if _, err := o.Addresses(t.Context(), fmt.Sprintf("u%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	total := 0
	for _, e := range o.users {
		total += e.weight
	}
	if o.addresses > maxAddresses || total != o.addresses || len(o.users) < maxAddresses/len(rows)-1 {
		t.Errorf("%d addresses, %d users have %d", o.addresses, len(o.users), total)
	}
}

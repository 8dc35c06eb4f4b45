package doctor

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/sealmilter/sealmilter/internal/doctor/words"
)

// wire is a connection whose other side is played by server.
func wire(server func(net.Conn)) Dialer {
	return func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			server(theirs)
		}()
		return ours, nil
	}
}

func fails(err error) Dialer {
	return func(context.Context, string, string) (net.Conn, error) { return nil, err }
}

func TestPort25(t *testing.T) {
	said := make(chan string, 1)
	for _, c := range []struct {
		name string
		dial Dialer
		want string
		who  Who
		asks int
	}{
		{"greets", wire(func(c net.Conn) {
			_, _ = io.WriteString(c, "220 mx.example ESMTP\r\n")
			line, _ := bufio.NewReader(c).ReadString('\n')
			said <- line
		}), "", Nobody, 0},
		{"refuses our address", wire(func(c net.Conn) { _, _ = io.WriteString(c, "554 5.7.1 go away\r\n") }), "WARN port25 mx.example: without the greeting", Provider, 2},
		{"hangs up", wire(func(net.Conn) {}), "FAIL port25 mx.example: does not greet", Provider, 2},
		{"endless", wire(func(c net.Conn) {
			for {
				if _, err := io.WriteString(c, strings.Repeat("x", 100)); err != nil {
					return
				}
			}
		}), "WARN port25 mx.example: without the greeting", Provider, 2},
		{"blocked", fails(context.DeadlineExceeded), "FAIL port25 mx.example: cannot be reached", Provider, 2},
		{"refused", fails(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}), "WARN port25 mx.example: refuses the connection", Provider, 2},
		{"no such host", fails(&net.DNSError{Err: "no such host", IsNotFound: true}), "WARN port25 mx.example: has no address", You, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := Port25(t.Context(), c.dial, "mx.example", "example.com")
			compare(t, []Finding{f}, c.want)
			if len(f.Seen.String()) > maxGreeting {
				t.Errorf("read %d bytes", len(f.Seen.String()))
			}
			if f.Who != c.who || len(f.Ask) != c.asks {
				t.Errorf("%+v", f)
			}
			for _, ask := range f.Ask {
				if ko := ask.In(words.Korean); !strings.Contains(ko, "25번 포트") || !strings.Contains(ko, "example.com") {
					t.Errorf("%s", ko)
				}
			}
		})
	}
	if got := <-said; got != "QUIT\r\n" {
		t.Errorf("said %q", got)
	}
}

// TestPort25Ends: a host that takes the connection and says nothing holds nobody.
func TestPort25Ends(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan struct{})
	f := Port25(ctx, wire(func(c net.Conn) {
		cancel()
		_, _ = io.ReadAll(c)
		close(gone)
	}), "mx.example", "example.com")
	<-gone
	compare(t, []Finding{f}, "FAIL port25 mx.example: does not greet")
}

// TestPort25ForReal: on loopback, with the system's dialer.
func TestPort25ForReal(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = io.WriteString(c, "220 here\r\n")
		_, _ = io.ReadAll(c)
	}()
	var asked string
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		asked = addr
		if deadline, ok := ctx.Deadline(); !ok || deadline.IsZero() {
			return nil, errors.New("no deadline")
		}
		return (&net.Dialer{}).DialContext(ctx, network, l.Addr().String())
	}
	compare(t, []Finding{Port25(t.Context(), dial, "2001:db8::1", "example.com")}, "")
	if asked != "[2001:db8::1]:25" {
		t.Errorf("asked %s", asked)
	}
}

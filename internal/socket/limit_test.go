package socket

import (
	"bufio"
	"net"
	"net/http"
	"sync"
	"testing"
)

// TestLimit: more idle connections than there are places hold none but those,
// and one that goes makes room.
func TestLimit(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	open, most := 0, 0
	srv := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }),
		ConnState: func(_ net.Conn, s http.ConnState) {
			mu.Lock()
			defer mu.Unlock()
			switch s {
			case http.StateNew:
				open++
				most = max(most, open)
			case http.StateClosed, http.StateHijacked:
				open--
			}
		},
	}
	srv.SetKeepAlivesEnabled(false)
	go func() { _ = srv.Serve(Limit(l)) }()
	defer srv.Close()
	var idle []net.Conn
	for range 4 * MaxObservers {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		idle = append(idle, c)
	}
	// The last one is served once all before it are gone.
	last := idle[len(idle)-1]
	if _, err := last.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	for _, c := range idle[:len(idle)-1] {
		c.Close()
	}
	resp, err := http.ReadResponse(bufio.NewReader(last), nil)
	if err != nil || resp.StatusCode != http.StatusNoContent {
		t.Fatalf("%v, %v", resp, err)
	}
	mu.Lock()
	defer mu.Unlock()
	// A place is free a moment before the server says that its connection is closed.
	if most == 0 || most > 2*MaxObservers {
		t.Errorf("%d connections at a time", most)
	}
}

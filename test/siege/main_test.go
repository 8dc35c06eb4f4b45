package siege

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/test/daemon"
	"github.com/sealmilter/sealmilter/test/faultdns"
)

// full asks for the numbers of docs/security.md and for its limits of time and
// memory: `make hostile`. Otherwise the tests are small and look at no clock.
var full = flag.Bool("full", false, "run everything in full size, with limits of time and memory")

// built is the daemon's program, with the race detector when the tests have it.
var built struct {
	dir    string
	binary func() (string, error)
}

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(runAll(m))
}

func runAll(m *testing.M) int {
	dir, err := os.MkdirTemp("", "siege-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	built.dir = dir
	built.binary = sync.OnceValues(func() (string, error) { return daemon.Build(dir, raceEnabled) })
	return m.Run()
}

// pick is a number for the small run, and the one of the issue for the full.
func pick(small, large int) int {
	if *full {
		return large
	}
	return small
}

// start runs a daemon that asks dns. Whatever a test does to it, it must end in
// order, without a panic and without a race.
func start(t testing.TB, dns, more string) *daemon.Daemon {
	t.Helper()
	return startAs(t, daemon.Options{DNS: dns, More: more})
}

func startAs(t testing.TB, o daemon.Options) *daemon.Daemon {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	var err error
	if o.Binary, err = built.binary(); err != nil {
		t.Fatal(err)
	}
	if o.Dir, err = os.MkdirTemp(built.dir, "d"); err != nil { // t.TempDir is too long for a socket's name
		t.Fatal(err)
	}
	d, err := daemon.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if why := d.Misbehaved(); why != "" {
			t.Errorf("the daemon: %s", why)
		}
		if err := d.Stop(); err != nil {
			t.Errorf("the daemon: %v", err)
		}
	})
	return d
}

func serve(t testing.TB, zone *resolve.Zone, fault func(name, qtype string) faultdns.Fault) *faultdns.Server {
	t.Helper()
	s, err := faultdns.Start(zone, fault)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func always(f faultdns.Fault) func(string, string) faultdns.Fault {
	return func(string, string) faultdns.Fault { return f }
}

// wantRSS fails a full run that took more memory than promised. The race
// detector takes several times as much.
func wantRSS(t *testing.T, d *daemon.Daemon, limit int64) {
	t.Helper()
	peak, err := d.PeakRSS()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("peak RSS %.1f MB", float64(peak)/1e6)
	if *full && !raceEnabled && peak > limit {
		t.Errorf("peak RSS %d bytes, want at most %d", peak, limit)
	}
}

// settle waits until the daemon has at most n goroutines again.
func settle(t *testing.T, d *daemon.Daemon, n int) {
	t.Helper()
	var got int
	for range 600 {
		var err error
		if got, err = d.Goroutines(); err != nil {
			t.Fatal(err)
		}
		if got <= n {
			return
		}
		time.Sleep(50 * time.Millisecond) // another process tells nobody
	}
	t.Errorf("%d goroutines are left, want %d", got, n)
}

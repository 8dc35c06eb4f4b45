package service

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
)

// Part is one thing that the service does beside serving mail. The contract of
// all parts:
//
//   - Run works until ctx ends and returns nil then. A part that returns earlier,
//     or panics, is logged, counted and run again, later each time: it never takes
//     the milter with it.
//   - Status is what `status` says of it, "" for nothing. It may be asked at any time.
//   - Reload tells of a configuration that is in force from now on. It must not
//     wait for anything.
//
// Parts are started in order and stopped in reverse. One that does not end when
// its ctx does is left behind after patience, and said.
type Part struct {
	Name   string
	Run    func(ctx context.Context) error
	Status func() string    // nil: nothing to say
	Reload func(r *running) // nil: it does not care
}

const (
	firstPause = time.Second
	lastPause  = time.Minute
	// patience is how long a stopping service waits for one part.
	patience = 5 * time.Second
)

// parts runs them.
type parts struct {
	log      *slog.Logger
	after    func(time.Duration) <-chan time.Time
	panicked func() // counts
	running  []*runningPart
}

type runningPart struct {
	Part
	cancel context.CancelFunc
	done   chan struct{}
}

// start runs p until stop.
func (ps *parts) start(p Part) {
	ctx, cancel := context.WithCancel(context.Background())
	r := &runningPart{Part: p, cancel: cancel, done: make(chan struct{})}
	ps.running = append(ps.running, r)
	go func() {
		defer close(r.done)
		ps.keep(ctx, p)
	}()
}

// keep runs a part again and again.
func (ps *parts) keep(ctx context.Context, p Part) {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		err := ps.once(ctx, p)
		if ctx.Err() != nil {
			return
		}
		ps.log.Error("a part of the daemon ended, and is started again", "part", p.Name, "err", err, "after", pause)
		select {
		case <-ps.after(pause):
		case <-ctx.Done():
			return
		}
	}
}

func (ps *parts) once(ctx context.Context, p Part) (err error) {
	defer func() {
		if v := recover(); v != nil {
			ps.panicked()
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	if err = p.Run(ctx); err == nil {
		err = fmt.Errorf("it returned")
	}
	return err
}

// reload tells all parts.
func (ps *parts) reload(r *running) {
	for _, p := range ps.running {
		if p.Reload != nil {
			p.Reload(r)
		}
	}
}

// status lists what parts have to say.
func (ps *parts) status() []string {
	out := []string{}
	for _, p := range ps.running {
		if p.Status == nil {
			continue
		}
		if s := p.Status(); s != "" {
			out = append(out, p.Name+": "+s)
		}
	}
	return out
}

// stop ends all parts, the last one first.
func (ps *parts) stop() {
	for i := len(ps.running) - 1; i >= 0; i-- {
		r := ps.running[i]
		r.cancel()
		select {
		case <-r.done:
		case <-ps.after(patience):
			ps.log.Error("a part of the daemon does not stop, and is left behind", "part", r.Name)
		}
	}
	ps.running = nil
}

// latest hands what runs now to a part that may be busy with what ran before: only the
// newest matters, and nobody waits.
type latest chan *running

func (c latest) tell(r *running) {
	select {
	case <-c:
	default:
	}
	c <- r
}

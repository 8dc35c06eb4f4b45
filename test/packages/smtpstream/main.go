// Command smtpstream is the load of the package test: SMTP sessions with pauses
// at every step, so that restarts of the milter meet them everywhere. It runs
// inside the machine under test until it gets SIGTERM (or -messages are sent),
// lets the sessions that run end, and prints what was answered.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// patience is for one reply; Postfix itself waits 30 s for a milter.
const patience = 60 * time.Second

type stream struct {
	addr  string
	pause time.Duration
	limit int64 // messages, 0 for no limit

	stop                       atomic.Bool
	begun, sessions, delivered atomic.Int64

	mu      sync.Mutex
	wrong   []string
	slowest time.Duration
}

func main() {
	var s stream
	flag.StringVar(&s.addr, "addr", "127.0.0.1:25", "SMTP server")
	flag.DurationVar(&s.pause, "pause", 2*time.Second, "longest pause within a session")
	flag.Int64Var(&s.limit, "messages", 0, "end after so many")
	clients := flag.Int("clients", 8, "sessions at the same time")
	flag.Parse()

	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() { <-signals; s.stop.Store(true) }()
	start := time.Now()
	var wg sync.WaitGroup
	for range *clients {
		wg.Go(func() {
			for !s.stop.Load() {
				if err := s.session(); err != nil {
					s.note(err)
					time.Sleep(100 * time.Millisecond)
				}
			}
		})
	}
	wg.Wait()
	for _, w := range s.wrong {
		fmt.Println("wrong:", w)
	}
	fmt.Printf("sessions=%d messages=%d delivered=%d wrong=%d slowest=%s took=%s\n",
		s.sessions.Load(), s.begun.Load(), s.delivered.Load(), len(s.wrong), s.slowest.Round(time.Millisecond), time.Since(start).Round(time.Millisecond))
	if len(s.wrong) > 0 {
		os.Exit(1)
	}
}

func (s *stream) note(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wrong = append(s.wrong, time.Now().Format("15:04:05.000 ")+err.Error())
}

var errAnswer = errors.New("not the answer that it would have been")

// session sends one or two messages over one connection.
func (s *stream) session() error {
	c, err := net.DialTimeout("tcp", s.addr, 10*time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	r := bufio.NewReader(c)
	say := func(line, want string) error {
		s.rest()
		began := time.Now()
		c.SetDeadline(began.Add(patience))
		if line != "" {
			if _, err := io.WriteString(c, line+"\r\n"); err != nil {
				return fmt.Errorf("%.10s: %w", line, err)
			}
		}
		answer, err := reply(r)
		if err != nil {
			return fmt.Errorf("%.10s: %w", line, err)
		}
		s.mu.Lock()
		s.slowest = max(s.slowest, time.Since(began))
		s.mu.Unlock()
		if !strings.HasPrefix(answer, want) {
			return fmt.Errorf("%w: to %.10s: %s", errAnswer, line, answer)
		}
		return nil
	}
	if err := say("", "220"); err != nil {
		return err
	}
	if err := say("EHLO client.example.com", "250"); err != nil {
		return err
	}
	s.sessions.Add(1)
	for range 1 + rand.IntN(2) {
		n := s.begun.Add(1)
		if s.limit > 0 && n >= s.limit {
			s.stop.Store(true)
			if n > s.limit {
				s.begun.Add(-1)
				break
			}
		}
		text := fmt.Sprintf("From: Alice <alice@example.com>\r\nTo: bob@example.com\r\nSubject: stream %d\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\n"+
			"Message-ID: <%d.%d@example.com>\r\n\r\nhello\r\n.", n, os.Getpid(), n)
		for _, step := range [][2]string{{"MAIL FROM:<alice@example.com>", "250"}, {"RCPT TO:<bob@example.com>", "250"}, {"DATA", "354"}, {text, "250"}} {
			if err := say(step[0], step[1]); err != nil {
				return err
			}
		}
		s.delivered.Add(1)
		if s.stop.Load() {
			break
		}
	}
	return say("QUIT", "221")
}

// rest pauses for a part of the longest pause, mostly a short one.
func (s *stream) rest() {
	if s.pause > 0 {
		f := rand.Float64()
		time.Sleep(time.Duration(f * f * f * float64(s.pause)))
	}
}

func reply(r *bufio.Reader) (string, error) {
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return "", err
		}
		if len(line) < 4 || line[3] != '-' {
			return strings.TrimSpace(line), nil
		}
	}
}

package service

import (
	"github.com/sealmilter/sealmilter/internal/observe"
)

// observe makes the observers of messages. The counters wait for nothing; each
// other one has a queue, and a part that empties it: started first, and so
// stopped last, when all mail has been served.
func (s *service) observe() {
	log := observe.NewLog(s.log)
	queue := observe.NewQueue("log", log, s.metrics.Unobserved)
	s.observer = observe.All{observe.Metrics{To: s.metrics}, queue}
	s.observing = []*Part{
		{Name: "log of messages", Run: queue.Run, Status: queue.Status, Reload: func(*running) { log.Forget() }},
	}
}

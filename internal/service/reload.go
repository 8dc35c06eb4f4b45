package service

import (
	"context"
	"log/slog"

	"github.com/sealmilter/sealmilter/internal/admin"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/inspect"
	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/internal/telemetry"
	"github.com/sealmilter/sealmilter/keys"
)

// use makes r what is in force, for all but the server.
func (s *service) use(r *running, problems config.Problems) []problem.Problem {
	if s.now != nil && s.now.senders != r.senders {
		s.now.senders.Close()
	}
	s.now, r.problems = r, problems
	for _, p := range r.trouble {
		level := slog.LevelWarn
		if p.Severity == keys.Error {
			level = slog.LevelError
		}
		s.log.Log(context.Background(), level, "key: "+p.Message, "path", p.Path, "domain", p.Domain, "hint", p.Hint)
	}
	trouble := inspect.Problems(problems, r.trouble)
	if r.mute != nil {
		s.log.Error("nothing is published: the records of keys wait", "err", r.mute, "hint", problem.Hint(r.mute))
		trouble = append(trouble, problem.Problem{Severity: problem.Fault, Place: "sign.rotate.publish", Message: r.mute.Error(), Hint: problem.Hint(r.mute)})
	}
	s.state.problems(trouble)
	s.state.runs(r)
	s.domains.uses(r)
	return trouble
}

// reload swaps configuration and keys, or keeps the old ones and says why.
func (s *service) reload() admin.Reload {
	s.Notify(notifyReloading)
	defer s.Notify(notifyReady)
	loaded, problems := config.LoadWithFallback(s.Config, s.State, true)
	s.logProblems(problems)
	if loaded.Config == nil {
		s.log.Error("reload failed: the old configuration stays", "config", s.Config)
		return s.reloadFailed(inspect.Problems(problems, nil))
	}
	r, err := build(loaded.Config, s.domains.of(loaded.Config), s.now, s.log, s.metrics, s.observer, s.Now)
	if err != nil {
		s.log.Error("reload failed: the old configuration stays", "config", s.Config, "err", err)
		return s.reloadFailed(append(inspect.Problems(problems, nil), problem.Problem{Severity: problem.Fault, Place: s.Config, Message: err.Error()}))
	}
	r.path = s.Config
	later := !sameSockets(s.now.cfg, r.cfg)
	trouble := s.use(r, problems)
	if later {
		const text = "listen, socket, admin, metrics, log.format and limits of connections change at the next restart only"
		s.log.Warn(text)
		trouble = append(trouble, problem.Problem{Severity: problem.Warning, Place: s.Config, Message: text, Hint: "systemctl restart sealmilter"})
		s.state.problems(trouble)
	}
	if level, err := telemetry.ParseLevel(r.cfg.Log.Level); err == nil {
		s.level.Set(level)
	}
	s.server.Swap(r.setup)
	s.parts.reload(r)
	s.metrics.ConfigLoaded(true)
	s.keep(loaded.Data)
	s.log.Info("reloaded", "config", s.Config, "keys", len(r.store.All()))
	_, _, waiting := withoutKey(r.store)
	return admin.Reload{OK: true, Waiting: waiting, Problems: trouble}
}

// rekey reads the keys again, with the configuration that is in use.
func (s *service) rekey() {
	r, err := build(s.now.cfg, s.domains.of(s.now.cfg), s.now, s.log, s.metrics, s.observer, s.Now)
	if err != nil {
		s.log.Error("keys cannot be read again: the old ones stay in use", "err", err)
		return
	}
	r.path, r.degraded = s.now.path, s.now.degraded
	s.use(r, s.now.problems)
	s.server.Swap(r.setup)
	s.parts.reload(r)
}

func (s *service) reloadFailed(problems []problem.Problem) admin.Reload {
	s.metrics.ConfigLoaded(false)
	s.state.problems(problems)
	s.state.failed()
	return admin.Reload{Problems: problems}
}

// keep remembers the configuration as one that worked.
func (s *service) keep(data []byte) {
	if err := config.SaveLastGood(s.State, s.Config, data); err != nil {
		s.log.Warn("cannot keep a copy of the configuration for bad times", "err", err, "hint", "install -d "+s.State)
	}
}

func (s *service) openLog(cfg config.Log) error {
	level, err := telemetry.ParseLevel(cfg.Level)
	if err != nil {
		return err
	}
	s.level.Set(level)
	s.log, err = telemetry.NewLogger(s.Stderr, cfg.Format, &s.level)
	return err
}

func (s *service) logProblems(problems config.Problems) {
	for _, p := range problems {
		level := slog.LevelError
		if p.Severity == config.Warning {
			level = slog.LevelWarn
		}
		s.log.Log(context.Background(), level, "configuration: "+p.Message, "file", p.File, "line", p.Line, "hint", p.Hint)
	}
}

package service

import (
	"io/fs"
	"log/slog"
	"reflect"
	"slices"
	"syscall"

	"github.com/sealmilter/sealmilter/auth"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/internal/socket"
	"github.com/sealmilter/sealmilter/milter"
)

// listen opens the sockets of the configuration beside those that were handed
// over, with everybody refused who may not connect.
func listen(cfg *config.Config, handed []milter.Listener, log *slog.Logger) ([]milter.Listener, error) {
	peers, err := socket.NewPeers(cfg.Socket.Peers)
	if err != nil {
		return nil, socketFailure("", err)
	}
	peers.Refused = func(uid uint32) {
		log.Warn("a user who is not in socket.peers was refused at the milter socket", "uid", uid)
	}
	peers.Unexpected = func(uid uint32) {
		log.Warn("a user who is no MTA's speaks to the milter socket, and can have mail signed", "uid", uid,
			"hint", "set socket.peers to the MTA's user")
	}
	out, err := openAll(cfg, handed)
	for i := range out {
		out[i].Listener = peers.Guard(out[i].Listener)
	}
	return out, err
}

// openAll opens them, for whoever may reach them. What was handed over replaces
// the default socket.
func openAll(cfg *config.Config, handed []milter.Listener) ([]milter.Listener, error) {
	out := slices.Clone(handed)
	if len(out) > 0 && reflect.DeepEqual(cfg.Listen, config.Default().Listen) {
		return out, nil
	}
	for _, c := range cfg.Listen {
		if i := slices.IndexFunc(out, func(l milter.Listener) bool { return opened(l, c.Addr) }); i >= 0 {
			if d := direction(c.Direction); d != "" {
				out[i].Direction = d
			}
			continue
		}
		l, err := socket.Listen(c.Addr.Network, c.Addr.Addr, socket.Options{
			Mode: fs.FileMode(cfg.Socket.Mode), Group: cfg.Socket.Group, DefaultGroup: "postfix",
		})
		if err != nil {
			for _, opened := range out {
				opened.Close()
			}
			return nil, socketFailure("listen: ", err)
		}
		out = append(out, milter.Listener{Listener: l, Direction: direction(c.Direction)})
	}
	return out, nil
}

// opened reports whether l is the socket of that address. What milter.yaml
// names and systemd has opened is one socket, not two.
func opened(l milter.Listener, at config.Address) bool {
	return l.Addr().Network() == at.Network && l.Addr().String() == at.Addr
}

func socketFailure(what string, err error) error {
	return problem.Fail(problem.Hint(err), what+"%w", err)
}

func direction(word string) auth.Direction {
	if word == "auto" {
		return ""
	}
	return auth.Direction(word)
}

// otherFiles are descriptors that neither mail nor the DNS needs: log, keys that
// are read, listeners, what the runtime keeps open.
const otherFiles = 64

// room returns how many milter connections fit into the descriptors that a
// process may have, when questions may be in flight at the same time. With too
// few, mail and the DNS each get their half of what there is: without answers
// nothing is judged.
func room(descriptors uint64, connections, questions int) int {
	left := int(min(descriptors, 1<<30)) - otherFiles - 2*socket.MaxObservers
	if connections+questions <= left {
		return connections
	}
	return max(min(connections, left/2), 1)
}

// fit shrinks the number of connections to the limit of descriptors, which the
// runtime has raised as far as it may.
func fit(log *slog.Logger, connections, questions int) int {
	var rl syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &rl); err != nil {
		return connections
	}
	n := room(rl.Cur, connections, questions)
	if n < connections {
		log.Warn("too few file descriptors for limits.connections", "descriptors", rl.Cur, "connections", n,
			"hint", "LimitNOFILE=65536 in the service unit, or ulimit -n")
	}
	return n
}

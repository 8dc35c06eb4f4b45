package main

import (
	"log/slog"
	"syscall"

	"github.com/sealmilter/sealmilter/internal/socket"
)

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

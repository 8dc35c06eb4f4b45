package socket

import (
	"net"

	"golang.org/x/net/netutil"
)

// MaxObservers bounds the connections of a listener that is not for mail: the
// metrics', the admin socket's. Whoever opens more of them waits in the backlog,
// and takes no descriptor that an MTA's connection needs.
const MaxObservers = 32

// Limit returns l with at most MaxObservers connections at a time.
func Limit(l net.Listener) net.Listener { return netutil.LimitListener(l, MaxObservers) }

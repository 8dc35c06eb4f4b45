package mta

import (
	"context"
	"path/filepath"
	"strings"
)

// SocketUnit is the name of systemd's unit of our sockets.
const SocketUnit = "sealmilter.socket"

// SystemdListens are the unix sockets that systemd opens for unit.
func SystemdListens(ctx context.Context, unit string) []string {
	if !Exists("/run/systemd/system") {
		return nil
	}
	out, err := Output(ctx, "systemctl", "show", "--property=Listen", unit)
	if err != nil {
		return nil
	}
	return parseListen(out)
}

// parseListen reads `Listen=/run/sealmilter/milter.sock (Stream)`, a line a socket.
func parseListen(out string) []string {
	var all []string
	for line := range strings.Lines(out) {
		if path, ok := strings.CutSuffix(strings.TrimSpace(strings.TrimPrefix(line, "Listen=")), " (Stream)"); ok && filepath.IsAbs(path) {
			all = append(all, path)
		}
	}
	return all
}

package setup

import (
	"context"
	"time"

	"github.com/sealmilter/sealmilter/internal/mta"
)

// programFor bounds every program. A restart of the daemon may take the 90 s of
// its TimeoutStopSec=.
const programFor = 3 * time.Minute

// runProgram runs a program and returns its output; the error carries what it said.
func runProgram(ctx context.Context, name string, args ...string) (string, error) {
	return mta.Run(ctx, programFor, name, args...)
}

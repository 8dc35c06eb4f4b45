package mta

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// TestProgramsEnd: a program that hangs is ended, also when what it has started
// holds its output.
func TestProgramsEnd(t *testing.T) {
	out, err := Run(t.Context(), 200*time.Millisecond, "sh", "-c", "echo started; sleep 20 & wait")
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "did not end within") || out != "started\n" {
		t.Errorf("%q, %v", out, err)
	}
}

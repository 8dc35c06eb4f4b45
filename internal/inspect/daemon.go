package inspect

import (
	"context"
	"slices"
	"time"

	"github.com/sealmilter/sealmilter/internal/admin"
	"github.com/sealmilter/sealmilter/internal/doctor"
	"github.com/sealmilter/sealmilter/internal/doctor/words"
)

// askFor is how long a daemon that hangs is waited for.
const askFor = 5 * time.Second

// runningDaemon asks the daemon what it does with a domain's mail: the files may
// have been mended since it read them, or spoilt. Without one that answers us there is
// nothing to say; whether the MTA reaches it is another finding.
func runningDaemon(ctx context.Context, socket, domain string) []doctor.Finding {
	if socket == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	s, err := admin.Client{Socket: socket}.Status(ctx)
	if err != nil {
		return nil
	}
	f := doctor.Finding{Level: doctor.Pass, Check: "daemon", Subject: s.Running, Message: words.Say("is what the daemon runs with")}
	switch {
	case slices.Contains(s.Waiting, domain):
		f.Level, f.Subject, f.Message = doctor.Fail, domain, words.Say("its mail waits with 451: the running daemon cannot use its keys")
		f.Want, f.Paste, f.Who = words.Say("keys that the daemon can read, and that it has read again"), words.Data("sealmilter reload"), doctor.You
	case slices.Contains(s.Keyless, domain):
		f.Level, f.Subject, f.Message = doctor.Fail, domain, words.Say("the running daemon has no key for it: its mail goes out unsigned")
		f.Want, f.Paste, f.Who = words.Say("a key, and that it is read"), words.Data("sealmilter reload"), doctor.You
	case slices.Contains(s.Unpublished, domain):
		f.Level, f.Subject, f.Message = doctor.Fail, domain, words.Say("the running daemon does not sign its mail: the DNS lacks the records of its keys")
		f.Want, f.Paste, f.Who = words.Say("the records in the DNS; the daemon looks for them twice a minute"), words.Data("sealmilter dns "+domain), doctor.Zone
	case s.Degraded:
		f.Level, f.Subject, f.Message = doctor.Fail, s.Config, words.Say("is bad, and the daemon runs with what worked before")
		f.Want, f.Paste, f.Who = words.Say("a file that can be used"), words.Data("sealmilter check; sealmilter reload"), doctor.You
	}
	return []doctor.Finding{f}
}

package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/sealmilter/sealmilter/internal/admin"
)

// summary says in sentences how the daemon is; the lines below it have the details.
func summary(r *admin.Status) string {
	domains, signing := map[string]bool{}, 0
	for _, k := range r.Keys {
		if k.Signs {
			domains[k.Domain] = true
			signing++
		}
	}
	seen := func(part string) (n int) {
		for name, v := range r.Counters {
			if rest, ok := strings.CutPrefix(name, "messages_total{"); ok && strings.Contains(","+strings.TrimSuffix(rest, "}")+",", ","+part+",") {
				n += int(v)
			}
		}
		return n
	}
	text := fmt.Sprintf("It has run for %s and signs for %s with %s. So far: %s in, %d out; %d refused, %d told to come again.",
		time.Duration(r.Uptime)*time.Second, count(len(domains), "domain"), count(signing, "key"),
		count(seen("inbound")+seen("relayed"), "message"), seen("outbound"), seen("reject"), seen("tempfail"))
	if r.Healthy() && len(r.Problems)+len(r.Keyless)+len(r.Unpublished) == 0 {
		return text + " All is well."
	}
	return text + " Not all is well, see below."
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprint(n, " ", what)
}

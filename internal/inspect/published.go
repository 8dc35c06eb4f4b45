package inspect

import (
	"context"
	"sync"
	"time"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/keys/publish"
)

// publishedFor bounds the look at the DNS before records are printed.
const publishedFor = 4 * time.Second

// Published tells the state of each record, as the DNS is now; it leaves it empty where
// the DNS does not answer in time.
func Published(ctx context.Context, r resolve.Resolver, records []publish.TXT) {
	ctx, cancel := context.WithTimeout(ctx, publishedFor)
	defer cancel()
	var all sync.WaitGroup
	for i := range records {
		all.Go(func() {
			a, err := r.LookupTXT(ctx, records[i].Name)
			if err == nil || resolve.Void(err) {
				records[i].State = records[i].Compare(a.Records)
			}
		})
	}
	all.Wait()
}

// Unpublished are those that are not there as they should be, and the names of the
// others.
func Unpublished(records []publish.TXT) (todo []publish.TXT, there []string) {
	for _, t := range records {
		if t.State == publish.Published {
			there = append(there, t.Name)
		} else {
			todo = append(todo, t)
		}
	}
	return todo, there
}

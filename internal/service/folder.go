package service

import (
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/sealmilter/sealmilter/internal/asuser"
)

const (
	// folderEvery is how often the key folder is looked at, so that keys and states that
	// another host has written are in use within a minute.
	folderEvery = 25 * time.Second
	// folderShare bounds the share of time that looking takes.
	folderShare = 20
)

// folderPart has the keys read again when their folder has changed: another host is the
// master and the folder is shared or copied, or somebody has put a key there.
func (s *service) folderPart() *Part {
	newest := make(latest, 1)
	return &Part{
		Name:   "key folder",
		Reload: newest.tell,
		Run: func(ctx context.Context) error {
			var r *running
			var mark uint64
			for {
				var again <-chan time.Time
				if r != nil {
					began := s.Now()
					now := folderMark(ctx, r.cfg.Sign.Keys)
					if mark != 0 && now != mark {
						select {
						case s.state.rekeys <- struct{}{}:
						case <-ctx.Done():
							return nil
						}
					}
					mark = now
					again = s.After(max(folderEvery, folderShare*s.Now().Sub(began)))
				}
				select {
				case <-ctx.Done():
					return nil
				case r = <-newest:
					mark = r.mark
				case <-again:
				}
			}
		},
	}
}

// folderMark changes with names, times, sizes and modes of what is in the folders below
// dir. It is never 0.
func folderMark(ctx context.Context, dir string) uint64 {
	h := fnv.New64a()
	_ = asuser.In(dir, func() error {
		domains, err := os.ReadDir(dir)
		for _, d := range domains {
			if ctx.Err() != nil {
				break
			}
			io.WriteString(h, d.Name()+"/")
			files, _ := os.ReadDir(filepath.Join(dir, d.Name()))
			for _, f := range files {
				info, err := os.Stat(filepath.Join(dir, d.Name(), f.Name()))
				if f.Name()[0] == '.' || err != nil {
					continue
				}
				fmt.Fprintf(h, "%s %d %d %s\n", f.Name(), info.ModTime().UnixNano(), info.Size(), info.Mode())
			}
		}
		return err
	})
	return h.Sum64() | 1
}

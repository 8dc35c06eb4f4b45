// Command bench measures how much slower honest mail becomes beside peers that
// want to starve it: 800 connections of one byte a second, and 1,200 that say
// nothing, which is more than the daemon has places for. Each siege runs five
// times, in turn with undisturbed mail of the same length; the median of the five
// ratios is what counts. Nothing is asserted: a busy machine is no bug.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/sealmilter/sealmilter/test/daemon"
	"github.com/sealmilter/sealmilter/test/faultdns"
	"github.com/sealmilter/sealmilter/test/siege"
)

const senders = 50

func main() {
	each := flag.Duration("each", 5*time.Second, "length of one run")
	runs := flag.Int("runs", 5, "runs with and without a siege")
	flag.Parse()
	if err := bench(*each, *runs); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func bench(each time.Duration, runs int) error {
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	bin, err := daemon.Build(dir, false)
	if err != nil {
		return err
	}
	mail, err := siege.NewMail(senders)
	if err != nil {
		return err
	}
	dns, err := faultdns.Start(mail.Zone, nil)
	if err != nil {
		return err
	}
	defer dns.Close()
	d, err := daemon.Start(daemon.Options{Binary: bin, Dir: dir, DNS: dns.Addr(), More: "log: {level: error}\n"})
	if err != nil {
		return err
	}
	load := siege.Load{Socket: d.Socket, Mail: mail, Senders: senders, Workers: 8}
	for _, s := range []struct {
		name  string
		n     int
		every time.Duration
	}{{"800 connections of one byte a second", 800, time.Second}, {"1,200 connections that say nothing", 1200, 0}} {
		if err := compare(load, each, runs, s.name, s.n, s.every); err != nil {
			_ = d.Stop()
			return err
		}
	}
	return d.Stop()
}

// compare runs undisturbed and besieged mail in turn and prints the medians.
func compare(load siege.Load, each time.Duration, runs int, name string, n int, every time.Duration) error {
	var ratios []float64
	var calm, besieged []time.Duration
	for range runs {
		before, err := p99(load, each)
		if err != nil {
			return err
		}
		ctx, lift := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		ready := make(chan struct{})
		s := &siege.Siege{Socket: load.Socket, N: n, Every: every}
		wg.Go(func() { s.Run(ctx, ready) })
		<-ready
		during, err := p99(load, each)
		lift()
		wg.Wait()
		if err != nil {
			return err
		}
		calm, besieged = append(calm, before), append(besieged, during)
		ratios = append(ratios, float64(during)/float64(before))
	}
	slices.Sort(ratios)
	fmt.Printf("%s: p99 %v undisturbed, %v besieged (medians of %d runs); median ratio %.1f, from %.1f to %.1f\n", name,
		siege.Quantile(calm, .5).Round(100*time.Microsecond), siege.Quantile(besieged, .5).Round(100*time.Microsecond), runs, ratios[len(ratios)/2], ratios[0], ratios[len(ratios)-1])
	return nil
}

func p99(load siege.Load, d time.Duration) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	took, err := load.Run(ctx)
	return siege.Quantile(took, .99), err
}

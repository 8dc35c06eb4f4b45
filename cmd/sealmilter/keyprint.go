package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/sealmilter/sealmilter/internal/admin"
	"github.com/sealmilter/sealmilter/internal/inspect"
	"github.com/sealmilter/sealmilter/internal/plain"
	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/keys"
)

func writeKeyTable(w io.Writer, all []admin.Key, bad int) error {
	if len(all) == 0 && bad > 0 {
		return nil // what is wrong has been said
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "no keys; make some with `sealmilter keys new DOMAIN`")
		return err
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "DOMAIN\tSELECTOR\tALGORITHM\tBITS\tMADE\tSIGNS\tPROOF\tFILE")
	for _, k := range all {
		sign := "no"
		if k.Signs {
			sign = "yes"
		} else if k.Waits {
			sign = "waits for the DNS"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n", plain.Args([]any{k.Domain, k.Selector, k.Algorithm, k.Bits, k.Created, sign, k.Proof, k.Path})...)
	}
	return tw.Flush()
}

func printKeyProblems(w io.Writer, problems []keys.Problem) {
	for _, p := range inspect.Problems(nil, problems) {
		problem.Print(w, p)
	}
}

func countErrors(problems []keys.Problem) int {
	n := 0
	for _, p := range problems {
		if p.Severity == keys.Error {
			n++
		}
	}
	return n
}

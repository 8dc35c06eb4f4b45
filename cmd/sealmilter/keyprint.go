package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

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
	fmt.Fprintln(tw, "DOMAIN\tSELECTOR\tALGORITHM\tBITS\tMADE\tSIGNS\tDNS\tSTATE\tNEXT\tPROOF\tFILE")
	for _, k := range all {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", plain.Args([]any{k.Domain, k.Selector, k.Algorithm, k.Bits, k.Created, yesNo(k.Signs), dnsWord(k), k.State,
			nextWords(k), k.Proof, k.Path})...)
	}
	return tw.Flush()
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

// dnsWord is what the DNS has of a key.
func dnsWord(k admin.Key) string {
	switch {
	case k.Alarm:
		return "GONE"
	case k.DNS == "":
		return "-"
	}
	return k.DNS
}

// nextWords say what happens to a key next.
func nextWords(k admin.Key) string {
	switch {
	case k.Next == "":
		return "-"
	case k.NextAt == nil:
		return k.Next
	}
	return k.Next + " " + k.NextAt.Local().Format("2006-01-02 15:04")
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

func printJSON(cmd *cobra.Command, v any) error {
	enc := json.NewEncoder(cmd.OutOrStdout())
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false) // no web page
	return enc.Encode(v)
}

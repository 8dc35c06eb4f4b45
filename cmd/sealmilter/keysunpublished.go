package main

import (
	"github.com/spf13/cobra"

	"github.com/sealmilter/sealmilter/keys/publish"
)

// addKeys adds what `keys list` can say about the DNS.
func (f *dnsFlags) addKeys(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.missing, "unpublished", false, "print the records of the keys that the DNS does not show")
}

// runKeys prints the records of keys alone.
func (f *dnsFlags) runKeys(cmd *cobra.Command, where keyFlags, zone string, asJSON bool, args []string) error {
	f.keyFlags, f.zone, f.keyOnly, f.form = where, zone, true, string(publish.Plain)
	if asJSON {
		f.form = string(publish.JSON)
	}
	return f.run(cmd, args)
}

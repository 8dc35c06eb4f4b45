package main

import (
	"github.com/spf13/cobra"

	"github.com/sealmilter/sealmilter/internal/demo"
)

func newDemo() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "show the whole job in one process: no root, no DNS, no MTA",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return demo.Run(cmd.Context(), cmd.OutOrStdout())
		},
	}
}

package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealmilter/sealmilter/internal/manpage"
	"github.com/sealmilter/sealmilter/internal/problem"
)

// newMan is for those who make packages: it writes the manual pages, one for
// each command and one for the configuration.
func newMan() *cobra.Command {
	var example string
	cmd := &cobra.Command{
		Use:    "man DIR",
		Short:  "write the manual pages into a folder",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			date, err := buildDate()
			if err != nil {
				return err
			}
			pages := map[string][]byte{}
			root := cmd.Root()
			root.InitDefaultHelpCmd()
			manCommands(pages, root, date)
			if example != "" {
				text, err := os.ReadFile(example)
				if err != nil {
					return problem.Fail("", "%w", err)
				}
				pages["milter.yaml.5"] = manpage.Config(string(text), date, version)
			}
			for name, page := range pages {
				if err := os.WriteFile(filepath.Join(args[0], name), page, 0o644); err != nil {
					return problem.Fail("", "%w", err)
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&example, "example", "", "documented example `file` that becomes milter.yaml(5)")
	return cmd
}

// buildDate is SOURCE_DATE_EPOCH, so that a build is the same twice.
func buildDate() (string, error) {
	t := time.Now()
	if s := os.Getenv("SOURCE_DATE_EPOCH"); s != "" {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return "", problem.Fail("seconds since 1970", "SOURCE_DATE_EPOCH: %w", err)
		}
		t = time.Unix(n, 0)
	}
	return t.UTC().Format("2006-01-02"), nil
}

// manCommands adds the page of c and those of the commands below it.
func manCommands(pages map[string][]byte, c *cobra.Command, date string) {
	if c.Hidden || c.Name() == "help" {
		return
	}
	name := strings.ReplaceAll(c.CommandPath(), " ", "-")
	p := manpage.New(name, 8, date, version)
	p.Section("NAME")
	p.Name(name, c.Short)
	p.Section("SYNOPSIS")
	if c.Runnable() && c.HasParent() {
		p.Bold(c.UseLine())
	}
	if c.HasAvailableSubCommands() {
		p.Bold(c.CommandPath() + " COMMAND [flags]")
	}
	p.Section("DESCRIPTION")
	if long := c.Long; long != "" {
		p.Text(long)
	} else {
		p.Text(strings.ToUpper(c.Short[:1]) + c.Short[1:] + ".")
	}
	var below []string
	for _, sub := range c.Commands() {
		if sub.Hidden || sub.Name() == "help" {
			continue
		}
		if below == nil {
			p.Section("COMMANDS")
		}
		p.Item(sub.Name(), sub.Short+"; see "+strings.ReplaceAll(sub.CommandPath(), " ", "-")+"(8).")
		below = append(below, strings.ReplaceAll(sub.CommandPath(), " ", "-")+"(8)")
		manCommands(pages, sub, date)
	}
	c.InitDefaultHelpFlag()
	if flags := c.NonInheritedFlags(); flags.HasAvailableFlags() {
		p.Section("OPTIONS")
		p.Verbatim(flags.FlagUsages())
	}
	if c.Example != "" {
		p.Section("EXAMPLES")
		p.Verbatim(c.Example)
	}
	p.Section("EXIT STATUS")
	p.Text("0: fine. 1: problems were found. 2: wrong usage.")
	if !c.HasParent() {
		p.Service()
		below = append(below, "milter.yaml(5)", "postconf(5)")
	} else {
		below = append(below, "sealmilter(8)", "milter.yaml(5)")
	}
	p.Section("SEE ALSO")
	p.Text(strings.Join(below, ", "))
	pages[name+".8"] = p.Bytes()
}

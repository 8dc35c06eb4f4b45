package main

import (
	"github.com/spf13/cobra"

	"github.com/sealmilter/sealmilter/internal/setup"
)

func newSetupSendmail() *cobra.Command {
	var s setup.Sendmail
	cmd := &cobra.Command{
		Use:   "sendmail --domain DOMAIN",
		Short: "show, or with --apply do, what Sendmail needs to use sealmilter",
		Long: `Sets Sendmail up. Without --apply it prints the lines for sendmail.mc, the
milter.yaml that it would write and the commands that take both up.

With --apply it makes keys, writes milter.yaml, tests a whole message through the
socket, and has a Sendmail of its own, which runs from the new sendmail.mc beside
the real one, pass a message on. Only then it edits sendmail.mc, rebuilds
sendmail.cf and restarts Sendmail. Anything that goes wrong puts the files back.
Run again it changes only what is not right yet.

--undo takes our lines out of sendmail.mc, and leaves everything else, the keys and
milter.yaml.`,
		Example: "  sealmilter setup sendmail --domain example.com\n  sealmilter setup sendmail --domain example.com --apply\n  sealmilter setup sendmail --undo",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runSetup(cmd, &s.Common, "sendmail", s.Run)
		},
	}
	configFlag(cmd, &s.Config)
	f := cmd.Flags()
	f.StringSliceVarP(&s.Domains, "domain", "d", nil, "`domain` of your mail addresses; may be given several times")
	f.StringVar(&s.MC, "mc", "/etc/mail/sendmail.mc", "`file` that sendmail.cf is built from")
	f.BoolVar(&s.Apply, "apply", false, "do it")
	f.BoolVar(&s.DryRun, "dry-run", false, "show what would change, and change nothing")
	f.BoolVar(&s.Undo, "undo", false, "take our lines out of sendmail.mc")
	f.BoolVarP(&s.Yes, "yes", "y", false, "answer every question with yes")
	f.StringVar(&s.Rebuild, "rebuild", "", "shell `command` that builds sendmail.cf (default: make in the folder of sendmail.mc, or m4)")
	f.StringVar(&s.Restart, "restart", "", "shell `command` that restarts Sendmail (default: systemctl restart sendmail, where systemd runs it)")
	f.StringVar(&s.Program, "sendmail", "", "Sendmail's `program` (default: where Debian or Red Hat have it)")
	cmd.MarkFlagsMutuallyExclusive("apply", "undo")
	return cmd
}

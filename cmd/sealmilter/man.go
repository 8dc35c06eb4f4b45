package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

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
				pages["milter.yaml.5"] = manConfig(string(text), date)
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
	p := newPage(name, 8, date)
	p.section("NAME")
	p.name(name, c.Short)
	p.section("SYNOPSIS")
	if c.Runnable() && c.HasParent() {
		p.bold(c.UseLine())
	}
	if c.HasAvailableSubCommands() {
		p.bold(c.CommandPath() + " COMMAND [flags]")
	}
	p.section("DESCRIPTION")
	if long := c.Long; long != "" {
		p.text(long)
	} else {
		p.text(strings.ToUpper(c.Short[:1]) + c.Short[1:] + ".")
	}
	var below []string
	for _, sub := range c.Commands() {
		if sub.Hidden || sub.Name() == "help" {
			continue
		}
		if below == nil {
			p.section("COMMANDS")
		}
		p.item(sub.Name(), sub.Short+"; see "+strings.ReplaceAll(sub.CommandPath(), " ", "-")+"(8).")
		below = append(below, strings.ReplaceAll(sub.CommandPath(), " ", "-")+"(8)")
		manCommands(pages, sub, date)
	}
	c.InitDefaultHelpFlag()
	if flags := c.NonInheritedFlags(); flags.HasAvailableFlags() {
		p.section("OPTIONS")
		p.verbatim(flags.FlagUsages())
	}
	if c.Example != "" {
		p.section("EXAMPLES")
		p.verbatim(c.Example)
	}
	p.section("EXIT STATUS")
	p.text("0: fine. 1: problems were found. 2: wrong usage.")
	if !c.HasParent() {
		manRoot(p)
		below = append(below, "milter.yaml(5)", "postconf(5)")
	} else {
		below = append(below, "sealmilter(8)", "milter.yaml(5)")
	}
	p.section("SEE ALSO")
	p.text(strings.Join(below, ", "))
	pages[name+".8"] = p.Bytes()
}

// manRoot is what sealmilter(8) says besides its commands.
func manRoot(p *page) {
	p.section("SERVICE")
	p.text(`The packages bring sealmilter.service and sealmilter.socket. systemd holds the
sockets, so that a restart, an upgrade or a crash refuses nobody: MTAs wait for a
moment. For that reason "systemctl stop sealmilter" alone does not last: the
next message starts it again. To stop it, take it out of the MTA's configuration
first, then "systemctl stop sealmilter.socket sealmilter.service".

After a bad change of milter.yaml the daemon goes on with the last configuration
that worked, over restarts and reboots, and says so in the log.

A socket unit with Service=sealmilter.service and FileDescriptorName=outbound (or
inbound) takes mail of that direction only, and nothing has to be guessed. systemd's
sockets stand in for the default of "listen"; addresses that milter.yaml names
itself are opened as well.`)
	p.section("SIGNALS")
	p.item("SIGHUP", "Read configuration and keys again; keep the old ones when the new ones are bad.")
	p.item("SIGTERM", "Finish the transactions in progress, then end. A second one ends at once.")
	p.section("FILES")
	p.item("/etc/sealmilter/milter.yaml", "The configuration, see milter.yaml(5).")
	p.item("/var/lib/sealmilter/keys/DOMAIN/SELECTOR.pem", "Private keys. No package script ever removes them.")
	p.item("/var/lib/sealmilter/last-good", "The last configuration that worked.")
	p.item("/run/sealmilter/milter.sock", "The socket.")
	p.item("/run/sealmilter/admin.sock", "For status and reload: a link to the folder in which the daemon makes its own sockets, /run/sealmilter/daemon.")
	p.item("/var/spool/postfix/sealmilter/milter.sock", "The socket for Postfix, by the drop-in /etc/systemd/system/sealmilter.socket.d/postfix.conf.")
}

// manConfig makes milter.yaml(5) of the documented example.
func manConfig(example, date string) []byte {
	p := newPage("milter.yaml", 5, date)
	p.section("NAME")
	p.name("milter.yaml", "configuration of sealmilter")
	p.section("DESCRIPTION")
	p.text(`/etc/sealmilter/milter.yaml is a YAML file. A file needs only what differs from the
defaults. "sealmilter check" prints every mistake with its line and what to do about
it; "systemctl reload sealmilter" takes a new file up, and a bad one changes nothing.

What follows is every option with its default and its meaning.`)
	p.section("OPTIONS")
	p.verbatim(example)
	p.section("SEE ALSO")
	p.text("sealmilter(8), sealmilter-check(8)")
	return p.Bytes()
}

// page writes roff with the man macros.
type page struct{ bytes.Buffer }

func newPage(name string, section int, date string) *page {
	p := &page{}
	fmt.Fprintf(p, ".TH %s %d %s \"sealmilter %s\" sealmilter\n", roff(strings.ToUpper(name)), section, date, roff(version))
	return p
}

// A hyphen is a minus, so that options can be copied.
var roffEscapes = strings.NewReplacer(`\`, `\e`, "-", `\-`)

func roff(s string) string { return roffEscapes.Replace(s) }

// line is one line of text, which must not look like a request.
func (p *page) line(s string) {
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		p.WriteString(`\&`)
	}
	p.WriteString(roff(s) + "\n")
}

func (p *page) section(title string) { p.WriteString(".SH " + title + "\n") }

// name is the line that whatis(1) reads; there a name's hyphens stay as they are.
func (p *page) name(name, short string) { fmt.Fprintf(p, "%s \\- %s\n", name, roff(short)) }

func (p *page) bold(s string) {
	p.WriteString(".nf\n.B ")
	p.WriteString(roff(s) + "\n.fi\n")
}

func (p *page) text(s string) {
	for l := range strings.Lines(s) {
		if l = strings.TrimSpace(l); l == "" {
			p.WriteString(".PP\n")
		} else {
			p.line(l)
		}
	}
}

func (p *page) item(term, s string) {
	p.WriteString(".TP\n.B " + roff(term) + "\n")
	p.line(s)
}

func (p *page) verbatim(s string) {
	p.WriteString(".nf\n")
	for l := range strings.Lines(strings.TrimRight(s, "\n")) {
		p.line(strings.TrimRight(l, " \n"))
	}
	p.WriteString(".fi\n")
}

package main

import (
	"encoding/json"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/inspect"
	"github.com/sealmilter/sealmilter/internal/mta"
	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/keys"
)

// keyFlags are the flags of every command that looks into the key folder.
type keyFlags struct{ config, dir, state string }

func (f *keyFlags) add(cmd *cobra.Command) {
	configFlag(cmd, &f.config)
	cmd.Flags().StringVar(&f.dir, "keys", "", "key `folder` (default: sign.keys of the configuration)")
	stateFlag(cmd, &f.state)
}

// load reads the configuration. Before there is one at the usual place, the
// defaults serve: keys come first when a host is set up.
func (f *keyFlags) load(cmd *cobra.Command) (*config.Config, error) {
	if !cmd.Flags().Changed("config") && !mta.Exists(f.config) {
		return config.Default(), nil
	}
	return f.read(config.Loader{}, cmd.ErrOrStderr())
}

// read adds what the daemon keeps of a database to the domains of the file.
func (f *keyFlags) read(l config.Loader, stderr io.Writer) (*config.Config, error) {
	cfg, err := readConfig(l, f.config, stderr)
	if err != nil {
		return nil, err
	}
	cfg, unknown := inspect.Listed(cfg, f.state)
	if unknown != nil {
		problem.Print(stderr, *unknown)
	}
	return cfg, nil
}

// loadForKeys is load where the name of our mail system does not matter: set-up
// finds one for a host whose own has no dot.
func (f *keyFlags) loadForKeys(cmd *cobra.Command) (*config.Config, error) {
	if !cmd.Flags().Changed("config") && !mta.Exists(f.config) {
		return config.Default(), nil
	}
	return f.read(config.Loader{Hostname: func() (string, error) { return noName, nil }}, cmd.ErrOrStderr())
}

// folder is the key folder: the flag's, else the configuration's.
func (f *keyFlags) folder(cmd *cobra.Command) (string, error) {
	if f.dir != "" {
		return f.dir, nil
	}
	cfg, err := f.loadForKeys(cmd)
	if err != nil {
		return "", err
	}
	return cfg.Sign.Keys, nil
}

// adminSocket is where a running daemon can be asked, "" when nobody says.
func (f *keyFlags) adminSocket() string {
	if cfg, _ := config.Load(f.config); cfg != nil {
		return cfg.Admin.Addr
	}
	return ""
}

// open loads the keys of the named domain, or of all configured ones, and the
// configuration that says where they are.
func (f *keyFlags) open(cmd *cobra.Command, args []string) (*keys.Store, []keys.Problem, *config.Config, error) {
	cfg, err := f.loadForKeys(cmd)
	if err != nil {
		return nil, nil, nil, err
	}
	if f.dir != "" {
		cfg.Sign.Keys = f.dir
	}
	if len(args) > 0 {
		domain, err := domain(args[0])
		if err != nil {
			return nil, nil, nil, err
		}
		cfg.Sign.Domains = only(cfg.Sign.Domains, domain)
	}
	store, problems := inspect.Keys(cfg)
	return store, problems, cfg, nil
}

// only reduces the listed domains to the one whose keys sign for the domain
// asked for: itself, or its closest parent. It need not be listed yet.
func only(listed []config.SignDomain, domain string) []config.SignDomain {
	for name, ok := domain, true; ok; _, name, ok = strings.Cut(name, ".") {
		for _, d := range listed {
			if d.Name == name && (d.Subdomains || name == domain) {
				return []config.SignDomain{d}
			}
		}
	}
	return []config.SignDomain{{Name: domain, Subdomains: true}}
}

// newKeyCommand is the command line that makes keys where the command at hand
// looked for them.
func (f *keyFlags) newKeyCommand(domain string) string {
	c := "sealmilter keys new " + domain
	if f.dir != "" {
		return c + " --keys " + f.dir
	}
	if f.config != defaultConfig {
		return c + " --config " + f.config
	}
	return c
}

// oneDomain is for commands with DOMAIN as their argument.
func oneDomain(cmd *cobra.Command, args []string) error {
	if len(args) == 1 {
		return nil
	}
	lines := []string{cmd.UseLine()}
	if len(args) > 1 {
		lines = nil
		for _, d := range words(args) {
			lines = append(lines, cmd.CommandPath()+" "+d)
		}
	} else if cfg, _ := config.Load(defaultConfig); cfg != nil && len(cfg.Sign.Domains) > 0 {
		lines = nil
		for _, d := range cfg.Sign.Domains[:min(len(cfg.Sign.Domains), 5)] {
			lines = append(lines, cmd.CommandPath()+" "+d.Name)
		}
	}
	return usage(strings.Join(lines, "; "), "one domain is wanted")
}

func badDomain(err error) error {
	return problem.Fail("give the domain as it stands after the @ of the addresses", "%w", err)
}

func printJSON(cmd *cobra.Command, v any) error {
	enc := json.NewEncoder(cmd.OutOrStdout())
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false) // no web page
	return enc.Encode(v)
}

// readConfig loads the file at path and prints every problem.
func readConfig(l config.Loader, path string, stderr io.Writer) (*config.Config, error) {
	cfg, problems := l.Load(path)
	for _, p := range inspect.Problems(problems, nil) {
		problem.Print(stderr, p)
	}
	if cfg == nil {
		return nil, problem.ErrShown
	}
	return cfg, nil
}

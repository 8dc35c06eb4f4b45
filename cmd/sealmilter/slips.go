package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/inspect"
	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/policy/tree"
)

// meant is the command line that was probably meant by one that cobra does not take,
// "" when nobody can tell.
func meant(root *cobra.Command, args []string, err error) string {
	if len(args) > 32 {
		return ""
	}
	at, rest := root, args
	for len(rest) > 0 {
		sub := child(at, rest[0])
		if sub == nil {
			break
		}
		at, rest = sub, rest[1:]
	}
	said := strings.Join(append(strings.Fields(at.CommandPath()), words(rest)...), " ")
	switch _, flag, unknown := strings.Cut(err.Error(), "unknown flag: --"); {
	case at.Name() == "setup" && (len(rest) == 0 || strings.HasPrefix(rest[0], "-")):
		return strings.Replace(said, "setup", "setup "+inspect.MTA(), 1)
	case at.Name() == "setup" && full(rest[0]):
		return at.CommandPath() + " " + inspect.MTA() + " --domain " + rest[0]
	case at.HasSubCommands() && len(rest) > 0:
		if near := tree.Nearest(rest[0], subcommands(at)); near != "" {
			return strings.Join(append([]string{at.CommandPath(), near}, words(rest[1:])...), " ")
		}
	case unknown:
		var names []string
		at.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		if near := tree.Nearest(flag, names); near != "" {
			return strings.Replace(said, "--"+flag, "--"+near, 1)
		}
	case at.HasParent() && at.Parent().Name() == "setup" && len(rest) > 0 && full(rest[0]):
		said = at.CommandPath()
		for _, a := range words(rest) {
			if full(a) {
				a = "--domain " + a
			}
			said += " " + a
		}
		return said
	}
	return ""
}

func child(of *cobra.Command, name string) *cobra.Command {
	for _, c := range of.Commands() {
		if c.Name() == name {
			return c
		}
	}
	return nil
}

func subcommands(of *cobra.Command) (names []string) {
	for _, c := range of.Commands() {
		if !c.Hidden {
			names = append(names, c.Name())
		}
	}
	return names
}

// words are arguments that can be pasted as they are; from the first one that cannot,
// nothing.
func words(args []string) []string {
	for i, a := range args {
		if a == "" || len(a) > 253 || strings.Trim(a, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._=/:,@") != "" {
			return args[:i]
		}
	}
	return args
}

// full reports whether s is a domain with a dot.
func full(s string) bool {
	_, err := resolve.CanonicalName(s)
	return err == nil && strings.Contains(strings.Trim(s, "."), ".") && len(words([]string{s})) == 1
}

// domain reads an argument that is a domain of ours.
func domain(arg string) (string, error) {
	name, err := resolve.CanonicalName(arg)
	switch {
	case err != nil:
		if inside := domainIn(arg); inside != "" {
			return "", problem.Fail("give the domain as it stands after the @ of the addresses: "+inside, "%w", err)
		}
		return "", badDomain(err)
	case !strings.Contains(name, "."):
		return "", problem.Fail("give the domain as it stands after the @ of the addresses, as example.com", "%s is no domain of mail: it has no dot", tree.Quote(arg))
	}
	return name, nil
}

// domainIn is the domain of an address or a URL, "" for none.
func domainIn(arg string) string {
	if _, rest, ok := strings.Cut(arg, "://"); ok {
		arg = rest
	}
	arg = strings.TrimPrefix(arg, "mailto:")
	arg, _, _ = strings.Cut(arg, "/")
	arg = strings.Trim(arg[strings.LastIndexByte(arg, '@')+1:], "<> .,;")
	if full(arg) {
		return arg
	}
	return ""
}

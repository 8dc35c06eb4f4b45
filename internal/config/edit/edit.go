// Package edit changes the text of milter.yaml: comments, order and everything
// else stay as they are. Whatever it cannot do without touching more it refuses,
// with the lines to write by hand. YAML is read to find the places and to see
// that the new text says what it should; it is never written by a library.
package edit

import (
	"net/netip"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/sealmilter/sealmilter/auth/resolve"
)

// Change is what set-up brings into a configuration. Zero values leave things
// as they are.
type Change struct {
	AuthservID string         // where none is set
	Listen     string         // where none is set
	MTA        string         // put in the place of another
	Domains    []string       // added to sign.domains
	Networks   []netip.Prefix // outbound.networks, where none are set
}

// Apply edits the text of a file: comments, order and everything else stay as
// they are. What it cannot do without touching more is an error that names the
// lines to write by hand.
func (c Change) Apply(data []byte) ([]byte, error) {
	text := string(data)
	crlf := strings.Contains(text, "\r\n") && strings.Count(text, "\r\n") == strings.Count(text, "\n")
	if crlf {
		text = strings.ReplaceAll(text, "\r\n", "\n")
	}
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	whole := text
	var err error
	step := func(f func(string) (string, error)) {
		if err == nil {
			text, err = f(text)
		}
	}
	if c.AuthservID != "" {
		step(func(s string) (string, error) { return setScalar(s, "authserv_id", c.AuthservID, false) })
	}
	if c.MTA != "" {
		step(func(s string) (string, error) { return setScalar(s, "mta", c.MTA, true) })
	}
	if c.Listen != "" {
		step(func(s string) (string, error) { return setItems(s, []string{c.Listen}, "listen") })
	}
	var networks []string
	for _, n := range c.Networks {
		networks = append(networks, n.String())
	}
	step(func(s string) (string, error) { return setItems(s, networks, "outbound", "networks") })
	step(func(s string) (string, error) { return addItems(s, c.missing(s), "sign", "domains") })
	switch {
	case err != nil:
		return nil, err
	case text == whole:
		return data, nil
	case crlf:
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	return []byte(text), nil
}

// missing are the domains that the file does not list, however it spells them.
func (c Change) missing(text string) []string {
	listed := map[string]bool{}
	if list := meant(lookup(document(text), "sign", "domains")); list != nil {
		for _, n := range list.Content {
			if n = meant(n); n != nil && n.Kind == yaml.MappingNode {
				n = meant(child(n, "name"))
			}
			if n != nil {
				listed[canonical(n.Value)] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(c.Domains), func(d string) bool { return listed[canonical(d)] })
}

func canonical(domain string) string {
	if name, err := resolve.CanonicalName(domain); err == nil {
		return name
	}
	return domain
}

// Package edit changes the text of milter.yaml: comments, order and everything
// else stay as they are. Whatever it cannot do without touching more it refuses,
// with the lines to write by hand. YAML is read to find the places and to see
// that the new text says what it should; it is never written by a library.
package edit

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
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
	if len(bytes.TrimSpace(data)) > 0 && data[len(data)-1] != '\n' {
		data = append(data, '\n')
	}
	var err error
	step := func(f func([]byte) ([]byte, error)) {
		if err == nil {
			data, err = f(data)
		}
	}
	if c.AuthservID != "" {
		step(func(d []byte) ([]byte, error) { return setScalar(d, "authserv_id", c.AuthservID, false) })
	}
	if c.MTA != "" {
		step(func(d []byte) ([]byte, error) { return setScalar(d, "mta", c.MTA, true) })
	}
	if c.Listen != "" {
		step(func(d []byte) ([]byte, error) {
			if has(d, "listen") {
				return d, nil
			}
			return append(d, fmt.Sprintf("listen: [%q]\n", c.Listen)...), nil
		})
	}
	var networks []string
	for _, n := range c.Networks {
		networks = append(networks, fmt.Sprintf("%q", n))
	}
	step(func(d []byte) ([]byte, error) {
		if len(networks) == 0 || has(d, "outbound", "networks") {
			return d, nil
		}
		return addItems(d, "outbound", "networks", networks)
	})
	step(func(d []byte) ([]byte, error) { return addItems(d, "sign", "domains", c.missing(d)) })
	return data, err
}

// missing are the domains that the file does not list.
func (c Change) missing(data []byte) []string {
	listed := map[string]bool{}
	if list := lookup(document(data), "sign", "domains"); list != nil {
		for _, n := range list.Content {
			if n.Kind == yaml.MappingNode {
				n = child(n, "name")
			}
			if n != nil {
				listed[strings.ToLower(n.Value)] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(c.Domains), func(d string) bool { return listed[d] })
}

package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/signing"
)

// specimen has one entry of each list of objects, with what an entry must have:
// what it holds besides is a default.
const specimen = `
listen: [{addr: "unix:/x"}]
sign: {domains: [{name: example.com}], senders: {rules: [{user: "*", from: ["{user}"]}]}}
verify: {dnsbl: [{zone: example.com}], trusted_authserv_ids: [{id: example.com, networks: [192.0.2.0/24]}]}
`

var required = []string{"listen.addr", "sign.domains.name", "verify.dnsbl.zone", "verify.trusted_authserv_ids.id", "verify.trusted_authserv_ids.networks",
	"sign.senders.rules.from"}

// alternatives: an entry has exactly one of them.
var alternatives = []string{"sign.senders.rules.user", "sign.senders.rules.client", "sign.senders.rules.local"}

// builtIn is what no file has to say, and an entry of each list.
type builtIn struct{ config, entries reflect.Value }

func defaults() (builtIn, error) {
	l := config.Loader{Hostname: func() (string, error) { return "host.example", nil }}
	entries, problems := l.Parse("specimen", []byte(specimen))
	if entries == nil {
		return builtIn{}, errors.New(problems.String())
	}
	return builtIn{reflect.ValueOf(config.Default()).Elem(), reflect.ValueOf(entries).Elem()}, nil
}

// field finds an option; inList is true below a list.
func (d builtIn) field(path string) (v reflect.Value, f reflect.StructField, inList bool) {
	v = d.config
	names := strings.Split(path, ".")
	for i, name := range names {
		if v.Kind() == reflect.Slice {
			// An entry of the same list in the specimen.
			in, _, _ := d.at(d.entries, names[:i])
			v, inList = in.Index(0), true
		}
		v, f = child(v, name)
	}
	return v, f, inList
}

func (d builtIn) at(v reflect.Value, names []string) (reflect.Value, reflect.StructField, bool) {
	var f reflect.StructField
	for _, name := range names {
		v, f = child(v, name)
	}
	return v, f, false
}

func child(v reflect.Value, name string) (reflect.Value, reflect.StructField) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if tag, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); tag == name {
			return v.Field(i), f
		}
	}
	panic("no option " + name + " in " + v.Type().String())
}

// written is a value as milter.yaml has it, in one line.
func written(v reflect.Value) (string, error) {
	var n yaml.Node
	if err := n.Encode(v.Interface()); err != nil {
		return "", err
	}
	if n.Style = yaml.FlowStyle; n.Kind == yaml.ScalarNode {
		n.Style = 0
	}
	out, err := yaml.Marshal(&n)
	return strings.Join(strings.Fields(string(out)), " "), err
}

// kinds says what a value of a type is.
var kinds = map[reflect.Type]string{
	reflect.TypeFor[bool]():                "true or false",
	reflect.TypeFor[int]():                 "a number",
	reflect.TypeFor[string]():              "a text",
	reflect.TypeFor[[]string]():            "a list",
	reflect.TypeFor[config.Size]():         "a size",
	reflect.TypeFor[time.Duration]():       "a time",
	reflect.TypeFor[config.FileMode]():     "a file mode",
	reflect.TypeFor[config.Address]():      "a socket's address",
	reflect.TypeFor[config.Tree]():         "rules",
	reflect.TypeFor[netip.Prefix]():        "a network",
	reflect.TypeFor[signing.UserPattern](): "a user",
	reflect.TypeFor[[]signing.Pattern]():   "a list of addresses and domains",
	reflect.TypeFor[[]netip.Addr]():        "a list of addresses",
	reflect.TypeFor[[]netip.Prefix]():      "a list of networks",
	reflect.TypeFor[[]netip.AddrPort]():    "a list of addresses, with or without a port",
}

func allowed(f reflect.StructField) string {
	kind := kinds[f.Type]
	if w := strings.Fields(f.Tag.Get("words")); len(w) > 0 {
		kind = "`" + strings.Join(w, "`, `") + "`"
	}
	if f.Type.Kind() == reflect.Slice && kind == "" {
		kind = "a list"
	}
	if s := f.Tag.Get("shape"); s != "" {
		kind = "a " + s
	}
	switch f.Tag.Get("check") {
	case "domain":
		kind = strings.Replace(strings.Replace(kind, "a text", "a domain", 1), "a list", "a list of names", 1)
	case "path":
		kind = "an absolute path"
	case "field":
		kind = "a list of header fields"
	}
	if lo, hi := f.Tag.Get("min"), f.Tag.Get("max"); lo != "" {
		kind += " from " + lo + " to " + hi
	}
	return kind
}

const head = `# milter.yaml

Every option with its default, made from [milter.yaml.example](../milter.yaml.example) and the program's own defaults by ` + "`make docs`" + `.
`

// page is the whole reference.
func page(example string) (string, error) {
	intro, about := comments(example)
	d, err := defaults()
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	b.WriteString(head + "\n" + markdown(intro[2:]))
	paths := config.Paths()
	for i, path := range paths {
		v, f, inList := d.field(path)
		fmt.Fprintf(&b, "\n%s %s\n\n", "###"[:min(2+strings.Count(path, "."), 3)], path)
		section := i+1 < len(paths) && strings.HasPrefix(paths[i+1], path+".")
		if !section || f.Type.Kind() == reflect.Slice {
			b.WriteString(strings.ToUpper(allowed(f)[:1]) + allowed(f)[1:] + ". ")
			text, err := written(v)
			switch {
			case err != nil:
				return "", fmt.Errorf("%s: %w", path, err)
			case inList && slices.Contains(required, path):
				b.WriteString("Each entry has one.\n")
			case slices.Contains(alternatives, path):
				b.WriteString("Each entry has one of user, client and local.\n")
			default:
				b.WriteString("Default: `" + text + "`.\n")
			}
		}
		if text := markdown(about[path]); text != "" {
			b.WriteString("\n" + text)
		}
	}
	return strings.ReplaceAll(b.String(), "\n\n\n", "\n\n"), nil
}

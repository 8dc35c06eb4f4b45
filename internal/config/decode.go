package config

import (
	"encoding"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/sealmilter/sealmilter/policy/tree"
)

// decoder fills a Config from a tree and collects every problem.
type decoder struct {
	problems Problems
	lines    map[string]int  // path of a value ("sign.domains[1].name") -> line
	empty    map[string]bool // paths that the file names and gives nothing
	whole    bool            // the file as a whole is no map
}

// nodeDecoder is a value with a form of its own, such as "a name or an object".
type nodeDecoder interface {
	decode(d *decoder, n *tree.Node, path string, tag reflect.StructTag)
}

func (d *decoder) fail(n *tree.Node, msg, hint string) {
	d.problems = append(d.problems, Problem{Line: n.Line, Message: msg, Hint: hint})
}

// failAt and warnAt are about a value that was decoded before.
func (d *decoder) failAt(path, msg, hint string) {
	d.problems = append(d.problems, Problem{Line: d.lines[path], Message: msg, Hint: hint})
}

func (d *decoder) warnAt(path, msg, hint string) {
	d.problems = append(d.problems, Problem{Line: d.lines[path], Message: msg, Hint: hint, Severity: Warning})
}

// value decodes n into v. Nothing (null) leaves the default.
func (d *decoder) value(n *tree.Node, v reflect.Value, path string, tag reflect.StructTag) {
	d.lines[path] = n.Line
	if n.Kind == tree.Null {
		d.empty[path] = true
		return
	}
	if x, ok := v.Addr().Interface().(nodeDecoder); ok {
		x.decode(d, n, path, tag)
		return
	}
	switch {
	case isText(v):
		if n.Kind != tree.Scalar {
			d.fail(n, fmt.Sprintf("%s must be a single value, not %s", path, n.Kind), colonHint(n))
			return
		}
		old := reflect.ValueOf(v.Interface())
		err := setText(v, n.Scalar, tag)
		if err == nil && lettersAsQuotes(n.Scalar, tag) {
			err = fmt.Errorf("%s has curly quotes around it", tree.Quote(n.Scalar))
		}
		if err != nil {
			hint := meant(v, n, path, tag)
			if hint == "" {
				hint = hintOf(err)
			}
			v.Set(old) // so that one mistake does not look like two
			d.fail(n, path+": "+err.Error(), hint)
			return
		}
		d.oddValue(n, v, path, tag)
	case v.Kind() == reflect.Struct:
		d.object(n, v, path)
	case v.Kind() == reflect.Slice:
		d.list(n, v, path, tag)
	default:
		panic("config: no decoder for " + v.Type().String()) // a mistake in Config, found by every test
	}
}

// list replaces the default by what the file says. With the tag `single` one
// entry need not be written as a list.
func (d *decoder) list(n *tree.Node, v reflect.Value, path string, tag reflect.StructTag) {
	if _, ok := tag.Lookup("single"); ok && (n.Kind == tree.Scalar || n.Kind == tree.Map) {
		n = &tree.Node{Kind: tree.List, Line: n.Line, Column: n.Column, Items: []tree.Node{*n}}
	}
	if n.Kind != tree.List {
		d.fail(n, fmt.Sprintf("%s must be a list, not %s", path, n.Kind), notAList(n))
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Items), len(n.Items)))
	for i := range n.Items {
		p := fmt.Sprintf("%s[%d]", path, i)
		if n.Items[i].Kind == tree.Null {
			d.fail(&n.Items[i], path+" has an empty entry", "")
			continue
		}
		d.value(&n.Items[i], v.Index(i), p, tag)
	}
}

// object decodes a map into a struct; a name that the struct lacks is an error.
func (d *decoder) object(n *tree.Node, v reflect.Value, path string) {
	if n.Kind != tree.Map {
		hint := ""
		if path == "" {
			hint = smallest
			d.whole = true
		}
		d.fail(n, fmt.Sprintf("%s must be a map, not %s", orFile(path), n.Kind), hint)
		return
	}
	names := fieldNames(v.Type())
	for i := range n.Keys {
		k := &n.Keys[i]
		f, ok := fieldByName(v.Type(), k.Scalar)
		if !ok {
			d.fail(k, fmt.Sprintf("unknown field %s in %s", tree.Quote(k.Scalar), orFile(path)), unknownHint(k.Scalar, path, names))
			continue
		}
		d.value(&n.Items[i], v.FieldByIndex(f.Index), join(path, k.Scalar), f.Tag)
	}
}

func orFile(path string) string {
	if path == "" {
		return "the file"
	}
	return path
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// unknownHint: a slip of the finger, a field of another section, or the list.
func unknownHint(name, path string, names []string) string {
	if t := strings.TrimFunc(strings.Trim(name, curly), oddBlank); t != name && slices.Contains(fieldWords(), t) {
		if strings.ContainsFunc(name, oddBlank) {
			return "a blank that is no plain space (a web page's, or Alt+Space) is a letter to YAML: write \"  " + t + ":\" with plain spaces"
		}
		return "curly quotes are letters to YAML: write " + t
	}
	if hint := misplaced[name]; hint != "" && (path == "" || path == "sign") {
		return hint
	}
	if n := tree.Nearest(name, names); n != "" {
		return fmt.Sprintf("did you mean %q?", n)
	}
	for _, p := range Paths() {
		if p == name || strings.HasSuffix(p, "."+name) {
			if i := strings.LastIndexByte(p, '.'); i >= 0 {
				return fmt.Sprintf("%q belongs in %s", name, p[:i])
			}
			return fmt.Sprintf("%q belongs at the left margin", name)
		}
	}
	return "known here: " + strings.Join(names, ", ")
}

// yamlName is a struct field's name in the file, "" for none.
func yamlName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	if name == "-" {
		return ""
	}
	return name
}

func fieldNames(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		if n := yamlName(t.Field(i)); n != "" {
			names = append(names, n)
		}
	}
	return names
}

func fieldByName(t reflect.Type, name string) (reflect.StructField, bool) {
	for i := range t.NumField() {
		if f := t.Field(i); name != "" && yamlName(f) == name {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

// Paths lists every field of the file with dots, "sign.domains.name", in the
// order of the file.
func Paths() []string { return paths(reflect.TypeFor[Config](), "") }

func paths(t reflect.Type, prefix string) []string {
	var all []string
	for i := range t.NumField() {
		f := t.Field(i)
		name := yamlName(f)
		if name == "" {
			continue
		}
		all = append(all, join(prefix, name))
		ft := f.Type
		if ft.Kind() == reflect.Slice {
			ft = ft.Elem()
		}
		if ft.Kind() == reflect.Struct && yamlFields(ft) {
			all = append(all, paths(ft, join(prefix, name))...)
		}
	}
	return all
}

// yamlFields tells our sections from values such as netip.Prefix.
func yamlFields(t reflect.Type) bool { return len(fieldNames(t)) > 0 }

// isText: written as one scalar.
func isText(v reflect.Value) bool {
	switch v.Addr().Interface().(type) {
	case *string, *bool, *int, *time.Duration, *netip.Prefix, *netip.Addr, *netip.AddrPort, encoding.TextUnmarshaler:
		return true
	}
	return false
}

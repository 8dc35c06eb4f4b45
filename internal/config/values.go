package config

import (
	"fmt"
	"io/fs"
	"reflect"
	"strconv"

	"github.com/sealmilter/sealmilter/policy/tree"
)

// Size is a number of bytes: "512", "128KiB", "1MiB".
type Size int64

// UnmarshalText reads a size.
func (s *Size) UnmarshalText(b []byte) error {
	n, err := tree.ParseSize(string(b))
	if err != nil {
		return hinted{tree.Quote(string(b)) + " is not a size", "write 65536, 128KiB or 1MiB"}
	}
	*s = Size(n)
	return nil
}

// MarshalText uses the largest unit that divides the size.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s Size) String() string {
	for _, u := range []struct {
		n    Size
		name string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if s >= u.n && s%u.n == 0 {
			return strconv.FormatInt(int64(s/u.n), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// FileMode is a file's permissions, octal.
type FileMode fs.FileMode

// UnmarshalText reads "0660", "660" or "0o660".
func (m *FileMode) UnmarshalText(b []byte) error {
	s := string(b)
	if len(s) > 2 && s[:2] == "0o" {
		s = s[2:]
	}
	n, err := strconv.ParseUint(s, 8, 32)
	if err != nil || n > 0o777 {
		return hinted{tree.Quote(string(b)) + " is not a file mode", `three octal digits, such as "0660"`}
	}
	*m = FileMode(n)
	return nil
}

// MarshalText is the mode with a leading zero.
func (m FileMode) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%04o", uint32(m)), nil }

// decode: a name, or {name, selectors, subdomains}.
func (s *SignDomain) decode(d *decoder, n *tree.Node, path string, _ reflect.StructTag) {
	type object SignDomain
	o := object{Subdomains: true}
	if n.Kind == tree.Scalar {
		f, _ := fieldByName(reflect.TypeFor[object](), "name")
		d.value(n, reflect.ValueOf(&o.Name).Elem(), path, f.Tag)
		if n.Scalar == "" {
			d.fail(n, path+": an empty name", "")
		}
	} else {
		d.object(n, reflect.ValueOf(&o).Elem(), path)
		d.required(n, "name", path)
	}
	*s = SignDomain(o)
}

// MarshalYAML writes the short form where it says everything.
func (s SignDomain) MarshalYAML() (any, error) {
	if s.Subdomains && len(s.Selectors) == 0 && s.As == "" {
		return s.Name, nil
	}
	type object SignDomain
	return object(s), nil
}

// decode: {zone: NAME}, or the name alone.
func (z *DNSBLZone) decode(d *decoder, n *tree.Node, path string, _ reflect.StructTag) {
	type object DNSBLZone
	var o object
	if n.Kind == tree.Scalar {
		f, _ := fieldByName(reflect.TypeFor[object](), "zone")
		d.value(n, reflect.ValueOf(&o.Zone).Elem(), path, f.Tag)
	} else {
		d.object(n, reflect.ValueOf(&o).Elem(), path)
		d.required(n, "zone", path)
	}
	*z = DNSBLZone(o)
}

// decode: {id, networks}, both of them: an id without networks would let
// anybody bring results.
func (t *TrustedID) decode(d *decoder, n *tree.Node, path string, _ reflect.StructTag) {
	type object TrustedID
	var o object
	d.object(n, reflect.ValueOf(&o).Elem(), path)
	d.required(n, "id", path)
	d.required(n, "networks", path)
	*t = TrustedID(o)
}

// required: the map n must set name to something.
func (d *decoder) required(n *tree.Node, name, path string) {
	if n.Kind != tree.Map {
		return
	}
	v := n.Get(name)
	if v == nil || v.Kind == tree.Null || v.Kind == tree.Scalar && v.Scalar == "" || v.Kind == tree.List && len(v.Items) == 0 {
		d.fail(n, fmt.Sprintf("%s has no %s", path, name), "")
	}
}

// decode keeps the tree; its shape is checked.
func (t *Tree) decode(d *decoder, n *tree.Node, path string, tag reflect.StructTag) {
	switch shape := tag.Get("shape"); {
	case shape == "map" && n.Kind != tree.Map:
		d.fail(n, fmt.Sprintf("%s must be a map, not %s", path, n.Kind), "")
	case shape == "list" && n.Kind != tree.List:
		d.fail(n, fmt.Sprintf("%s must be a list, not %s", path, n.Kind), notAList(n))
	default:
		t.Node = *n
	}
}

package config

import (
	"encoding"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/signing"
	"github.com/sealmilter/sealmilter/policy/tree"
)

const maxString = 1024 // bytes of any text in the file

// setText parses one scalar into v and checks it as its tags say.
func setText(v reflect.Value, s string, tag reflect.StructTag) error {
	if len(s) > maxString {
		return fmt.Errorf("longer than %d bytes", maxString)
	}
	var err error
	switch p := v.Addr().Interface().(type) {
	case *string:
		if err = checkString(&s, tag); err == nil {
			*p = s
		}
	case *bool:
		*p, err = parseBool(s)
	case *int:
		if *p, err = strconv.Atoi(s); err != nil {
			return fmt.Errorf("%s is not a whole number", tree.Quote(s))
		}
		err = inRange(int64(*p), s, tag, func(t string) (int64, error) { return strconv.ParseInt(t, 10, 64) })
	case *Size:
		if err = p.UnmarshalText([]byte(s)); err == nil {
			err = inRange(int64(*p), s, tag, tree.ParseSize)
		}
	case *time.Duration:
		if *p, err = twoLines(tree.ParseDuration, s); err == nil {
			err = inRange(int64(*p), s, tag, func(t string) (int64, error) { d, err := time.ParseDuration(t); return int64(d), err })
		}
	case *netip.Prefix:
		*p, err = twoLines(tree.ParsePrefix, s)
	case *signing.Pattern:
		*p, err = twoLines(signing.ParsePattern, s)
	case *signing.UserPattern:
		*p, err = twoLines(signing.ParseUserPattern, s)
	case *netip.Addr:
		*p, err = parseAddr(s)
	case *netip.AddrPort:
		*p, err = parseServer(s)
	case encoding.TextUnmarshaler:
		err = p.UnmarshalText([]byte(s))
	}
	return err
}

// inRange checks the tags min and max.
func inRange(n int64, s string, tag reflect.StructTag, parse func(string) (int64, error)) error {
	for _, side := range []string{"min", "max"} {
		limit, ok := tag.Lookup(side)
		if !ok {
			continue
		}
		l, err := parse(limit)
		if err != nil {
			return err
		}
		if side == "min" && n < l || side == "max" && n > l {
			return hinted{fmt.Sprintf("%s is out of range", s), fmt.Sprintf("from %s to %s", tag.Get("min"), tag.Get("max"))}
		}
	}
	return nil
}

func parseBool(s string) (bool, error) {
	switch s {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	hint := "write true or false"
	switch strings.ToLower(s) {
	case "yes", "on", "y", "1", "true":
		hint = "write true"
	case "no", "off", "n", "0", "false":
		hint = "write false"
	}
	return false, hinted{tree.Quote(s) + " is neither true nor false", hint}
}

// twoLines reads a value whose error has its hint in a second line.
func twoLines[T any](parse func(string) (T, error), s string) (T, error) {
	v, err := parse(s)
	if err != nil {
		msg, hint, _ := strings.Cut(err.Error(), "\n")
		return v, hinted{msg, hint}
	}
	return v, nil
}

func parseAddr(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, hinted{tree.Quote(s) + " is not an IP address", "192.0.2.1 or 2001:db8::1"}
	}
	return a.Unmap(), nil
}

// parseServer reads a name server: address, or address and port.
func parseServer(s string) (netip.AddrPort, error) {
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return netip.AddrPortFrom(a.Unmap(), 53), nil
	}
	ap, err := netip.ParseAddrPort(s)
	if err != nil || ap.Port() == 0 {
		return netip.AddrPort{}, hinted{tree.Quote(s) + " is not the address of a name server", `write "127.0.0.1:53" or "[::1]:53"; names cannot be looked up yet`}
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), nil
}

// checkString checks a text as its tags say, and may put it into its one form.
func checkString(s *string, tag reflect.StructTag) error {
	if i := strings.IndexFunc(*s, func(r rune) bool { return r < ' ' || r == 0x7f }); i >= 0 {
		return fmt.Errorf("a control character (byte %d)", i+1)
	}
	if words, ok := tag.Lookup("words"); ok {
		allowed := strings.Fields(words)
		if slices.Contains(allowed, *s) {
			return nil
		}
		return hinted{"unknown word " + tree.Quote(*s), tree.DidYouMean(*s, allowed)}
	}
	if *s == "" {
		return nil // whether it may be empty is a matter of check.go
	}
	switch tag.Get("check") {
	case "domain":
		c, err := resolve.CanonicalName(*s)
		if err != nil {
			return hinted{tree.Quote(*s) + " is not a domain name", domainHint(*s)}
		}
		*s = c
	case "path":
		if !filepath.IsAbs(*s) {
			return hinted{tree.Quote(*s) + " is not an absolute path", "begin it with /"}
		}
		*s = filepath.Clean(*s)
	case "token":
		if len(*s) > 64 || strings.ContainsAny(*s, " \t:,/") {
			return fmt.Errorf("%s is not a name", tree.Quote(*s))
		}
	case "field":
		// RFC 5322 §3.6.8.
		if len(*s) > 76 || strings.ContainsFunc(*s, func(r rune) bool { return r <= ' ' || r > '~' || r == ':' || r == ';' }) {
			return hinted{tree.Quote(*s) + " is not a header field name", "without colon"}
		}
	case "hostport":
		host, port, err := net.SplitHostPort(*s)
		if n, e := strconv.ParseUint(port, 10, 16); err != nil || e != nil || n == 0 || strings.ContainsAny(host, " /") {
			return hinted{tree.Quote(*s) + " is not HOST:PORT", `write "127.0.0.1:8890"`}
		}
	}
	return nil
}

func domainHint(s string) string {
	if _, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return "this is an address; write the domain that stands behind the @ of From, such as example.com"
	}
	switch {
	case strings.HasPrefix(s, ".") && len(s) > 1:
		return fmt.Sprintf("write %s; subdomains are included", s[1:])
	case strings.HasPrefix(s, "*."):
		return fmt.Sprintf("write %s; subdomains are included", s[2:])
	case strings.Contains(s, "@"):
		return "only the part behind the @"
	case strings.Contains(s, "://"), strings.Contains(s, "/"):
		return "only the name, no URL"
	}
	return ""
}

package config

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"time"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/policy/tree"
)

// Loader reads configurations. The zero Loader is ready.
type Loader struct {
	// Hostname is this host's fully qualified name, for authserv_id; nil asks
	// the system.
	Hostname func() (string, error)
}

// Load reads a file as Loader.Load does.
func Load(path string) (*Config, Problems) { return Loader{}.Load(path) }

// Parse reads a text as Loader.Parse does.
func Parse(name string, data []byte) (*Config, Problems) { return Loader{}.Parse(name, data) }

// Load reads the file at path. The Config is nil when one of the problems is
// an error.
func (l Loader) Load(path string) (*Config, Problems) {
	data, problems := readFile(path)
	if problems != nil {
		return nil, problems
	}
	return l.Parse(path, data)
}

// Parse reads a configuration; name stands for it in problems.
func (l Loader) Parse(name string, data []byte) (*Config, Problems) {
	file, problems := parseTree(data)
	if file == nil {
		return nil, problems.tidy(name)
	}
	d := &decoder{lines: map[string]int{}, empty: map[string]bool{}}
	c := defaults()
	d.object(file, reflect.ValueOf(c).Elem(), "")
	if d.whole {
		return nil, notAMap(data, d.problems).tidy(name)
	}
	l.authservID(d, c)
	d.check(c)
	d.checkUnbuilt(c)
	if problems = d.problems.tidy(name); problems.Failed() {
		return nil, problems
	}
	return c, problems
}

// authservID fills in the default. RFC 8601 §2.5: the id must be unique to
// this ADMD, or forged fields cannot be told from ours.
func (l Loader) authservID(d *decoder, c *Config) {
	const hint = "set authserv_id to the name of your mail system, such as mail.example.com"
	if id := c.AuthservID; id != "" {
		if isLocalhost(id) {
			d.failAt("authserv_id", "authserv_id: "+id+" is the name of every host", hint)
		} else if !strings.Contains(id, ".") {
			d.warnAt("authserv_id", "authserv_id: "+id+" has no dot; another site may use the same", hint)
		}
		return
	}
	if d.failedAt(d.lines["authserv_id"]) && d.lines["authserv_id"] > 0 || d.misspelled("authserv_id") {
		return
	}
	id, err := l.HostID()
	if err != nil {
		d.failAt("authserv_id", "authserv_id is not set, and "+err.Error(), hint+"; next: sealmilter setup postfix --domain YOUR.DOMAIN does it")
		return
	}
	c.AuthservID = id
}

// HostID is the authserv-id of a host whose configuration gives none: its own
// name, which must have a dot.
func (l Loader) HostID() (string, error) {
	hostname := l.Hostname
	if hostname == nil {
		hostname = systemHostname
	}
	name, err := hostname()
	if err != nil {
		return "", fmt.Errorf("the name of this host is unknown: %w", err)
	}
	id, err := resolve.CanonicalName(name)
	if err != nil || isLocalhost(id) || !strings.Contains(id, ".") {
		return "", fmt.Errorf("this host is only called %s", tree.Quote(name))
	}
	return id, nil
}

func isLocalhost(name string) bool {
	return name == "localhost" || strings.HasPrefix(name, "localhost.") || strings.HasSuffix(name, ".localhost")
}

// systemHostname is the host's name, completed by /etc/hosts or the DNS where
// it has no dot.
func systemHostname() (string, error) {
	name, err := os.Hostname()
	if err != nil || strings.Contains(name, ".") {
		return name, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if full, err := net.DefaultResolver.LookupCNAME(ctx, name); err == nil && strings.Contains(strings.TrimSuffix(full, "."), ".") {
		return strings.TrimSuffix(full, "."), nil
	}
	return name, nil
}

// usualPath is where packages and setup put the configuration.
const usualPath = "/etc/sealmilter/milter.yaml"

// maxOrigin is room for the first line of a last good copy.
const maxOrigin = 16 << 10

// readFile reads at most a little more than a configuration may have, so that
// parseTree sees that it is too large.
func readFile(path string) ([]byte, Problems) {
	fail := func(err error) ([]byte, Problems) {
		p := Problem{File: path, Message: "cannot be read: " + reason(err)}
		p.Hint = readHint(path, err)
		return nil, Problems{p}
	}
	f, err := os.Open(path)
	if err != nil {
		return fail(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+maxOrigin))
	if err != nil {
		return fail(err)
	}
	return data, nil
}

// readHint: the file at path cannot be read.
func readHint(path string, err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist) && path == usualPath:
		return "sealmilter setup postfix --domain example.com makes it; by hand, " + smallest
	case errors.Is(err, fs.ErrNotExist):
		return smallest
	case errors.Is(err, fs.ErrPermission):
		return "do it as root, or as the user that the daemon runs as"
	case errors.Is(err, syscall.EISDIR):
		return "name the file in it: " + filepath.Join(path, filepath.Base(usualPath))
	}
	return ""
}

// reason is an error of package os without the path, which stands before it.
func reason(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

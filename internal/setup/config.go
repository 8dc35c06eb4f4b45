package setup

import (
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sealmilter/sealmilter/auth/resolve"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/config/edit"
	"github.com/sealmilter/sealmilter/internal/postfix"
)

// configPlan is milter.yaml as it is and as it will be.
type configPlan struct {
	path     string
	old, new string
	cfg      *config.Config // of new
	milter   postfix.Endpoint
	listens  bool // listen is new: the daemon has to start again
	dropIn   bool // systemd's socket unit has to open milter as well
	existed  bool
}

const newConfigHead = "# Written by `sealmilter setup`. Every option is in milter.yaml.example;\n# `sealmilter check` shows mistakes and the effective values.\n"

// mtaPlan is what milter.yaml has to know of the MTA.
type mtaPlan struct {
	mta  string
	name string // of the host, as the MTA says it
	// socket chooses one that the MTA can see: listen is what the file has to say
	// for it, dropIn that systemd has to open it first.
	socket func(*config.Config) (milter postfix.Endpoint, listen string, dropIn bool)
}

// postfixPlan is for Postfix. Where systemd owns the sockets (bySystemd), it opens
// that one: only there can a service without rights have a socket of Postfix's group.
func postfixPlan(h postfix.Host, bySystemd bool) mtaPlan {
	return mtaPlan{"postfix", h.Values.Get("myhostname"), func(now *config.Config) (e postfix.Endpoint, listen string, dropIn bool) {
		if isDefaultListen(now) && bySystemd {
			e = postfix.Endpoint{Unix: inQueue(h)}
			st, err := os.Lstat(filepath.Dir(e.Unix))
			return e, "", !opened(e.Unix, h.Values.Get("mail_owner")) || err == nil && !roots(st)
		}
		e, listen = chooseSocket(now, h)
		return e, listen, false
	}}
}

// planConfig works out milter.yaml: the domains, the MTA, our networks, and a
// socket that the MTA can see.
func planConfig(path string, domains []string, nets []netip.Prefix, m mtaPlan) (*configPlan, config.Problems, error) {
	c := &configPlan{path: path}
	data, err := os.ReadFile(path)
	switch {
	case err == nil:
		c.existed, c.old = true, string(data)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, nil, err
	}
	text := c.old
	if !c.existed {
		text = newConfigHead
	}
	change := edit.Change{MTA: m.mta, Domains: domains, Networks: nets}
	now, problems := config.Parse(path, []byte(text))
	if now == nil { // only the name may be missing
		change.AuthservID = authservID(m.name, domains)
		named, err := edit.Change{AuthservID: change.AuthservID}.Apply([]byte(text))
		if err != nil {
			return nil, problems, nil
		}
		if now, _ = config.Parse(path, named); now == nil {
			return nil, problems, nil
		}
	} else if !c.existed {
		change.AuthservID = authservID(m.name, domains)
	}
	change.Networks = slices.DeleteFunc(slices.Clone(nets), func(n netip.Prefix) bool {
		return slices.ContainsFunc(now.Inbound.Relays, n.Overlaps)
	})
	c.milter, change.Listen, c.dropIn = m.socket(now)
	c.listens = change.Listen != ""
	out, err := change.Apply([]byte(text))
	if err != nil {
		return nil, nil, err
	}
	c.new = string(out)
	if c.cfg, problems = config.Parse(path, out); c.cfg != nil {
		err = provable(c.cfg, domains)
	}
	return c, problems, err
}

// authservID is the MTA's own name, or the first domain where that is no name
// that the world could know.
func authservID(host string, domains []string) string {
	name, err := resolve.CanonicalName(host)
	if err != nil || !strings.Contains(name, ".") || strings.HasPrefix(name, "localhost.") || strings.HasSuffix(name, ".localdomain") || strings.HasSuffix(name, ".invalid") {
		return domains[0]
	}
	return name
}

// chooseSocket finds the listener that Postfix can use. What the file says
// stands. Without that the usual socket serves, or one below the queue directory
// where Postfix is chrooted, which systemd may have opened already; listen is
// what the file then has to say.
func chooseSocket(cfg *config.Config, h postfix.Host) (e postfix.Endpoint, listen string) {
	queue, below := h.Values.Get("queue_directory"), inQueue(h)
	var all []postfix.Endpoint
	for _, l := range cfg.Listen {
		if l.Direction != "inbound" {
			all = append(all, endpointOf(l.Addr))
		}
	}
	visible := func(e postfix.Endpoint) bool {
		return e.TCP != "" || !h.Chrooted() || strings.HasPrefix(e.Unix, queue+"/")
	}
	isDefault := isDefaultListen(cfg)
	switch i := slices.IndexFunc(all, visible); {
	case isDefault && answers(below):
		return postfix.Endpoint{Unix: below}, ""
	case i >= 0:
		return all[i], ""
	case isDefault:
		return postfix.Endpoint{Unix: below}, "unix:" + below
	case len(all) > 0:
		return all[0], ""
	}
	return endpointOf(cfg.Listen[0].Addr), ""
}

func isDefaultListen(cfg *config.Config) bool {
	return slices.Equal(cfg.Listen, config.Default().Listen)
}

// inQueue is the socket that a chrooted Postfix sees, and any other too.
func inQueue(h postfix.Host) string {
	return filepath.Join(h.Values.Get("queue_directory"), "sealmilter", "milter.sock")
}

func endpointOf(a config.Address) postfix.Endpoint {
	if a.Network == "unix" {
		return postfix.Endpoint{Unix: a.Addr}
	}
	host, port, _ := net.SplitHostPort(a.Addr)
	if ip, err := netip.ParseAddr(host); host == "" || host == "localhost" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return postfix.Endpoint{TCP: net.JoinHostPort(host, port)}
}

func answers(path string) bool {
	c, err := net.Dial("unix", path)
	if err == nil {
		c.Close()
	}
	return err == nil
}

// origin is the domain of mail that programs on this host send.
func origin(h postfix.Host) string {
	v := h.Values.Get("myorigin")
	if strings.HasPrefix(v, "/") { // Debian
		data, _ := os.ReadFile(v)
		v, _, _ = strings.Cut(string(data), "\n")
	}
	name, err := resolve.CanonicalName(strings.TrimSpace(v))
	if err != nil {
		return ""
	}
	return name
}

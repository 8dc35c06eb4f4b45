package config

import (
	"fmt"
	"time"
)

// checkRotate looks at sign.rotate as a whole.
func (d *decoder) checkRotate(c *Config) {
	r := c.Sign.Rotate
	need := map[string]string{"server": "rfc2136", "tsig_file": "rfc2136", "hook": "hook"}
	has := map[string]bool{"server": len(r.Server) > 0, "tsig_file": r.TSIGFile != "", "hook": r.Hook != ""}
	for _, name := range []string{"server", "tsig_file", "hook"} {
		switch path := "sign.rotate." + name; {
		case need[name] == r.Publish && !has[name] && !d.failedAt(d.lines[path]):
			d.failAt("sign.rotate", fmt.Sprintf("publish: %s needs %s", r.Publish, path), publishing[r.Publish])
		case need[name] != r.Publish && has[name]:
			d.failAt(path, fmt.Sprintf("%s means nothing with publish: %s", path, r.Publish), "write publish: "+need[name]+", or leave "+name+" away")
		}
	}
	if n := len(r.Turns); n != 0 && n != 2 {
		d.failAt("sign.rotate.turns", fmt.Sprintf("sign.rotate.turns are two selectors, not %d", n), "write turns: [s1, s2]")
	}
	d.twice("sign.rotate.turns", r.Turns)
	if r.Every > 0 && r.Every <= r.Delay+r.Overlap && len(r.Turns) > 0 {
		d.failAt("sign.rotate", "sign.rotate.turns: a selector is needed again before its record may go",
			fmt.Sprintf("every must be longer than delay and overlap together, %s", r.Delay+r.Overlap))
	}
	if c.Sign.Role == "follower" && r.Every > 0 {
		d.warnAt("sign.rotate.every", "a follower makes no keys: sign.rotate.every does nothing here", "it belongs to the host with role: master")
	}
	if r.Every > 0 && r.Every < 7*24*time.Hour && r.Publish == "none" {
		d.warnAt("sign.rotate.every", "new keys more often than once a week, and nobody publishes them", "with publish: none each pair waits until you have pasted its records")
	}
}

var publishing = map[string]string{
	"rfc2136": `write rotate: {publish: rfc2136, server: "192.0.2.53:53", tsig_file: /etc/sealmilter/tsig.key}`,
	"hook":    "write rotate: {publish: hook, hook: /usr/local/sbin/publish-dkim}",
}

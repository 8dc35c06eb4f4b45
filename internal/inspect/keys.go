package inspect

import (
	"os"
	"os/user"
	"strconv"
	"time"

	"github.com/sealmilter/sealmilter/internal/admin"
	"github.com/sealmilter/sealmilter/internal/assemble"
	"github.com/sealmilter/sealmilter/internal/asuser"
	"github.com/sealmilter/sealmilter/internal/config"
	"github.com/sealmilter/sealmilter/internal/problem"
	"github.com/sealmilter/sealmilter/keys"
)

// asRoot is what somebody does about files that are not theirs to see.
const asRoot = "run it as root (sudo)"

// packageUser is the daemon's in the packages' units.
const packageUser = "sealmilter"

// Keys reads the keys as the daemon will. Root can see what the daemon cannot, and
// so looks with its rights; others are told where their own end.
func Keys(cfg *config.Config) (*keys.Store, []keys.Problem) {
	if os.Geteuid() != 0 {
		store, problems := assemble.Keys(cfg, nil)
		for i := range problems {
			if problems[i].Denied && stranger(cfg.Sign.Keys) {
				problems[i].Hint = asRoot
			}
		}
		return store, problems
	}
	if uid, gid := daemonUser(cfg.Admin.Addr); uid > 0 {
		if store, problems, err := assemble.KeysAs(uid, gid, cfg); err == nil {
			return store, problems
		}
	}
	return assemble.Keys(cfg, nil)
}

// publishes says why the daemon cannot put records into the DNS although it should: root
// looks with the rights of the daemon's user.
func publishes(cfg *config.Config) (err error) {
	look := func() error {
		_, err := assemble.Publisher(cfg, time.Now)
		return err
	}
	if os.Geteuid() != 0 {
		return look()
	}
	if uid, gid := daemonUser(cfg.Admin.Addr); uid > 0 {
		if as := asuser.As(uid, gid, func() error { err = look(); return nil }); as == nil {
			return err
		}
	}
	return look()
}

// MadeForNobody warns of keys that root has made in a folder of its own, where the
// daemon cannot read them.
func MadeForNobody(dir, socket string) (problem.Problem, bool) {
	uid, _ := daemonUser(socket)
	owner, _, err := asuser.Owner(dir)
	if os.Geteuid() != 0 || uid == 0 || err != nil || owner == uid {
		return problem.Problem{}, false
	}
	name := strconv.Itoa(uid)
	if u, err := user.LookupId(name); err == nil {
		name = u.Username
	}
	return problem.Problem{Severity: problem.Warning, Place: dir, Message: "is not " + name + "'s, as whom the daemon runs: it cannot read keys there",
		Hint: "chown -Rh " + name + ": " + dir}, true
}

// daemonUser is the user of the running daemon, else that of the packages; 0 when
// there is none, or when it is root.
func daemonUser(socket string) (uid, gid int) {
	if socket != "" {
		if uid, gid, err := (admin.Client{Socket: socket}).User(); err == nil {
			return uid, gid
		}
	}
	u, err := user.Lookup(packageUser)
	if err != nil {
		return 0, 0
	}
	uid, errU := strconv.Atoi(u.Uid)
	gid, errG := strconv.Atoi(u.Gid)
	if errU != nil || errG != nil {
		return 0, 0
	}
	return uid, gid
}

// stranger reports whether we are neither root nor the owner of what path leads to.
func stranger(path string) bool {
	owner, _, err := asuser.Owner(path)
	return err != nil || owner != os.Geteuid()
}

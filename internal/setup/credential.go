package setup

import (
	"errors"
	"os/user"
	"strconv"
	"syscall"
)

// Credential is what initgroups(3) gives a user: Postfix's daemons get it, too.
func Credential(name string) (*syscall.Credential, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	ids, err := u.GroupIds()
	if err != nil {
		return nil, err
	}
	c := &syscall.Credential{}
	for _, s := range ids {
		if n, err := strconv.ParseUint(s, 10, 32); err == nil {
			c.Groups = append(c.Groups, uint32(n))
		}
	}
	uid, errU := strconv.ParseUint(u.Uid, 10, 32)
	gid, errG := strconv.ParseUint(u.Gid, 10, 32)
	c.Uid, c.Gid = uint32(uid), uint32(gid)
	return c, errors.Join(errU, errG)
}

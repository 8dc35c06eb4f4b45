package milter

import (
	"bytes"
	"strings"

	gomilter "github.com/emersion/go-milter"

	mtaversion "github.com/sealmilter/sealmilter/internal/postfix/version"
)

// maxMacro bounds one macro's value; longer ones are cut.
const maxMacro = 1024

// macros is the snapshot of the macros that we use. The MTAs send a packet of
// them before each command, each with other names in it, so they are collected
// by what they describe: the connection or the message.
type macros struct {
	conn, msg map[string]string
}

// set takes a macro packet: the command that it precedes, then names and
// values, each ended by NUL.
func (m *macros) set(data []byte) {
	if len(data) == 0 {
		return
	}
	stage, rest := gomilter.Code(data[0]), data[1:]
	into := &m.msg
	if stage == gomilter.CodeConn || stage == gomilter.CodeHelo {
		into = &m.conn
	}
	for len(rest) > 0 {
		var name, value []byte
		name, rest, _ = bytes.Cut(rest, []byte{0})
		value, rest, _ = bytes.Cut(rest, []byte{0})
		key := strings.Trim(string(name[:min(len(name), 64)]), "{}")
		switch key {
		case "i", "j", "v", "daemon_name", "auth_authen", "if_name":
		default:
			continue
		}
		if *into == nil {
			*into = map[string]string{}
		}
		(*into)[key] = string(value[:min(len(value), maxMacro)])
	}
}

// get returns the macro's latest value, "" when the MTA did not send it. Names
// are without braces.
func (m *macros) get(name string) string {
	if v, ok := m.msg[name]; ok {
		return v
	}
	return m.conn[name]
}

// endMessage forgets what belonged to the message.
func (m *macros) endMessage() { m.msg = nil }

// hidesFirst reports that the MTA says of itself that it is a Postfix that keeps
// the first field of every message from milters. A version that cannot be read
// counts as a new one.
func (m *macros) hidesFirst() bool {
	v, ok := mtaversion.FromMacro(m.get("v"))
	return ok && v.HidesFirst()
}

// sendmail reports positive evidence that the MTA is Sendmail: its version in
// v, which Postfix gives as "Postfix 3.7.11", or {if_name}, which Postfix does
// not have.
func (m *macros) sendmail() bool {
	v := m.get("v")
	if strings.HasPrefix(v, "Postfix") {
		return false
	}
	return strings.HasPrefix(v, "8.") || m.get("if_name") != ""
}

package keys

import (
	"os/user"
	"strconv"
	"strings"
)

// Severity says whether a Problem stops a key from being used.
type Severity string

const (
	// Warning: worth a line in the log; nothing is refused because of it.
	Warning Severity = "warning"
	// Error: the file or folder cannot be used as it is. `check` fails on it;
	// at run time the other keys and domains go on.
	Error Severity = "error"
)

// Problem is something that is wrong with a key file or folder.
type Problem struct {
	Path     string   `json:"path"`
	Domain   string   `json:"domain,omitempty"` // the domain that it concerns, "" for the key folder
	Severity Severity `json:"severity"`
	Message  string   `json:"message"`
	// Hint is what to do: as a rule a command line that can be pasted.
	Hint string `json:"hint,omitempty"`
	// Denied: it is a matter of owner and mode, and whoever is neither the owner
	// nor root sees nothing more.
	Denied bool `json:"-"`
}

// String is the form of the command line: "error: PATH: message", and below it
// "hint: ...".
func (p Problem) String() string {
	s := string(p.Severity) + ": " + p.Path + ": " + p.Message
	if p.Hint != "" {
		s += "\nhint: " + p.Hint
	}
	return s
}

// shellQuote returns path so that it can be pasted into a shell.
func shellQuote(path string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+@%:,", r)
	}
	if path != "" && strings.IndexFunc(path, func(r rune) bool { return !plain(r) }) < 0 {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

// userName is the name of uid, or its number where it has none.
func userName(uid int) string {
	id := strconv.Itoa(uid)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

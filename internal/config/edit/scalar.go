package edit

import "strings"

func setScalar(data []byte, name, value string, force bool) ([]byte, error) {
	n := lookup(document(data), name)
	switch {
	case n == nil:
		return append(data, name+": "+value+"\n"...), nil
	case n.Value == value, !force && n.Value != "":
		return data, nil
	}
	lines := strings.SplitAfter(string(data), "\n")
	line := lines[n.Line-1]
	key, rest, ok := strings.Cut(line, ":")
	if !ok {
		return nil, byHand(name + ": " + value)
	}
	comment := ""
	if i := strings.Index(rest, " #"); i >= 0 {
		comment = "  " + strings.TrimSpace(rest[i:])
	}
	lines[n.Line-1] = key + ": " + value + comment + "\n"
	return verified(lines, func(d []byte) bool { m := lookup(document(d), name); return m != nil && m.Value == value }, name+": "+value)
}

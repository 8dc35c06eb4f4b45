package postfix

import (
	"fmt"
	"strings"
)

// around is how many lines are shown around a change.
const around = 2

// Diff shows what changes in a file, in the unified form.
func Diff(name, before, after string) string {
	if before == after {
		return ""
	}
	a, b := lines(before), lines(after)
	ops := script(a, b)
	var out strings.Builder
	fmt.Fprintf(&out, "--- %s\n+++ %s\n", name, name)
	for i := 0; i < len(ops); {
		if ops[i].kind == ' ' {
			i++
			continue
		}
		start := max(0, i-around)
		end, quiet := i, 0
		for end < len(ops) && quiet <= 2*around {
			if ops[end].kind == ' ' {
				quiet++
			} else {
				quiet = 0
			}
			end++
		}
		end -= max(0, quiet-around)
		var n [2]int
		for _, o := range ops[start:end] {
			if o.kind != '+' {
				n[0]++
			}
			if o.kind != '-' {
				n[1]++
			}
		}
		fmt.Fprintf(&out, "@@ -%d,%d +%d,%d @@\n", ops[start].a+1, n[0], ops[start].b+1, n[1])
		for _, o := range ops[start:end] {
			fmt.Fprintf(&out, "%c%s\n", o.kind, o.text)
		}
		i = end
	}
	return out.String()
}

func lines(s string) []string {
	l := strings.Split(s, "\n")
	if l[len(l)-1] == "" {
		l = l[:len(l)-1]
	}
	return l
}

// op is one line of a diff, at lines a and b (from 0) of the two texts.
type op struct {
	kind byte // ' ', '-', '+'
	text string
	a, b int
}

// script finds the common lines. What begins and ends alike is cut off first, so
// that the table stays small.
func script(a, b []string) []op {
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	n, m := len(a)-tail, len(b)-tail
	common := make([][]int, n-head+1)
	for i := range common {
		common[i] = make([]int, m-head+1)
	}
	for i := n - 1; i >= head; i-- {
		for j := m - 1; j >= head; j-- {
			if a[i] == b[j] {
				common[i-head][j-head] = common[i-head+1][j-head+1] + 1
			} else {
				common[i-head][j-head] = max(common[i-head+1][j-head], common[i-head][j-head+1])
			}
		}
	}
	var ops []op
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			ops = append(ops, op{' ', a[i], i, j})
			i, j = i+1, j+1
		case i < n && (j >= m || common[i-head+1][j-head] >= common[i-head][j-head+1]):
			ops = append(ops, op{'-', a[i], i, j})
			i++
		default:
			ops = append(ops, op{'+', b[j], i, j})
			j++
		}
	}
	return ops
}

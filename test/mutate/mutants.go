package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
)

// mutant is one change of one line: the bytes from..to of a file become with.
type mutant struct {
	file     string // from the root of the repository
	decl     string // the function, method, constant or variable that it is in
	line     int
	from, to int
	with     string
	was      string // the bytes that go
	text     string // the line they begin in
	rows     []int  // places in the list of rows whose tests should notice
	// switched is how the change stands in the file beside all others, chosen when
	// the tests run; empty for one that needs a build of its own.
	switched []splice
	number   bool // the type of the number goes into the first splice
}

// splice is a change of a file's text: at..to becomes with, where "#" stands for
// the mutant's number. Of two at one place that which closes comes first.
type splice struct {
	at, to int
	with   string
	close  bool
}

// key names a mutant so that other changes of its file do not matter.
func (m mutant) key() string {
	return fmt.Sprintf("%s %s `%s`: %s -> %s", m.file, m.decl, oneLine(m.text), oneLine(m.was), oneLine(m.with))
}

func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if s == "" {
		s = "(nothing)"
	}
	if r := []rune(s); len(r) > 100 {
		s = string(r[:100]) + "..."
	}
	return s
}

// mutants returns the changes of the declarations called names in a file's
// text, all of them when there are no names.
func mutants(file string, src []byte, names []string) ([]mutant, error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, file, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	w := &walker{fset: fset, file: file, src: src}
	wanted := func(name string) bool { return len(names) == 0 || slices.Contains(names, name) }
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Body != nil && wanted(d.Name.Name) {
				w.decl = d.Name.Name
				ast.Inspect(d.Body, w.visit)
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				v, ok := s.(*ast.ValueSpec)
				if !ok || !slices.ContainsFunc(v.Names, func(n *ast.Ident) bool { return wanted(n.Name) }) {
					continue
				}
				w.decl = v.Names[0].Name
				for _, e := range v.Values {
					w.value(e)
				}
			}
		}
	}
	return w.out, nil
}

type walker struct {
	fset *token.FileSet
	file string
	src  []byte
	decl string
	out  []mutant
}

func (w *walker) add(from, to token.Pos, with string) *mutant {
	a, b := w.fset.Position(from), w.fset.Position(to)
	w.out = append(w.out, mutant{
		file: w.file, decl: w.decl, line: a.Line, from: a.Offset, to: b.Offset,
		with: with, was: string(w.src[a.Offset:b.Offset]), text: w.line(a.Offset),
	})
	return &w.out[len(w.out)-1]
}

// wrap puts open before n and shut behind it.
func (w *walker) wrap(n ast.Node, open, shut string) []splice {
	a, b := w.fset.Position(n.Pos()).Offset, w.fset.Position(n.End()).Offset
	return []splice{{a, a, open, false}, {b, b, shut, true}}
}

// line is the line round an offset.
func (w *walker) line(at int) string {
	before, after := w.src[:at], w.src[at:]
	before = before[bytes.LastIndexByte(before, '\n')+1:]
	if i := bytes.IndexByte(after, '\n'); i >= 0 {
		after = after[:i]
	}
	return string(before) + string(after)
}

// text is the source of a node.
func (w *walker) text(n ast.Node) string {
	return string(w.src[w.fset.Position(n.Pos()).Offset:w.fset.Position(n.End()).Offset])
}

func (w *walker) replace(n ast.Node, with string) *mutant { return w.add(n.Pos(), n.End(), with) }

// value changes what a constant or a table of variables holds: each number is
// one more, each entry of a list goes once.
func (w *walker) value(e ast.Expr) {
	ast.Inspect(e, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			ast.Inspect(n.Body, w.visit)
			return false
		case *ast.BasicLit:
			w.number(n)
		case *ast.CompositeLit:
			for i, el := range n.Elts {
				if i+1 < len(n.Elts) {
					w.add(el.Pos(), n.Elts[i+1].Pos(), "")
				} else if i > 0 {
					w.add(n.Elts[i-1].End(), el.End(), "")
				}
			}
		}
		return true
	})
}

func (w *walker) number(n *ast.BasicLit) {
	if n.Kind != token.INT || n.Value == "0" || n.Value == "1" { // no limits, but the ends of lists
		return
	}
	if v, err := strconv.ParseInt(strings.ReplaceAll(n.Value, "_", ""), 0, 64); err == nil {
		m := w.replace(n, strconv.FormatInt(v+1, 10))
		m.switched, m.number = w.wrap(n, "mutantNumber[?](#, ", ")"), true
	}
}

// opposite has the nearest other meaning of an operator: a comparison moves by
// one, a junction turns.
var opposite = map[token.Token]string{
	token.LSS: "<=", token.LEQ: "<", token.GTR: ">=", token.GEQ: ">", token.LAND: "||", token.LOR: "&&",
}

func (w *walker) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.IfStmt:
		w.negate(n.Cond)
	case *ast.ForStmt:
		if n.Cond != nil {
			w.operators(n.Cond)
		}
	case *ast.SwitchStmt:
		if n.Tag == nil {
			for _, c := range n.Body.List {
				for _, e := range c.(*ast.CaseClause).List {
					w.negate(e)
				}
			}
		}
	case *ast.ReturnStmt:
		for _, r := range n.Results {
			if id, ok := r.(*ast.Ident); ok && (id.Name == "true" || id.Name == "false") {
				m := w.replace(id, strconv.FormatBool(id.Name == "false"))
				m.switched = w.wrap(id, "mutantNot(#, ", ")")
				continue
			}
			w.operators(r)
		}
	case *ast.BlockStmt:
		w.statements(n.List)
	case *ast.CaseClause:
		w.statements(n.Body)
	}
	return true
}

// statements leaves each statement out that the rest may live without.
func (w *walker) statements(list []ast.Stmt) {
	for _, s := range list {
		switch s := s.(type) {
		case *ast.ExprStmt:
			if !strings.Contains(w.text(s), ".Grow(") { // saves time only
				w.leaveOut(s)
			}
		case *ast.IncDecStmt:
			w.leaveOut(s)
		case *ast.AssignStmt:
			if s.Tok != token.DEFINE {
				w.leaveOut(s)
			}
		}
	}
}

func (w *walker) leaveOut(s ast.Stmt) {
	w.replace(s, "").switched = w.wrap(s, "if !mutantOn(#) { ", " }")
}

func (w *walker) negate(cond ast.Expr) {
	w.replace(cond, "!("+w.text(cond)+")").switched = w.wrap(cond, "mutantNot(#, ", ")")
	w.operators(cond)
}

// operators changes what is inside a condition.
func (w *walker) operators(e ast.Expr) {
	ast.Inspect(e, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false // visited on its own
		case *ast.BinaryExpr:
			// "i >= 0" of an index that is -1 or a place: moved by one it is another
			// question, and mostly none.
			if lit, ok := n.Y.(*ast.BasicLit); ok && lit.Value == "0" {
				return true
			}
			if with, ok := opposite[n.Op]; ok {
				m := w.add(n.OpPos, n.OpPos+token.Pos(len(n.Op.String())), with)
				m.switched = w.operator(n, m.from, m.to)
			}
		case *ast.BasicLit:
			w.number(n)
		}
		return true
	})
}

// operator calls a function in place of an operator.
func (w *walker) operator(n *ast.BinaryExpr, from, to int) []splice {
	name := map[token.Token]string{
		token.LSS: "Less", token.LEQ: "LessEqual", token.GTR: "Greater", token.GEQ: "GreaterEqual", token.LAND: "And", token.LOR: "Or",
	}[n.Op]
	comma, shut := ", ", ")"
	if n.Op == token.LAND || n.Op == token.LOR {
		comma, shut = ", func() bool { return (", ") })"
	}
	s := w.wrap(n, "mutant"+name+"(#, ", shut)
	return append(s, splice{from, to, comma, false})
}

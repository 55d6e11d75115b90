package expr

import (
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/parser/lexer"
)

// Terms are the expressions that e is true of together, where it is several joined by
// `and`: e is what they are one after the other, until one is false. Of any other
// expression it is e itself.
func (e *Expr) Terms() []*Expr {
	whole := []*Expr{e}
	parts := conjuncts(e.src)
	tree, err := parser.Parse(e.src)
	if err != nil || len(parts) < 2 {
		return whole
	}
	nodes := spine(tree.Node)
	if len(nodes) != len(parts) {
		return whole
	}
	var terms []*Expr
	for i, part := range parts {
		own, err := parser.Parse(part)
		if err != nil || own.Node.String() != nodes[i].String() {
			return whole
		}
		term, err := Compile(part)
		if err != nil {
			return whole
		}
		terms = append(terms, term)
	}
	return terms
}

// spine are the operands of the outermost ands of a tree, from left to right.
func spine(n ast.Node) []ast.Node {
	if b, is := n.(*ast.BinaryNode); is && (b.Operator == "and" || b.Operator == "&&") {
		return append(spine(b.Left), spine(b.Right)...)
	}
	return []ast.Node{n}
}

// conjuncts cuts a text at the ands that stand in no bracket.
func conjuncts(src string) (parts []string) {
	tokens, err := lexer.Lex(file.NewSource(src))
	if err != nil {
		return nil
	}
	text, depth, from := []rune(src), 0, 0
	for _, t := range tokens {
		switch {
		case t.Kind == lexer.Bracket && strings.ContainsAny(t.Value, "([{"):
			depth++
		case t.Kind == lexer.Bracket:
			depth--
		case t.Kind == lexer.Operator && depth == 0 && (t.Value == "and" || t.Value == "&&"):
			parts = append(parts, string(text[from:t.From]))
			from = t.To
		}
	}
	return append(parts, string(text[from:]))
}

package expr

import (
	"fmt"

	"github.com/expr-lang/expr/ast"
)

// maxWork bounds one evaluation: each value that something is done with costs one,
// and a list, map or text as much more as it is long.
const maxWork = 5_000_000

// textUnit is how many bytes of text cost as much as one value.
const textUnit = 16

// measured is the function that the compiler puts around a value that something is
// done with. No expression can name it.
const measured = "#measured"

// work is what an evaluation may still do.
type work struct{ left int }

func (w *work) measure(args ...any) (any, error) {
	if w.spend(args[0]); w.left < 0 {
		return nil, fmt.Errorf("it takes more than %d steps", maxWork)
	}
	return args[0], nil
}

// spend counts a value with all that is in it, as far as there is anything left.
func (w *work) spend(v any) {
	if w.left--; w.left < 0 {
		return
	}
	switch v := v.(type) {
	case string:
		w.left -= len(v) / textUnit
	case []any:
		for i := 0; i < len(v) && w.left >= 0; i++ {
			w.spend(v[i])
		}
	case map[string]any:
		for k, e := range v {
			if w.left -= len(k) / textUnit; w.left < 0 {
				return
			}
			w.spend(e)
		}
	case []int: // a range
		w.left -= len(v)
	case []string:
		for i := 0; i < len(v) && w.left >= 0; i++ {
			w.spend(v[i])
		}
	}
}

// cheap are the functions whose work does not grow with their arguments.
var cheap = map[string]bool{"len": true, "type": true, "first": true, "last": true, "abs": true, "ceil": true, "floor": true, "round": true}

// cheapOperators do not look into their operands.
var cheapOperators = map[string]bool{"and": true, "&&": true, "or": true, "||": true, "??": true, "-": true, "*": true, "/": true, "%": true, "**": true, "^": true}

// meter puts measured around the arguments of functions, the operands of operators
// and the results of predicates.
type meter struct{}

func (meter) Visit(n *ast.Node) {
	switch x := (*n).(type) {
	case *ast.BuiltinNode:
		if !cheap[x.Name] {
			meterAll(x.Arguments)
		}
	case *ast.CallNode:
		if name, ok := x.Callee.(*ast.IdentifierNode); ok && name.Value != measured {
			meterAll(x.Arguments)
		}
	case *ast.BinaryNode:
		if !cheapOperators[x.Operator] {
			x.Left, x.Right = metered(x.Left), metered(x.Right)
		}
	case *ast.PredicateNode:
		x.Node = metered(x.Node)
	}
}

func meterAll(args []ast.Node) {
	for i := range args {
		args[i] = metered(args[i])
	}
}

func metered(n ast.Node) ast.Node {
	if _, is := n.(*ast.PredicateNode); is || isConstant(n) {
		return n
	}
	call := &ast.CallNode{Callee: &ast.IdentifierNode{Value: measured}, Arguments: []ast.Node{n}}
	call.SetLocation(n.Location())
	return call
}

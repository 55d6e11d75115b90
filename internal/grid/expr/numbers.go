package expr

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser/lexer"
	"github.com/expr-lang/expr/vm/runtime"

	"github.com/fanout-dev/fanout/internal/value"
)

// Of is a value as expressions see it. An int of more than 64 bits is the
// nearest float.
func Of(v value.Value) any { return plain(v.Any(), false) }

// OfScrap is a recorded value as expressions see it: Of, where the texts NaN,
// Infinity and -Infinity are the numbers that they stand for.
func OfScrap(v value.Value) any { return plain(v.Any(), true) }

// plain is a value as the library counts best: ints are int.
func plain(x any, specials bool) any {
	switch x := x.(type) {
	case int64:
		return int(x)
	case *big.Int:
		f, _ := new(big.Float).SetInt(x).Float64()
		return f
	case string:
		if f, ok := value.NonFinite(x); ok && specials {
			return f
		}
	case []any:
		for i := range x {
			x[i] = plain(x[i], specials)
		}
	case map[string]any:
		for k := range x {
			x[k] = plain(x[k], specials)
		}
	}
	return x
}

// longNumbers writes the ints of src that have more than 64 bits as floats,
// which is what expressions see of such values.
func longNumbers(src string) string {
	tokens, err := lexer.Lex(file.NewSource(src))
	if err != nil {
		return src // the compiler says it better
	}
	text, shift := []rune(src), 0
	for _, t := range tokens {
		if t.Kind != lexer.Number || strings.Trim(t.Value, "0123456789_") != "" {
			continue
		}
		if _, err := strconv.ParseInt(strings.ReplaceAll(t.Value, "_", ""), 10, 64); err != nil {
			at := t.To + shift
			text = append(text[:at], append([]rune(".0"), text[at:]...)...)
			shift += 2
		}
	}
	return string(text)
}

// orders are what < and the others do: false where a side is null, as they are
// where one is NaN.
var orders = map[string]func(args ...any) (any, error){
	"<": order(runtime.Less), "<=": order(runtime.LessOrEqual), ">": order(runtime.More), ">=": order(runtime.MoreOrEqual),
}

func order(holds func(a, b any) bool) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		return !runtime.IsNil(args[0]) && !runtime.IsNil(args[1]) && holds(args[0], args[1]), nil
	}
}

// rewriter makes comparisons calls of orders.
type rewriter struct{}

func (rewriter) Visit(n *ast.Node) {
	b, ok := (*n).(*ast.BinaryNode)
	if !ok || orders[b.Operator] == nil || isConstant(b.Left) && isConstant(b.Right) {
		return
	}
	ast.Patch(n, &ast.CallNode{Callee: &ast.IdentifierNode{Value: b.Operator}, Arguments: []ast.Node{b.Left, b.Right}})
}

// isConstant reports a literal, whose type the compiler knows.
func isConstant(n ast.Node) bool {
	switch n.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.StringNode, *ast.BoolNode:
		return true
	}
	return false
}

// intOf cuts off what is behind the point. A number that no int can hold stays
// a float.
func intOf(args ...any) (any, error) {
	if len(args) != 1 {
		return nil, fmt.Errorf("int takes one argument")
	}
	switch x := args[0].(type) {
	case int:
		return x, nil
	case int64:
		return int(x), nil
	case float64:
		if whole := math.Trunc(x); math.IsNaN(x) || math.Abs(whole) >= 1<<63 {
			return whole, nil
		}
		return int(x), nil
	case string:
		if n, err := strconv.Atoi(x); err == nil {
			return n, nil
		}
	}
	return nil, fmt.Errorf("int wants a number, not %v", args[0])
}

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

// sums are what + - * and sum do: where ints leave 64 bits, what the same floats
// do, as a value of more than 64 bits is a float, too.
var sums = map[string]func(args ...any) (any, error){
	"+":       add,
	"-":       minus,
	"*":       wide(runtime.Multiply, func(x, y, z int) bool { return x == 0 || z/x == y && !(x == -1 && y == math.MinInt) }),
	sumOfList: sumOf,
}

const sumOfList = "sum of" // no name that can be written

// wide is an operation that counts ints as floats where it does not fit.
func wide(of func(a, b any) any, fits func(x, y, z int) bool) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		z := of(args[0], args[1])
		x, isInt := args[0].(int)
		y, both := args[1].(int)
		if n, ok := z.(int); ok && isInt && both && !fits(x, y, n) {
			return of(float64(x), float64(y)), nil
		}
		return z, nil
	}
}

var (
	add      = wide(runtime.Add, func(x, y, z int) bool { return (z > x) == (y > 0) })
	subtract = wide(runtime.Subtract, func(x, y, z int) bool { return (z < x) == (y > 0) })
)

// minus is both the sign and the difference.
func minus(args ...any) (any, error) {
	if len(args) == 2 {
		return subtract(args...)
	}
	if args[0] == math.MinInt {
		return -float64(math.MinInt), nil
	}
	return runtime.Negate(args[0]), nil
}

func sumOf(args ...any) (any, error) {
	var total any = 0
	switch list := args[0].(type) {
	case []any:
		for _, x := range list {
			total, _ = add(total, x)
		}
	case []int:
		for _, x := range list {
			total, _ = add(total, x)
		}
	default:
		return nil, fmt.Errorf("sum wants a list, not %v", args[0])
	}
	return total, nil
}

// rewriter makes comparisons calls of orders, and sums calls of sums.
type rewriter struct{}

func (rewriter) Visit(n *ast.Node) {
	call := func(name string, args ...ast.Node) {
		ast.Patch(n, &ast.CallNode{Callee: &ast.IdentifierNode{Value: name}, Arguments: args})
	}
	switch x := (*n).(type) {
	case *ast.BinaryNode:
		constant := isConstant(x.Left) && isConstant(x.Right)
		switch {
		case orders[x.Operator] != nil && !constant, sums[x.Operator] != nil && (!constant || isInt(x.Left) && isInt(x.Right)):
			call(x.Operator, x.Left, x.Right)
		}
	case *ast.UnaryNode:
		if x.Operator == "-" && !isConstant(x.Node) {
			call("-", x.Node)
		}
	case *ast.BuiltinNode:
		if x.Name != "sum" || len(x.Arguments) == 0 {
			return
		}
		list := x.Arguments[0]
		if len(x.Arguments) > 1 {
			list = &ast.BuiltinNode{Name: "map", Arguments: x.Arguments}
		}
		call(sumOfList, list)
	}
}

func isInt(n ast.Node) bool {
	_, is := n.(*ast.IntegerNode)
	return is
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

package expr

import (
	"slices"
	"strconv"

	"github.com/expr-lang/expr/ast"
)

// byName is the function that names a value whose name is no identifier.
const byName = "column"

// named is the name that column("name") reads.
func named(call *ast.CallNode) (string, bool) {
	f, ok := call.Callee.(*ast.IdentifierNode)
	if !ok || f.Value != byName || len(call.Arguments) != 1 {
		return "", false
	}
	text, ok := call.Arguments[0].(*ast.StringNode)
	if !ok || text.Value == "$env" {
		return "", false
	}
	return text.Value, true
}

// Name is how an expression reads a name: as it is where it is an identifier,
// and otherwise with the function column.
func Name(name string) string {
	if e, err := Compile(name); err == nil && slices.Equal(e.names, []string{name}) {
		return name
	}
	return byName + "(" + strconv.QuoteToGraphic(name) + ")"
}

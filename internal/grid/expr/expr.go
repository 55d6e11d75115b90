// Package expr compiles and evaluates expressions over named values, such as
// "rate < 0.5 || region == 'apac'".
//
// In goes the text of an expression and then, as often as wanted, an environment
// of names; out comes a value. An expression reads nothing else, neither clock
// nor files, and its work is bounded.
package expr

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"

	"github.com/fanout-dev/fanout/internal/grid/internal/diagnostic"
)

// An Expr is a compiled expression. It may be used by several goroutines.
type Expr struct {
	src   string
	names []string
	reads []Read
	uses  map[string]use

	mu      sync.Mutex // guards what follows
	program *vm.Program
	machine vm.VM
	work    *work
}

const (
	maxNodes   = 1000
	maxMemory  = 100_000 // elements that ranges and lists may have, together
	maxText    = 1 << 20 // bytes of one text that an expression returns
	maxNesting = 2       // of predicates
	maxUses    = 16      // of # in predicates
)

// builtins are the library's functions that neither look at the world nor
// can produce much from little.
var builtins = []string{
	"all", "any", "one", "none", "count", "sum", "map", "filter", "find", "findIndex", "findLast", "findLastIndex",
	"len", "type", "abs", "ceil", "floor", "round", "float", "min", "max", "mean", "median", "first", "last", "sort", "keys", "values",
	"trim", "trimPrefix", "trimSuffix", "upper", "lower", "split", "indexOf", "lastIndexOf", "hasPrefix", "hasSuffix",
}

// functions are ours; dates are text in them.
var functions = map[string]func(args ...any) (any, error){
	"int":      intOf,
	"string":   stringOf,
	"join":     join,
	"replace":  replace,
	"strftime": strftime,
	"shift":    shift,
	"weekday":  weekday,
	"artifact": artifact,
}

// Compile reads an expression, such as "rate < 0.5 || region == 'apac'".
func Compile(src string) (*Expr, error) {
	v := &boundsVisitor{names: map[string]int{}, parts: map[string]int{}, calls: map[string]bool{}}
	w := &work{}
	// Without optimization: it would fold ranges and escape the memory budget.
	options := []expr.Option{
		expr.Env(map[string]any{}), expr.AllowUndefinedVariables(), expr.MaxNodes(maxNodes), expr.Optimize(false),
		expr.DisableAllBuiltins(), expr.Patch(v), expr.Patch(namesFirst{}), expr.Patch(rewriter{}), expr.Patch(meter{}),
		expr.Function(measured, w.measure),
	}
	for _, name := range builtins {
		options = append(options, expr.EnableBuiltin(name))
	}
	for name, f := range functions {
		options = append(options, expr.Function(name, f))
	}
	for _, ours := range []map[string]func(args ...any) (any, error){orders, sums} {
		for op, f := range ours {
			options = append(options, expr.Function(op, f))
		}
	}
	program, err := expr.Compile(longNumbers(src), options...)
	if err == nil {
		err = v.problem()
	}
	if err != nil {
		return nil, errorIn(src, err)
	}
	if v.optional {
		v.reads = nil
	}
	return &Expr{src: src, program: program, names: v.sorted(), reads: v.reads, uses: v.ways(), machine: vm.VM{MemoryBudget: maxMemory}, work: w}, nil
}

// errorIn gives the place in the expression, without the library's drawing of it.
func errorIn(src string, err error) error {
	if fe, ok := err.(*file.Error); ok {
		if fe.Column > 0 && len(src) < 200 {
			return fmt.Errorf("expression %q, at column %d: %s", src, fe.Column+1, inWords(fe.Message))
		}
		return fmt.Errorf("expression %q: %s", src, inWords(fe.Message))
	}
	return fmt.Errorf("expression %q: %s", src, inWords(err.Error()))
}

// boundsVisitor collects the names that an expression reads and refuses what
// could make its work large: a value can be used again only by its name in the
// point or by #, so that the result of an expression grows with its own length,
// and predicates nest no deeper than two lists.
type boundsVisitor struct {
	names   map[string]int
	calls   map[string]bool
	uses    int // of #
	nesting int
	let     bool

	parts    map[string]int // uses of a name for a field or a file of it
	reads    []Read
	optional bool
}

func (v *boundsVisitor) Visit(n *ast.Node) {
	switch x := (*n).(type) {
	case *ast.IdentifierNode:
		v.names[x.Value]++
	case *ast.PointerNode:
		v.uses++
	case *ast.VariableDeclaratorNode:
		v.let = true
	case *ast.BuiltinNode:
		v.calls[x.Name] = true
	case *ast.CallNode:
		v.file(x)
		if f, ok := x.Callee.(*ast.IdentifierNode); ok {
			v.names[f.Value]-- // visited before
			if name, ok := named(x); ok {
				v.names[name]++
			} else {
				v.calls[f.Value] = true
			}
		} else if !isArtifact(x.Callee) {
			v.calls["a method"] = true
		}
	case *ast.MemberNode:
		v.member(x)
	case *ast.BinaryNode:
		v.optional = v.optional || x.Operator == "??"
	case *ast.ChainNode:
		v.optional = true
	case *ast.PredicateNode:
		v.nesting = max(v.nesting, predicateDepth(x))
	}
}

// predicateDepth is how deep predicates nest in a node.
func predicateDepth(n ast.Node) int {
	v := depthVisitor{}
	v.walk(n, 0)
	return v.deepest
}

type depthVisitor struct{ deepest int }

func (v *depthVisitor) walk(n ast.Node, depth int) {
	switch x := n.(type) {
	case nil:
	case *ast.PredicateNode:
		v.deepest = max(v.deepest, depth+1)
		v.walk(x.Node, depth+1)
	default:
		for _, c := range children(n) {
			v.walk(c, depth)
		}
	}
}

// children are the nodes right below one.
func children(n ast.Node) []ast.Node {
	switch x := n.(type) {
	case *ast.UnaryNode:
		return []ast.Node{x.Node}
	case *ast.BinaryNode:
		return []ast.Node{x.Left, x.Right}
	case *ast.ChainNode:
		return []ast.Node{x.Node}
	case *ast.MemberNode:
		return []ast.Node{x.Node, x.Property}
	case *ast.SliceNode:
		return []ast.Node{x.Node, x.From, x.To}
	case *ast.CallNode:
		return append([]ast.Node{x.Callee}, x.Arguments...)
	case *ast.BuiltinNode:
		return x.Arguments
	case *ast.ConditionalNode:
		return []ast.Node{x.Cond, x.Exp1, x.Exp2}
	case *ast.VariableDeclaratorNode:
		return []ast.Node{x.Value, x.Expr}
	case *ast.SequenceNode:
		return x.Nodes
	case *ast.ArrayNode:
		return x.Nodes
	case *ast.MapNode:
		return x.Pairs
	case *ast.PairNode:
		return []ast.Node{x.Key, x.Value}
	}
	return nil
}

// known are the functions of the language, in order.
var known = slices.Sorted(slices.Values(slices.AppendSeq(slices.Clone(builtins), maps.Keys(functions))))

// namesFirst reads a name that is a function's, too, from the environment,
// unless it is called: the library takes it for the function.
type namesFirst struct{}

func (namesFirst) Visit(n *ast.Node) {
	switch x := (*n).(type) {
	case *ast.IdentifierNode:
		if _, is := slices.BinarySearch(known, x.Value); is {
			ast.Patch(n, &ast.MemberNode{Node: &ast.IdentifierNode{Value: "$env"}, Property: &ast.StringNode{Value: x.Value}})
		}
	case *ast.CallNode:
		if name, ok := named(x); ok {
			ast.Patch(n, &ast.MemberNode{Node: &ast.IdentifierNode{Value: "$env"}, Property: &ast.StringNode{Value: name}})
			return
		}
		if m, ok := x.Callee.(*ast.MemberNode); ok {
			if isArtifact(m) {
				x.Callee, x.Arguments = &ast.IdentifierNode{Value: "artifact"}, append([]ast.Node{m.Node}, x.Arguments...)
			} else if name, ok := m.Property.(*ast.StringNode); ok { // of $env, as there are no methods
				x.Callee = &ast.IdentifierNode{Value: name.Value}
			}
		}
	}
}

func (v *boundsVisitor) problem() error {
	for name := range v.calls {
		if name == byName {
			return fmt.Errorf("`column` takes one name in quotes, such as column(\"mean loss\")")
		}
		if !slices.Contains(known, name) {
			return fmt.Errorf("there is no function `%s`%s", name, diagnostic.DidYouMean(name, known))
		}
	}
	switch {
	case v.let:
		return fmt.Errorf("`let` is not part of the language")
	case v.names["$env"] > 0:
		return fmt.Errorf("`$env` is not part of the language")
	case v.nesting > maxNesting:
		return fmt.Errorf("predicates nest deeper than %d", maxNesting)
	case v.uses > maxUses:
		return fmt.Errorf("# is used more than %d times", maxUses)
	}
	return nil
}

func (v *boundsVisitor) sorted() []string {
	var out []string
	for n, uses := range v.names {
		if uses > 0 {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

// String is the text of the expression.
func (e *Expr) String() string { return e.src }

// Names are the names the expression reads, in order.
func (e *Expr) Names() []string { return e.names }

// Eval computes the expression. A name that env lacks is an error.
func (e *Expr) Eval(env map[string]any) (any, error) {
	for _, n := range e.names {
		if _, ok := env[n]; !ok {
			return nil, fmt.Errorf("expression %q: nothing is called `%s`%s", e.src, n, diagnostic.DidYouMean(n, slices.Sorted(maps.Keys(env))))
		}
	}
	e.mu.Lock()
	e.work.left = maxWork
	out, err := e.machine.Run(e.program, env)
	e.mu.Unlock()
	if err != nil {
		return nil, errorIn(e.src, err)
	}
	return out, nil
}

// Bool computes an expression that is true or false.
func (e *Expr) Bool(env map[string]any) (bool, error) {
	out, err := e.Eval(env)
	if err != nil {
		return false, err
	}
	b, ok := out.(bool)
	if !ok {
		return false, fmt.Errorf("expression %q: it is %v, which is neither true nor false", e.src, out)
	}
	return b, nil
}

package grid

import (
	"fmt"
	"math/big"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"
	"go.yaml.in/yaml/v3"

	"github.com/fanout-dev/fanout/internal/value"
)

// An Expr is an expression over the names of a point. It reads nothing else,
// neither clock nor environment, and its work is bounded: see boundsVisitor.
// It may be used by several goroutines.
type Expr struct {
	src   string
	names []string

	mu      sync.Mutex // guards what follows
	program *vm.Program
	machine vm.VM
}

const (
	maxExprNodes   = 1000
	maxExprMemory  = 100_000 // elements that ranges and lists may have, together
	maxExprText    = 1 << 20 // bytes of one text that an expression makes
	maxExprNesting = 2       // of predicates
	maxExprUses    = 16      // of # in predicates
)

// exprBuiltins are the library's functions that neither look at the world nor
// can make much of little.
var exprBuiltins = []string{
	"all", "any", "one", "none", "count", "sum", "map", "filter", "find", "findIndex", "findLast", "findLastIndex",
	"len", "type", "abs", "ceil", "floor", "round", "int", "float", "min", "max", "mean", "median", "first", "last", "sort", "keys", "values",
	"trim", "trimPrefix", "trimSuffix", "upper", "lower", "split", "indexOf", "lastIndexOf", "hasPrefix", "hasSuffix",
}

// exprFunctions are ours.
var exprFunctions = map[string]func(args ...any) (any, error){
	"string":   exprString,
	"join":     exprJoin,
	"replace":  exprReplace,
	"strftime": exprStrftime,
	"shift":    exprShift,
	"weekday":  exprWeekday,
}

// CompileExpr reads an expression, such as "rate < 0.5 || region == 'apac'".
func CompileExpr(src string) (*Expr, error) {
	v := &boundsVisitor{names: map[string]int{}, calls: map[string]bool{}}
	// Without optimization: it would fold ranges and escape the memory budget.
	options := []expr.Option{
		expr.Env(map[string]any{}), expr.AllowUndefinedVariables(), expr.MaxNodes(maxExprNodes), expr.Optimize(false),
		expr.DisableAllBuiltins(), expr.Patch(v),
	}
	for _, name := range exprBuiltins {
		options = append(options, expr.EnableBuiltin(name))
	}
	for name, f := range exprFunctions {
		options = append(options, expr.Function(name, f))
	}
	program, err := expr.Compile(src, options...)
	if err == nil {
		err = v.problem()
	}
	if err != nil {
		return nil, exprError(src, err)
	}
	return &Expr{src: src, program: program, names: v.sorted(), machine: vm.VM{MemoryBudget: maxExprMemory}}, nil
}

// exprError says where in the expression without the library's drawing of it.
func exprError(src string, err error) error {
	if fe, ok := err.(*file.Error); ok {
		if fe.Column > 0 && len(src) < 200 {
			return fmt.Errorf("expression %q, at column %d: %s", src, fe.Column+1, firstLine(fe.Message))
		}
		return fmt.Errorf("expression %q: %s", src, firstLine(fe.Message))
	}
	return fmt.Errorf("expression %q: %s", src, firstLine(err.Error()))
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// boundsVisitor collects the names that an expression reads and refuses what
// could make its work large: a value can be used again only by its name in the
// point or by #, so that what an expression makes grows with its own length,
// and predicates nest no deeper than two lists.
type boundsVisitor struct {
	names   map[string]int
	calls   map[string]bool
	uses    int // of #
	nesting int
	let     bool
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
		if f, ok := x.Callee.(*ast.IdentifierNode); ok {
			v.names[f.Value]-- // visited before
			v.calls[f.Value] = true
		} else {
			v.calls["a method"] = true
		}
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

func (v *boundsVisitor) problem() error {
	var functions []string
	functions = append(functions, exprBuiltins...)
	for name := range exprFunctions {
		functions = append(functions, name)
	}
	sort.Strings(functions)
	for name := range v.calls {
		if !contains(functions, name) {
			return fmt.Errorf("there is no function `%s`%s", name, didYouMean(name, functions))
		}
	}
	switch {
	case v.let:
		return fmt.Errorf("`let` is not part of the language")
	case v.names["$env"] > 0:
		return fmt.Errorf("`$env` is not part of the language")
	case v.nesting > maxExprNesting:
		return fmt.Errorf("predicates nest deeper than %d", maxExprNesting)
	case v.uses > maxExprUses:
		return fmt.Errorf("# is used more than %d times", maxExprUses)
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
	sort.Strings(out)
	return out
}

// Names are the names the expression reads, in order.
func (e *Expr) Names() []string { return e.names }

// Eval computes the expression. A name that env lacks is an error.
func (e *Expr) Eval(env map[string]any) (any, error) {
	for _, n := range e.names {
		if _, ok := env[n]; !ok {
			return nil, fmt.Errorf("expression %q: nothing is called `%s`%s", e.src, n, didYouMean(n, sortedNames(env)))
		}
	}
	e.mu.Lock()
	out, err := e.machine.Run(e.program, env)
	e.mu.Unlock()
	if err != nil {
		return nil, exprError(e.src, err)
	}
	return out, nil
}

// Bool computes an expression that says yes or no.
func (e *Expr) Bool(env map[string]any) (bool, error) {
	out, err := e.Eval(env)
	if err != nil {
		return false, err
	}
	b, ok := out.(bool)
	if !ok {
		return false, fmt.Errorf("expression %q: it says %v, which is neither true nor false", e.src, out)
	}
	return b, nil
}

func sortedNames(env map[string]any) []string {
	var out []string
	for n := range env {
		out = append(out, n)
	}
	sort.Strings(out)
	return out
}

// Our functions. Dates are text: 2026-01-31, or with a time.

func textArgs(name string, args []any, n int) ([]string, error) {
	if len(args) != n {
		return nil, fmt.Errorf("%s takes %d arguments, not %d", name, n, len(args))
	}
	out := make([]string, n)
	for i, a := range args {
		s, ok := a.(string)
		if !ok {
			return nil, fmt.Errorf("%s wants text, not %v", name, a)
		}
		out[i] = s
	}
	return out, nil
}

// exprString writes numbers as the canonical form does, so that text made of
// them does not change with the machine.
func exprString(args ...any) (any, error) {
	if len(args) != 1 {
		return nil, fmt.Errorf("string takes one argument")
	}
	if s, ok := args[0].(string); ok {
		return s, nil
	}
	v, err := value.Of(args[0])
	if err == nil && len(v.String()) > maxExprText {
		err = fmt.Errorf("the text is longer than %d bytes", maxExprText)
	}
	return v.String(), err
}

func exprJoin(args ...any) (any, error) {
	if len(args) == 1 {
		args = append(args, "")
	}
	if len(args) != 2 {
		return nil, fmt.Errorf("join takes a list and what to put between")
	}
	sep, ok := args[1].(string)
	parts, err := texts(args[0])
	if err != nil || !ok {
		return nil, fmt.Errorf("join wants a list of texts, and text to put between")
	}
	size := len(sep) * len(parts)
	for _, p := range parts {
		size += len(p)
	}
	if size > maxExprText {
		return nil, fmt.Errorf("the text is longer than %d bytes", maxExprText)
	}
	return strings.Join(parts, sep), nil
}

func texts(x any) ([]string, error) {
	switch x := x.(type) {
	case []string:
		return x, nil
	case []any:
		return textArgs("join", x, len(x))
	}
	return nil, fmt.Errorf("want a list, not %v", x)
}

func exprReplace(args ...any) (any, error) {
	s, err := textArgs("replace", args, 3)
	if err != nil {
		return nil, err
	}
	if len(s[0])+strings.Count(s[0], s[1])*len(s[2]) > maxExprText {
		return nil, fmt.Errorf("the text is longer than %d bytes", maxExprText)
	}
	return strings.ReplaceAll(s[0], s[1], s[2]), nil
}

func exprDate(s string) (time.Time, error) {
	t, _, err := absoluteDate(s, time.UTC)
	return t, err
}

func exprStrftime(args ...any) (any, error) {
	s, err := textArgs("strftime", args, 2)
	if err != nil {
		return nil, err
	}
	t, err := exprDate(s[0])
	if err != nil {
		return nil, err
	}
	if err := checkFormat(s[1]); err != nil {
		return nil, err
	}
	return strftime(t, s[1]), nil
}

// exprShift moves a date: shift("2026-03-31", "-1mo") is "2026-02-28".
func exprShift(args ...any) (any, error) {
	s, err := textArgs("shift", args, 2)
	if err != nil {
		return nil, err
	}
	t, layout, err := absoluteDate(s[0], time.UTC)
	if err != nil {
		return nil, err
	}
	moved, err := shifted(t, s[1])
	if err != nil {
		return nil, err
	}
	return moved.Format(layout), nil
}

// exprWeekday counts from 1, Monday, to 7, Sunday.
func exprWeekday(args ...any) (any, error) {
	s, err := textArgs("weekday", args, 1)
	if err != nil {
		return nil, err
	}
	t, err := exprDate(s[0])
	return (int(t.Weekday())+6)%7 + 1, err
}

// placedExpr is an expression of the sweep file.
type placedExpr struct {
	at *yaml.Node
	*Expr
}

func (d *decoder) expr(n *yaml.Node) *placedExpr {
	src := d.text(n, "an expression")
	if src == "" {
		return nil
	}
	e, err := CompileExpr(src)
	if err != nil {
		d.errorf(n, "%v", err)
		return nil
	}
	return &placedExpr{d.resolve(n), e}
}

// derived is a parameter computed from others.
type derived struct {
	name string
	key  *yaml.Node
	expr *placedExpr
}

func (s *Spec) decodeDerive(d *decoder, n *yaml.Node) {
	var all []derived
	for _, f := range d.fields(n, "a map of parameters to expressions") {
		d.checkParam(f.key, f.name)
		if e := d.expr(f.node); e != nil {
			all = append(all, derived{f.name, f.key, e})
		}
	}
	s.derive = inOrder(d, all)
}

// inOrder puts derived parameters behind those they read.
func inOrder(d *decoder, all []derived) []derived {
	var out []derived
	placed := map[string]bool{}
	waits := func(x derived) bool {
		return slices.ContainsFunc(all, func(y derived) bool { return !placed[y.name] && contains(x.expr.Names(), y.name) })
	}
	for len(out) < len(all) {
		before := len(out)
		for _, x := range all {
			if !placed[x.name] && !waits(x) {
				placed[x.name] = true
				out = append(out, x)
			}
		}
		if len(out) == before {
			for _, x := range all {
				if !placed[x.name] {
					d.errorf(x.key, "`%s` is derived from itself, directly or through others", x.name)
				}
			}
			return out
		}
	}
	return out
}

// expressions are the derived parameters of a grid by when they are computed.
type expressions struct {
	base, replicate []derived
	perReplicate    bool // where depends on the replicate
}

// replicateName is what expressions call the number of the replicate, unless
// a parameter has that name.
const replicateName = "replicate"

func (g *Grid) collectExpressions() expressions {
	var x expressions
	varies := map[string]bool{}
	if g.spec.Repeat.As != "" {
		varies[g.spec.Repeat.As] = true
	}
	if g.names[replicateName] == 0 {
		varies[replicateName] = true
	}
	reads := func(e *placedExpr) bool {
		return slices.ContainsFunc(e.Names(), func(n string) bool { return varies[n] })
	}
	for _, y := range g.spec.derive {
		if reads(y.expr) {
			varies[y.name] = true
			x.replicate = append(x.replicate, y)
		} else {
			x.base = append(x.base, y)
		}
	}
	x.perReplicate = g.spec.where != nil && reads(g.spec.where)
	return x
}

// readNames are all names that expressions read, directly or through derived
// parameters.
func (g *Grid) readNames(list ...*placedExpr) map[string]bool {
	out := map[string]bool{}
	var add func(e *Expr)
	add = func(e *Expr) {
		for _, n := range e.Names() {
			if out[n] {
				continue
			}
			out[n] = true
			for _, x := range g.spec.derive {
				if x.name == n {
					add(x.expr.Expr)
				}
			}
		}
	}
	for _, e := range list {
		if e != nil {
			add(e.Expr)
		}
	}
	return out
}

// env is what an expression sees of a point. A parameter that the point leaves
// to the template has the template's default, or is nil. The map is reused.
func (g *Grid) env(p Point, names []string, env map[string]any) map[string]any {
	if env == nil {
		env = map[string]any{}
	}
	for _, n := range names {
		v, ok := p.get(n)
		switch {
		case ok:
			env[n] = exprPlain(v.Any())
		case n == replicateName && g.names[n] == 0:
			env[n] = p.replicate
		case g.names[n] != 0:
			env[n] = exprPlain(g.declared[p.slot][n].Default.Any())
		default:
			delete(env, n)
		}
	}
	return env
}

// exprPlain is a value as the expression library counts best: ints are int.
func exprPlain(x any) any {
	switch x := x.(type) {
	case int64:
		return int(x)
	case *big.Int: // as near as may be
		f, _ := new(big.Float).SetInt(x).Float64()
		return f
	case []any:
		for i := range x {
			x[i] = exprPlain(x[i])
		}
	case map[string]any:
		for k := range x {
			x[k] = exprPlain(x[k])
		}
	}
	return x
}

// placed gives an error of an expression its place, and the values it read.
func (g *Grid) placed(x *placedExpr, p Point, err error) error {
	if err == nil {
		return nil
	}
	var read []value.Binding
	for _, n := range x.Names() {
		if v, ok := p.get(n); ok {
			read = append(read, value.Binding{Name: n, Value: v})
		}
	}
	e := &Error{File: g.spec.fileOf(x.at), Line: x.at.Line, Col: x.at.Column, Msg: err.Error()}
	if len(read) > 0 {
		e.Msg += ", where " + words(read)
	}
	return e
}

package grid

import (
	"fmt"
	"sort"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"
	"go.yaml.in/yaml/v3"
)

// An Expr is an expression over the names of a point. It can read nothing
// else, and its work is bounded.
type Expr struct {
	src     string
	program *vm.Program
	names   []string
}

// maxExprNodes bounds an expression; what it may allocate is bounded by the
// library.
const maxExprNodes = 1000

// CompileExpr reads an expression, such as "rate < 0.5 || region == 'apac'".
func CompileExpr(src string) (*Expr, error) {
	tree, err := parser.Parse(src)
	if err != nil {
		return nil, fmt.Errorf("expression %q: %w", src, err)
	}
	v := &nameVisitor{names: map[string]bool{}}
	ast.Walk(&tree.Node, v)
	program, err := expr.Compile(src, expr.AllowUndefinedVariables(), expr.MaxNodes(maxExprNodes))
	if err != nil {
		return nil, fmt.Errorf("expression %q: %w", src, err)
	}
	return &Expr{src: src, program: program, names: v.sorted()}, nil
}

type nameVisitor struct{ names map[string]bool }

func (v *nameVisitor) Visit(n *ast.Node) {
	if id, ok := (*n).(*ast.IdentifierNode); ok {
		v.names[id.Value] = true
	}
}

func (v *nameVisitor) sorted() []string {
	var out []string
	for n := range v.names {
		out = append(out, n)
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
	out, err := expr.Run(e.program, env)
	if err != nil {
		return nil, fmt.Errorf("expression %q: %w", e.src, err)
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
	expr *placedExpr
}

func (s *Spec) decodeDerive(d *decoder, n *yaml.Node) {
	var all []derived
	for _, f := range d.fields(n, "a map of parameters to expressions") {
		d.checkParam(f.key, f.name)
		if e := d.expr(f.node); e != nil {
			all = append(all, derived{f.name, e})
		}
	}
	s.derive = inOrder(d, all)
}

// inOrder puts derived parameters behind those they read.
func inOrder(d *decoder, all []derived) []derived {
	var out []derived
	placed := map[string]bool{}
	waits := func(x derived) bool {
		for _, y := range all {
			if !placed[y.name] && contains(x.expr.Names(), y.name) {
				return true
			}
		}
		return false
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
					d.errorf(x.expr.at, "`%s` is derived from itself, directly or through others", x.name)
				}
			}
			return out
		}
	}
	return out
}

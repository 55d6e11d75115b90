package grid

import (
	"fmt"
	"slices"

	"github.com/fanout-dev/fanout/internal/grid/expr"
	"github.com/fanout-dev/fanout/internal/grid/internal/expression"
	"github.com/fanout-dev/fanout/internal/value"
)

// What the file computes, as it is read.
type (
	placedExpr = expression.Placed
	derived    = expression.Of
)

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
		if reads(y.Expr) {
			varies[y.Name] = true
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
	var add func(e *expr.Expr)
	add = func(e *expr.Expr) {
		for _, n := range e.Names() {
			if out[n] {
				continue
			}
			out[n] = true
			for _, x := range g.spec.derive {
				if x.Name == n {
					add(x.Expr.Expr)
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
			env[n] = expr.Of(v)
		case n == replicateName && g.names[n] == 0:
			env[n] = p.replicate
		case g.names[n] != 0:
			env[n] = expr.Of(g.declared[p.slot][n].Default)
		default:
			delete(env, n)
		}
	}
	return env
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
	e := g.spec.reader.At(x.At)
	e.Msg = err.Error()
	if len(read) > 0 {
		e.Msg += ", where " + words(read)
	}
	return &e
}

// Placement is what the fields of `placement:` are for a point.
func (g *Grid) Placement(p Point) ([]value.Binding, error) { return g.placement(p, nil) }

func (g *Grid) placement(p Point, env map[string]any) ([]value.Binding, error) {
	out := slices.Clone(g.spec.Placement)
	for i, e := range g.spec.placement {
		if e == nil {
			continue
		}
		x, err := e.Eval(g.env(p, e.Names(), env))
		if err == nil {
			out[i].Value, err = value.Of(x)
		}
		if err != nil {
			return nil, g.placed(e, p, fmt.Errorf("placement `%s`: %w", out[i].Name, err))
		}
	}
	return out, nil
}

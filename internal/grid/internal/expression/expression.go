// Package expression reads the expressions of a sweep file.
//
// In goes a node of the file; out comes the compiled expression with its place,
// or a mistake with its own. Derived parameters come out behind those that they
// read. What an expression sees, and when it is evaluated, is package grid's.
package expression

import (
	"slices"

	"github.com/fanout-dev/fanout/internal/grid/expr"
	"github.com/fanout-dev/fanout/internal/grid/internal/axes"
	"github.com/fanout-dev/fanout/internal/grid/internal/form"
	"github.com/fanout-dev/fanout/internal/grid/internal/yaml"
)

// Placed is an expression with its place in the file.
type Placed struct {
	At *yaml.Node
	*expr.Expr
}

// Read reads an expression; it is nil where that is a mistake, which r has then.
func Read(r *yaml.Reader, n *yaml.Node) *Placed {
	src := r.Text(n, "an expression")
	if src == "" {
		return nil
	}
	e, err := expr.Compile(src)
	if err != nil {
		r.Errorf(n, "%v", err)
		return nil
	}
	return &Placed{r.Resolve(n), e}
}

// Form is an expression as a value of a key.
func Form() form.Form[*Placed] {
	return form.Form[*Placed]{Read: func(r *yaml.Reader, n *yaml.Node, into **Placed) { *into = Read(r, n) }, Schema: form.Text("").Schema}
}

// Of is a parameter and the expression that computes it.
type Of struct {
	Name string
	Key  *yaml.Node
	Expr *Placed
}

// Map is expressions by the parameters that they compute, in the order of the
// file.
func Map() form.Form[[]Of] {
	return form.Form[[]Of]{Read: func(r *yaml.Reader, n *yaml.Node, into *[]Of) {
		for _, f := range r.Fields(n, "a map of parameters to expressions") {
			axes.CheckName(r, f.Key, f.Name)
			if e := Read(r, f.Node); e != nil {
				*into = append(*into, Of{f.Name, f.Key, e})
			}
		}
	}, Schema: form.Schema{"type": "object", "additionalProperties": form.Text("").Schema}}
}

// Derive is a map in which each parameter comes behind those that it reads.
func Derive() form.Form[[]Of] {
	list := Map()
	return form.Form[[]Of]{Read: func(r *yaml.Reader, n *yaml.Node, into *[]Of) {
		var all []Of
		list.Read(r, n, &all)
		*into = inOrder(r, all)
	}, Schema: list.Schema}
}

// inOrder puts derived parameters behind those they read.
func inOrder(r *yaml.Reader, all []Of) []Of {
	var out []Of
	placed := map[string]bool{}
	waits := func(x Of) bool {
		return slices.ContainsFunc(all, func(y Of) bool { return !placed[y.Name] && slices.Contains(x.Expr.Names(), y.Name) })
	}
	for len(out) < len(all) {
		before := len(out)
		for _, x := range all {
			if !placed[x.Name] && !waits(x) {
				placed[x.Name] = true
				out = append(out, x)
			}
		}
		if len(out) == before {
			for _, x := range all {
				if !placed[x.Name] {
					r.Errorf(x.Key, "`%s` is derived from itself, directly or through others", x.Name)
				}
			}
			return out
		}
	}
	return out
}

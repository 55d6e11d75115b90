package expr

import (
	"fmt"
	"maps"
	"slices"

	"github.com/expr-lang/expr/ast"

	"github.com/fanout-dev/fanout/internal/grid/internal/diagnostic"
)

// A Read is a field that an expression reads of a name, as in `extract.rows`, or,
// where Name is empty, of the elements of a list, as in `map(extract, .rows)`.
type Read struct{ Name, Field string }

// Reads are the fields that the expression reads and cannot do without: none
// where it says what to do about a missing one, with `??` or `?.`.
func (e *Expr) Reads() []Read { return e.reads }

// A use is how an expression uses a name: for a field or a file of it, as in
// `extract.rows`, or as a whole, as in `len(extract)`.
type use struct{ parts, whole bool }

// Uses reports whether the expression reads fields or files of a name, and whether it
// uses the name as a whole.
func (e *Expr) Uses(name string) (parts, whole bool) {
	u := e.uses[name]
	return u.parts, u.whole
}

func (v *boundsVisitor) ways() map[string]use {
	uses := map[string]use{}
	for name, n := range v.names {
		uses[name] = use{v.parts[name] > 0, n > v.parts[name]}
	}
	return uses
}

func (v *boundsVisitor) member(x *ast.MemberNode) {
	field, named := x.Property.(*ast.StringNode)
	if !named {
		return
	}
	if name, ok := nameOf(x.Node); ok {
		v.parts[name]++
		v.reads = append(v.reads, Read{name, field.Value})
	} else if _, isElement := x.Node.(*ast.PointerNode); isElement {
		v.reads = append(v.reads, Read{"", field.Value})
	}
}

// file notes that a call of `artifact` reads a file, and no field.
func (v *boundsVisitor) file(x *ast.CallNode) {
	if f, ok := x.Callee.(*ast.IdentifierNode); ok && f.Value == "artifact" && len(x.Arguments) > 0 {
		if name, ok := nameOf(x.Arguments[0]); ok {
			v.parts[name]++
		}
	} else if isArtifact(x.Callee) {
		name, _ := nameOf(x.Callee.(*ast.MemberNode).Node)
		for i, r := range slices.Backward(v.reads) {
			if r == (Read{name, "artifact"}) {
				v.reads = slices.Delete(v.reads, i, i+1) // visited before
				break
			}
		}
	}
}

// nameOf is the name that a node reads.
func nameOf(n ast.Node) (string, bool) {
	switch x := n.(type) {
	case *ast.IdentifierNode:
		return x.Value, true
	case *ast.CallNode:
		return named(x)
	}
	return "", false
}

// Files is under which key a map has the files that `artifact` finds: their
// paths by their names.
const Files = "#files"

// isArtifact reports the one method of the language: x.artifact("name").
func isArtifact(callee ast.Node) bool {
	m, ok := callee.(*ast.MemberNode)
	if !ok {
		return false
	}
	name, ok := m.Property.(*ast.StringNode)
	of, isName := m.Node.(*ast.IdentifierNode)
	return ok && name.Value == "artifact" && !(isName && of.Value == "$env")
}

// artifact is the path of a file that a run kept.
func artifact(args ...any) (any, error) {
	if len(args) != 2 {
		return nil, fmt.Errorf(`artifact takes a run and the name of a file: extract.artifact("rows.parquet")`)
	}
	run, isRun := args[0].(map[string]any)
	files, hasFiles := run[Files].(map[string]string)
	name, isText := args[1].(string)
	switch {
	case !isRun || !hasFiles:
		return nil, fmt.Errorf("artifact is for one run that was needed; of several take `map(…, .artifact(\"…\"))`")
	case !isText:
		return nil, fmt.Errorf("artifact wants the name of a file, not %v", args[1])
	}
	path, ok := files[name]
	if !ok {
		return nil, fmt.Errorf("the run %v kept no file %q%s; `keep:` says which files are kept of what is executed from then on", run["run_id"], name, diagnostic.DidYouMean(name, slices.Sorted(maps.Keys(files))))
	}
	return path, nil
}

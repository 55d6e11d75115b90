package notebook

import (
	"slices"
	"strings"
)

// Imports returns the modules that the notebook's code cells import at the top
// level, in order, if its language is Python: what stands after `import` and
// `from`, dots included. Imports in functions, in try and if, and relative
// ones are left out, and so are cells that are not executed.
func (n *Notebook) Imports() []string {
	if d, err := dialectOf(n.Kernel()); err == nil && d != &python {
		return nil
	} else if _, language := n.Kernel(); err != nil && language != "" {
		return nil
	}
	var all []string
	for _, c := range n.Cells {
		if c.runs() {
			all = addImports(all, pythonBody(c.Source))
		}
	}
	return all
}

// ImportsOf returns the modules that a Python file imports at its top level.
func ImportsOf(source string) []string { return addImports(nil, unixLines(source)) }

func addImports(all []string, source string) []string {
	lines, _ := pyLines(source) // what can be read
	for _, l := range lines {
		if l.indent > 0 {
			continue
		}
		var names []string
		switch {
		case l.startsWith("import"):
			for _, m := range splitTop(l.tokens[1:], ",") {
				names = append(names, moduleName(m))
			}
		case l.startsWith("from"):
			names = append(names, moduleName(l.tokens[1:]))
		}
		for _, name := range names {
			if name != "" && !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	return all
}

// moduleName reads a dotted name; "" when there is none.
func moduleName(tokens []pyToken) string {
	var b strings.Builder
	for i, t := range tokens {
		if i%2 == 0 && !t.isName() || i%2 == 1 && !t.isOp(".") {
			break
		}
		b.WriteString(t.text)
	}
	return strings.TrimSuffix(b.String(), ".")
}

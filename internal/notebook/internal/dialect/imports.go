package dialect

import (
	"slices"
	"strings"
)

// Imports returns the modules that Python source imports at its top level, in
// order: the names after `import` and `from`, dots included. Imports in
// functions, in try and if, and relative ones are left out, and so are cells
// whose magic says that they are in another language.
func Imports(sources ...string) []string {
	var all []string
	for _, s := range sources {
		all = addImports(all, pythonBody(s))
	}
	return all
}

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

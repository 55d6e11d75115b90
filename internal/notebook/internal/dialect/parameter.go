package dialect

import (
	"regexp"
	"slices"
)

// A Parameter is one name that the parameters cell declares.
type Parameter struct {
	Name    string
	Type    string // annotated, or else that of the default's literal; "" when unknown
	Default string // the default's source text; "" when it has none
	// Value is the default when it is a literal and HasValue is set: nil,
	// bool, int64, *big.Int, float64, string, []any or map[string]any.
	Value    any
	HasValue bool
	Help     string
	Choices  []any // what a Literal annotation allows; nil allows anything
	Line     int   // in the cell, from 1

	keyword string // with which it is declared, where a language has several
}

var typeWord = regexp.MustCompile(`\w+`)

// IsText reports whether the parameter is declared to be a text, or a text or
// nothing: str, Optional[str], str | None, or a default that is a text.
func (p Parameter) IsText() bool {
	text := false
	for _, word := range typeWord.FindAllString(p.Type, -1) {
		switch word {
		case "str", "string", "String":
			text = true
		case "Optional", "Union", "None", "NoneType", "Annotated", "typing":
		default:
			return false
		}
	}
	return text
}

// Declarations lists the parameters that a cell declares, in order; a name
// assigned twice once, with its last default. An error names the line that
// cannot be read; the parameters before it are returned with it.
func (d *Dialect) Declarations(source string) ([]Parameter, error) {
	if d == &python {
		return pyDeclarations(source)
	}
	return lineDeclarations(grammars[d], source), nil
}

// declare adds p to ps, in the place of what has its name.
func declare(ps []Parameter, p Parameter) []Parameter {
	if i := slices.IndexFunc(ps, func(old Parameter) bool { return old.Name == p.Name }); i >= 0 {
		ps[i] = p
		return ps
	}
	return append(ps, p)
}

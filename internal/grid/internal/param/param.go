// Package param is what a template declares of a parameter, and what a value
// must be for it.
//
// A Param is read from a notebook by others. Package param says which kind of
// value it wants, and why one does not fit.
package param

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/value"
)

// A Param is a parameter that a template declares.
type Param struct {
	Name       string
	Type       string // as annotated or inferred; empty when unknown
	HasDefault bool   // the default is a literal
	Default    value.Value
	Kind       value.Kind // of the default
	Choices    []value.Value
}

// Wants is the kind a parameter declares; Null when anything goes.
func (p Param) Wants() value.Kind {
	base, _, _ := strings.Cut(strings.TrimSpace(p.Type), "[")
	switch base {
	case "int":
		return value.Int
	case "float":
		return value.Float
	case "str":
		return value.String
	case "bool":
		return value.Bool
	case "list", "List":
		return value.List
	case "dict", "Dict":
		return value.Map
	case "", "None":
		if p.HasDefault {
			return p.Default.Kind()
		}
	}
	return value.Null
}

// Check says why the parameter of a template does not take a value, and what to
// write instead.
func (p Param) Check(template string, v value.Value) (hint string, err error) {
	want, is := p.Wants(), v.Kind()
	if want != value.Null && is != value.Null && is != want && !(want == value.Float && is == value.Int) {
		return kindHint(want, v), fmt.Errorf("`%s` is %s, and %s is %s", p.Name, v, p.describe(template), want)
	}
	if len(p.Choices) > 0 && !slices.ContainsFunc(p.Choices, func(c value.Value) bool { return value.Equal(c, v) }) {
		var choices []string
		for _, c := range p.Choices {
			choices = append(choices, c.String())
		}
		return "", fmt.Errorf("`%s` is %s, and template %s allows %s", p.Name, v, template, strings.Join(choices, ", "))
	}
	return "", nil
}

func (p Param) describe(template string) string {
	if p.HasDefault {
		return fmt.Sprintf("the default in %s, %s,", template, p.Default)
	}
	return "its type in " + template
}

func kindHint(want value.Kind, v value.Value) string {
	switch s := strings.ToLower(v.Text()); {
	case want == value.String && v.Kind() != value.List && v.Kind() != value.Map:
		return fmt.Sprintf("quote it: %q", v.String())
	case want == value.Int && v.Kind() == value.Float:
		return "give the template a float default, such as 1.0, if fractions are meant"
	case want == value.Bool && slices.Contains([]string{"yes", "on", "y"}, s):
		return "write true: in YAML 1.2 `" + v.Text() + "` is a string"
	case want == value.Bool && slices.Contains([]string{"no", "off", "n"}, s):
		return "write false: in YAML 1.2 `" + v.Text() + "` is a string"
	}
	return ""
}

// Kinds are what several templates agree that each parameter is.
func Kinds(declared map[string][]Param) map[string]value.Kind {
	wants := map[string]value.Kind{}
	for _, params := range declared {
		for _, x := range params {
			k := x.Wants()
			if have, known := wants[x.Name]; known && have != k {
				k = value.Null
			}
			wants[x.Name] = k
		}
	}
	return wants
}

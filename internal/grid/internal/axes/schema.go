package axes

import (
	"maps"

	"github.com/fanout-dev/fanout/internal/grid/internal/form"
)

// Schemas are the schemas of the ways to say the points, by their keys. They
// refer to the definitions axis and source.
func Schemas() form.Schema {
	atLeastOne := form.Schema{"type": "object", "additionalProperties": form.Ref("axis"), "minProperties": 1}
	list := func(items form.Schema) form.Schema {
		return form.Schema{"type": "array", "items": items, "minItems": 1}
	}
	return form.Schema{
		"grid":   form.Described("Axes; the points are their product, the last varying fastest.", atLeastOne),
		"zip":    form.Described("Axes of equal length, walked side by side.", atLeastOne),
		"list":   form.Described("The points.", list(form.Schema{"type": "object"})),
		"from":   form.Described("A file of points: CSV, TSV, JSON lines or Parquet; - is standard input.", form.Text("").Schema),
		"any_of": form.Described("Several ways to say the points, one after the other.", list(form.Ref("source"))),
	}
}

// AxisSchema is the schema of one axis: a list, or a rule.
func AxisSchema() form.Schema {
	number := form.Schema{"type": "number"}
	space := form.Schema{
		"type": "object", "additionalProperties": false, "required": []string{"from", "to", "n"},
		"properties": form.Schema{"from": number, "to": number, "n": form.Whole(2).Schema},
	}
	counted := maps.Clone(space)
	counted["properties"] = form.Schema{"from": number, "to": number, "step": number}
	counted["required"] = []string{"from", "to"}
	bundle := form.Schema{"type": "object", "additionalProperties": form.Schema{"type": "object"}, "minProperties": 1}
	rules := form.Schema{
		"range":    form.Described("Numbers from one to another, both included.", counted),
		"linspace": form.Described("n numbers, evenly far apart.", space),
		"logspace": form.Described("n numbers, each as many times the one before.", space),
		"dates":    dateForm.Schema,
		"bundle":   form.Described("Labels, and the parameters that each binds.", bundle),
	}
	return form.AnyOf(
		form.Schema{"type": "array", "minItems": 1},
		form.Schema{"type": "object", "properties": rules, "additionalProperties": false, "minProperties": 1, "maxProperties": 1},
	)
}

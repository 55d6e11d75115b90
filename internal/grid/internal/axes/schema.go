package axes

import (
	"github.com/fanout-dev/fanout/internal/grid/internal/form"
)

// Schemas are the schemas of the keys that define the points, by key. They
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
		"any_of": form.Described("Several lists of points, one after the other.", list(form.Ref("source"))),
	}
}

// AxisSchema is the schema of one axis: a list, or a rule.
func AxisSchema() form.Schema {
	made := form.Schema{}
	for _, x := range rules {
		made[x.name] = form.Described(x.doc, x.schema)
	}
	return form.AnyOf(
		form.Schema{"type": "array", "minItems": 1},
		form.Schema{"type": "object", "properties": made, "additionalProperties": false, "minProperties": 1, "maxProperties": 1},
	)
}

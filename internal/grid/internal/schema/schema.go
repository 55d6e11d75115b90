// Package schema makes what the keys of a sweep file say of themselves a JSON Schema.
package schema

import (
	"encoding/json"
	"slices"

	"github.com/fanout-dev/fanout/internal/grid/internal/axes"
	"github.com/fanout-dev/fanout/internal/grid/internal/form"
)

// Of is the schema of a file whose keys are the properties of root, which it changes.
func Of(root form.Schema) []byte {
	properties := root["properties"].(form.Schema)
	for name, s := range axes.Schemas() {
		properties[name] = s
	}
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "fanout sweep file"
	root["oneOf"] = []form.Schema{{"required": []string{"template"}}, {"required": []string{"steps"}}}
	root["anyOf"] = wayToSayPoints()
	root["allOf"] = notTwoWays()
	root["$defs"] = form.Schema{
		"axis":   axes.AxisSchema(),
		"point":  form.Schema{"type": "object", "minProperties": 1},
		"source": form.Schema{"type": "object", "properties": axes.Schemas(), "additionalProperties": false, "minProperties": 1, "maxProperties": 1},
	}
	b, _ := json.MarshalIndent(root, "", "  ") // maps, lists and texts: cannot fail
	return append(b, '\n')
}

func wayToSayPoints() []form.Schema {
	var out []form.Schema
	for _, k := range slices.Concat([]string{"include", "repeat"}, axes.Ways) {
		out = append(out, form.Schema{"required": []string{k}})
	}
	return out
}

func notTwoWays() []form.Schema {
	var out []form.Schema
	for i, a := range axes.Ways {
		for _, b := range axes.Ways[i+1:] {
			out = append(out, form.Schema{"not": form.Schema{"required": []string{a, b}}})
		}
	}
	return out
}

package grid

import (
	"encoding/json"
	"maps"
)

// Schema is a JSON Schema (draft 2020-12) of the sweep file, for editors. What
// it allows Decode may still refuse: it knows words and kinds, and not what
// one key has to do with another.
func Schema() []byte {
	root := objectOf(map[string]any{
		"name":         textOf("The sweep's name; the file's name by default."),
		"template":     templateSchema(),
		"kernel":       eitherOf("The kernelspec; the template's by default.", textOf(""), objectOf(map[string]any{"name": textOf(""), "warm": wordOf("Whether kernels are forked from one that has imported what the template imports.", "auto", "off")})),
		"python":       textOf("A virtual environment, or an interpreter, whose ipykernel is used."),
		"share_prefix": boolOf("Execute the cells above the parameters once, for all runs."),
		"files":        textsOf("Patterns of files that are frozen with the sweep."),
		"inputs":       textsOf("Files, patterns or URIs that the runs read; a change makes them stale. {name} stands for a parameter."),
		"env":          mapOf("The environment of the kernels.", map[string]any{"type": []string{"string", "number", "boolean"}}, `^[A-Za-z_][A-Za-z0-9_]*$`),
		"parameters":   mapOf("Parameters that are the same for every run.", parameterSchema(), ""),
		"grid":         atLeastOne(mapOf("Axes; the points are their product, the last varying fastest.", refTo("axis"), "")),
		"zip":          atLeastOne(mapOf("Axes of equal length, walked side by side.", refTo("axis"), "")),
		"list":         listOf("The points.", map[string]any{"type": "object"}, 1),
		"from":         textOf("A file of points: CSV, TSV, JSON lines or Parquet; - is standard input."),
		"any_of":       listOf("Several ways to say the points, one after the other.", refTo("source"), 1),
		"include":      listOf("As in GitHub Actions: added to every combination whose values it would not change, else a combination of its own.", refTo("point"), 0),
		"exclude":      listOf("Partial points; combinations that match one are dropped.", refTo("point"), 0),
		"where":        textOf("An expression; points for which it is false are dropped."),
		"derive":       mapOf("Parameters computed by expressions from the others.", textOf(""), ""),
		"sample":       eitherOf("Keep some of the points.", wholeFrom(1), objectOf(map[string]any{"n": wholeFrom(1), "seed": wholeFrom(0)})),
		"repeat":       eitherOf("Replicates of every point.", wholeFrom(1), objectOf(map[string]any{"n": wholeFrom(1), "as": textOf("The parameter that receives 0, 1, 2, …")})),
		"metrics":      metricsSchema(),
		"baseline":     described("A partial point that others are compared with.", refTo("point")),
		"timeout":      refTo("timeout"),
		"retries":      refTo("retries"),
		"halt":         map[string]any{"type": "string", "pattern": `^(never|(now|soon),(fail|success|done)=[0-9]+%?)$`, "description": "When to stop early, in GNU parallel's words."},
		"limits":       mapOf("How many runs of one value may be under way at once.", wholeFrom(1), ""),
		"keep":         textsOf("Patterns of files that runs leave and that are kept."),
		"stale_on":     listOf("Parts whose change makes a success stale.", wordOf("", "code", "text", "files", "inputs", "environment"), 0),
		"max_runs":     described("More runs than this need --yes.", wholeFrom(1)),
		"resources":    refTo("resources"),
		"overrides":    listOf("Other settings for the points that match.", overrideSchema(), 0),
		"placement":    placementSchema(),
		"workdir":      wordOf("Where runs work: each in a folder of its own, or all in the template's.", "private", "shared"),
		"report":       objectOf(map[string]any{"template": textOf("Your own report notebook."), "after": boolOf("As well as the summary, rather than in its place."), "sections": textsOf("")}),
		"notify":       eitherOf("Whom to tell when a sweep has ended.", refTo("notice"), listOf("", refTo("notice"), 0)),
		"nomad":        nomadSchema(),
	})
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "fanout sweep file"
	root["required"] = []string{"template"}
	root["anyOf"] = wayToSayPoints()
	root["allOf"] = notTwoWays()
	root["$defs"] = map[string]any{
		"axis":      axisSchema(),
		"point":     map[string]any{"type": "object", "minProperties": 1},
		"source":    sourceSchema(),
		"timeout":   timeoutSchema(),
		"retries":   retriesSchema(),
		"resources": objectOf(map[string]any{"cpu": wholeFrom(1), "memory": map[string]any{"type": []string{"string", "integer"}, "pattern": sizeRE.String(), "description": "512MB, 2GiB or bytes."}}),
		"notice":    noticeSchema(),
		"duration":  map[string]any{"type": []string{"string", "integer"}, "pattern": `^([0-9.]+(ns|us|µs|ms|s|m|h|d))+$|^0$`, "minimum": 0, "maximum": 0},
		"limit":     map[string]any{"type": []string{"string", "integer"}, "pattern": `^([0-9.]+(ns|us|µs|ms|s|m|h|d))+$|^0$|^\s*[0-9.eE+]+\s*%\s*$`, "minimum": 0, "maximum": 0},
	}
	b, _ := json.MarshalIndent(root, "", "  ") // maps, lists and texts: cannot fail
	return append(b, '\n')
}

// Parts of a schema.

func objectOf(properties map[string]any) map[string]any {
	return map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
}

func described(what string, schema map[string]any) map[string]any {
	if what != "" {
		schema["description"] = what
	}
	return schema
}

// text_ is any scalar that is read as a word.
func textOf(what string) map[string]any {
	return described(what, map[string]any{"type": []string{"string", "number", "boolean"}, "minLength": 1})
}

func boolOf(what string) map[string]any { return described(what, map[string]any{"type": "boolean"}) }

func wholeFrom(low int) map[string]any { return map[string]any{"type": "integer", "minimum": low} }

func wordOf(what string, words ...string) map[string]any {
	return described(what, map[string]any{"enum": words})
}

func refTo(name string) map[string]any { return map[string]any{"$ref": "#/$defs/" + name} }

func eitherOf(what string, schemas ...map[string]any) map[string]any {
	return described(what, map[string]any{"anyOf": schemas})
}

func listOf(what string, items map[string]any, least int) map[string]any {
	return described(what, map[string]any{"type": "array", "items": items, "minItems": least})
}

func textsOf(what string) map[string]any {
	return eitherOf(what, textOf(""), listOf("", textOf(""), 0))
}

func mapOf(what string, values any, names string) map[string]any {
	m := described(what, map[string]any{"type": "object", "additionalProperties": values})
	if names != "" {
		m["propertyNames"] = map[string]any{"pattern": names}
	}
	return m
}

func atLeastOne(m map[string]any) map[string]any {
	m["minProperties"] = 1
	return m
}

// parameterSchema is any value, but {secret: …} names a variable.
func parameterSchema() map[string]any {
	name := objectOf(map[string]any{"secret": map[string]any{"type": "string", "pattern": envName.String()}})
	return map[string]any{
		"if":   map[string]any{"type": "object", "required": []string{"secret"}, "maxProperties": 1},
		"then": described("Read from the environment where a run executes; never written anywhere.", name),
	}
}

func wayToSayPoints() []map[string]any {
	var out []map[string]any
	for _, k := range append([]string{"include", "repeat"}, sourceKeys...) {
		out = append(out, map[string]any{"required": []string{k}})
	}
	return out
}

func notTwoWays() []map[string]any {
	var out []map[string]any
	for i, a := range sourceKeys {
		for _, b := range sourceKeys[i+1:] {
			out = append(out, map[string]any{"not": map[string]any{"required": []string{a, b}}})
		}
	}
	return out
}

func templateSchema() map[string]any {
	several := objectOf(map[string]any{"axis": textOf("The name of the axis."), "of": mapOf("Its values, and the notebook of each.", textOf(""), "")})
	several["required"] = []string{"axis", "of"}
	return eitherOf("The notebook, relative to this file; or several, which are an axis.", textOf(""), several)
}

func axisSchema() map[string]any {
	space := objectOf(map[string]any{"from": numberOf(), "to": numberOf(), "n": wholeFrom(2)})
	space["required"] = []string{"from", "to", "n"}
	counted := objectOf(map[string]any{"from": numberOf(), "to": numberOf(), "step": numberOf()})
	counted["required"] = []string{"from", "to"}
	rules := objectOf(map[string]any{
		"range":    described("Numbers from one to another, both included.", counted),
		"linspace": described("n numbers, evenly far apart.", space),
		"logspace": described("n numbers, each as many times the one before.", maps.Clone(space)),
		"dates":    datesSchema(),
		"bundle":   atLeastOne(mapOf("Labels, and the parameters that each binds.", map[string]any{"type": "object"}, "")),
	})
	rules["minProperties"], rules["maxProperties"] = 1, 1
	return map[string]any{"anyOf": []any{map[string]any{"type": "array", "minItems": 1}, rules}}
}

func numberOf() map[string]any { return map[string]any{"type": "number"} }

func datesSchema() map[string]any {
	m := objectOf(map[string]any{
		"from":   textOf("2026-01-31, 2026-01-31T06:00, 2026-01, today, yesterday, -7d, month_start, …"),
		"to":     textOf("As from; included."),
		"step":   map[string]any{"type": "string", "pattern": `^([1-9][0-9]{0,5})?(min|h|d|bd|w|mo|q|y)$`, "description": "1h, 1d, 1bd, 1w, 1mo, 1q, 1y or a number of them."},
		"tz":     textOf("A time zone, such as Europe/Berlin; UTC by default."),
		"align":  wordOf("Only the first or last days of weeks, months, quarters or years.", "start", "end"),
		"format": textOf("As strftime has it, such as %Y-%m-%d."),
	})
	m["required"] = []string{"from", "to"}
	return m
}

func sourceSchema() map[string]any {
	m := objectOf(map[string]any{
		"grid": atLeastOne(mapOf("", refTo("axis"), "")), "zip": atLeastOne(mapOf("", refTo("axis"), "")), "list": listOf("", map[string]any{"type": "object"}, 1),
		"from": textOf(""), "any_of": listOf("", refTo("source"), 1),
	})
	m["minProperties"], m["maxProperties"] = 1, 1
	return m
}

func metricsSchema() map[string]any {
	metric := objectOf(map[string]any{
		"goal": wordOf("", "maximize", "minimize"), "unit": textOf(""),
		"min_effect": map[string]any{"type": []string{"number", "string"}, "minimum": 0, "pattern": `%\s*$`, "description": "A smaller change does not matter: 0.5, or 1% of the baseline."},
		"guardrail":  boolOf("Must not get worse."), "primary": boolOf("Among those the verdict is about."),
		"trials":  textOf("The scrap that counts trials, for a proportion."),
		"compare": wordOf("How it is compared.", "median", "mean", "bootstrap", "exact"),
	})
	goal := map[string]any{"enum": []any{"maximize", "minimize", nil}}
	return eitherOf("Scraps to compare the runs by.", listOf("", textOf(""), 0), mapOf("", eitherOf("", goal, metric), ""))
}

func timeoutSchema() map[string]any {
	return eitherOf("How long a run may take: a duration, or a percentage of the median of finished runs.",
		refTo("limit"), objectOf(map[string]any{"start": refTo("duration"), "cell": refTo("limit"), "run": refTo("limit")}))
}

func retriesSchema() map[string]any {
	return eitherOf("What is tried again.", wholeFrom(0), objectOf(map[string]any{
		"n": wholeFrom(0), "on": textsOf("Statuses, reasons, exceptions or patterns of them; any failure by default."),
		"backoff": refTo("duration"), "max": described("For the whole sweep.", wholeFrom(0)),
	}))
}

func overrideSchema() map[string]any {
	m := objectOf(map[string]any{"match": refTo("point"), "timeout": refTo("timeout"), "retries": refTo("retries"), "resources": refTo("resources"), "kernel": textOf("")})
	m["required"] = []string{"match"}
	return m
}

func placementSchema() map[string]any {
	fields := map[string]any{}
	for _, f := range placementFields {
		fields[f] = map[string]any{"type": []string{"string", "number", "boolean", "array", "object"}}
	}
	return described("Nomad fields, and an expression over the point for each.", objectOf(fields))
}

func noticeSchema() map[string]any {
	m := objectOf(map[string]any{
		"command": textsOf("A command and its arguments."), "webhook": map[string]any{"type": "string", "pattern": "^https?://"},
		"on": wordOf("", "always", "failure", "success"),
	})
	m["oneOf"] = []any{map[string]any{"required": []string{"command"}}, map[string]any{"required": []string{"webhook"}}}
	return m
}

func nomadSchema() map[string]any {
	fields := map[string]any{}
	for _, k := range nomadKeys {
		fields[k] = true
	}
	return described("Settings of the Nomad executor.", objectOf(fields))
}

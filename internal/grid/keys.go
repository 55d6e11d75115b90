package grid

import (
	"slices"

	"github.com/fanout-dev/fanout/internal/grid/internal/axes"
	"github.com/fanout-dev/fanout/internal/grid/internal/expression"
	"github.com/fanout-dev/fanout/internal/grid/internal/form"
	"github.com/fanout-dev/fanout/internal/grid/internal/halve"
	"github.com/fanout-dev/fanout/internal/grid/internal/repeat"
	"github.com/fanout-dev/fanout/internal/grid/internal/sampling"
	"github.com/fanout-dev/fanout/internal/grid/internal/settings"
	"github.com/fanout-dev/fanout/internal/grid/internal/yaml"
	"github.com/fanout-dev/fanout/internal/value"
)

// keys are the keys of a sweep file except those that define the points: those
// about points, and all settings.
var keys = slices.Concat([]form.Key[Spec]{
	{Name: "template", Doc: "The notebook, relative to this file; or several, which are an axis.", Form: templates()},
	{Name: "steps", Doc: "Several notebooks instead of one template, and which of them need which.", Form: stepsForm()},
	{Name: "parameters", Doc: "Parameters that are the same for every run.", Form: parameters()},
	form.Field("include", "As in GitHub Actions: added to every combination whose values it would not change, else a combination of its own.", partials(), func(s *Spec) *[]partial { return &s.include }),
	form.Field("exclude", "Partial points; combinations that match one are dropped.", partials(), func(s *Spec) *[]partial { return &s.exclude }),
	form.Field("where", "An expression; points for which it is false are dropped.", expression.Form(), func(s *Spec) **placedExpr { return &s.where }),
	form.Field("derive", "Parameters computed by expressions from the others.", expression.Derive(), func(s *Spec) *[]derived { return &s.derive }),
	form.Field("sample", "Keep some of the points.", sampling.Form(), func(s *Spec) *Sample { return &s.Sample }),
	form.Field("repeat", "Replicates of every point.", repeat.Form(), func(s *Spec) *Repeat { return &s.Repeat }),
	form.Field("halve", "Give up most candidates early: all get little of a parameter, the best of them more.", halve.Form(), func(s *Spec) *Halve { return &s.Halve }),
	{Name: "baseline", Doc: "A partial point that others are compared with.", Form: baseline()},
	{Name: "limits", Doc: "How many runs with one value may execute at once.", Form: limits()},
	form.Field("overrides", "Other settings for the points that match.", form.List("a list of {match, …}", overrideForm()), func(s *Spec) *[]override { return &s.overrides }),
	{Name: "placement", Doc: "Nomad fields, and an expression over the point for each.", Form: placement()},
}, form.Within(settings.Keys, func(s *Spec) *settings.Sweep { return &s.Sweep }))

func templates() form.Form[Spec] {
	path := form.Text("a notebook")
	one := form.Form[Spec]{What: path.What, Read: func(r *yaml.Reader, n *yaml.Node, s *Spec) {
		s.Templates = []TemplateRef{{Path: r.Text(n, "a notebook")}}
	}, Schema: path.Schema}
	of := form.Form[Spec]{Read: func(r *yaml.Reader, n *yaml.Node, s *Spec) {
		for _, slot := range r.Fields(n, "a map of slots to notebooks") {
			s.Templates = append(s.Templates, TemplateRef{slot.Name, r.Text(slot.Node, "a notebook")})
		}
	}, Schema: form.Schema{"type": "object", "additionalProperties": path.Schema}}
	several := form.Map(
		form.Field("axis", "The name of the axis.", form.Text("the name of the axis"), func(s *Spec) *string { return &s.TemplateAxis }),
		form.Key[Spec]{Name: "of", Doc: "Its values, and the notebook of each.", Form: of},
	).Checked(func(r *yaml.Reader, n *yaml.Node, s *Spec) {
		if s.TemplateAxis == "" || len(s.Templates) == 0 {
			r.Errorf(n, "a template axis needs `axis`, its name, and `of`, the notebooks")
		}
	})
	several.Schema["required"] = []string{"axis", "of"}
	return form.Or(one, func(s *Spec) *Spec { return s }, several)
}

// parameters are constants; {secret: …} names an environment variable.
func parameters() form.Form[Spec] {
	secret := form.Schema(yaml.SecretSchema())
	return form.Form[Spec]{Read: func(r *yaml.Reader, n *yaml.Node, s *Spec) {
		for _, f := range r.Fields(n, "a map of parameters") {
			axes.CheckName(r, f.Key, f.Name)
			s.paramNodes[f.Name] = f.Key
			if env, ok := r.Secret(f.Node); ok {
				s.Secrets = append(s.Secrets, Secret{f.Name, env})
				continue
			}
			s.Parameters = append(s.Parameters, value.Binding{Name: f.Name, Value: r.Value(f.Node)})
		}
	}, Schema: form.Schema{"type": "object", "additionalProperties": form.Schema{
		"if": form.Schema{"type": "object", "required": []string{"secret"}, "maxProperties": 1}, "then": secret,
	}}}
}

// A partial is a partial point of include, exclude or a match, with its places.
type partial struct {
	at       *yaml.Node
	bindings []value.Binding
	keys     []*yaml.Node
	nodes    []*yaml.Node
}

var partialPoint = form.Form[partial]{Read: func(r *yaml.Reader, n *yaml.Node, o *partial) {
	o.at = r.Resolve(n)
	for _, f := range r.Fields(n, "a map of names to values") {
		o.bindings = append(o.bindings, value.Binding{Name: f.Name, Value: r.Value(f.Node)})
		o.keys, o.nodes = append(o.keys, f.Key), append(o.nodes, f.Node)
	}
}, Schema: form.Ref("point")}

// someName reports a partial point that names nothing.
func someName(what string) form.Form[partial] {
	return partialPoint.Checked(func(r *yaml.Reader, n *yaml.Node, o *partial) {
		if len(o.bindings) == 0 {
			r.Errorf(n, "%s needs at least one name", what)
		}
	})
}

func partials() form.Form[[]partial] {
	return form.List("a list of partial points", someName("a partial point"))
}

func baseline() form.Form[Spec] {
	point := someName("a baseline")
	return form.Form[Spec]{Read: func(r *yaml.Reader, n *yaml.Node, s *Spec) {
		point.Read(r, n, &s.baseline)
		s.Baseline = s.baseline.bindings
	}, Schema: point.Schema}
}

func limits() form.Form[Spec] {
	most := form.Whole(1)
	return form.Form[Spec]{Read: func(r *yaml.Reader, n *yaml.Node, s *Spec) {
		for _, f := range r.Fields(n, "a map of axes to numbers") {
			l := ValueLimit{Axis: f.Name}
			most.Read(r, f.Node, &l.N)
			s.Limits = append(s.Limits, l)
			s.limitNodes[f.Name] = f.Key
		}
	}, Schema: form.Schema{"type": "object", "additionalProperties": most.Schema}}
}

// An override changes settings of the points that a partial point matches.
type override struct {
	match partial
	settings.Override
}

func overrideForm() form.Form[override] {
	match := form.Field("match", "", partialPoint, func(o *override) *partial { return &o.match })
	changes := form.Within(settings.OverrideKeys, func(o *override) *settings.Override { return &o.Override })
	f := form.Map(append([]form.Key[override]{match}, changes...)...).Checked(func(r *yaml.Reader, n *yaml.Node, o *override) {
		if len(o.match.bindings) == 0 {
			r.Errorf(n, "an override needs `match`, a partial point")
		}
	})
	f.Schema["required"] = []string{"match"}
	return f
}

// placementFields are what a point may decide about where it runs.
var placementFields = []string{"region", "datacenters", "node_pool", "namespace", "priority", "constraints"}

func placement() form.Form[Spec] {
	anything := form.Schema{"type": []string{"string", "number", "boolean", "array", "object"}}
	var fields []form.Key[Spec]
	for _, name := range placementFields {
		fields = append(fields, form.Key[Spec]{Name: name, Form: form.Form[Spec]{Read: func(r *yaml.Reader, n *yaml.Node, s *Spec) {
			v := r.Value(n)
			var e *placedExpr // nil when the value is fixed
			if v.Kind() == value.String {
				e = expression.Read(r, n)
			}
			s.placement = append(s.placement, e)
			s.Placement = append(s.Placement, value.Binding{Name: name, Value: v})
		}, Schema: anything}})
	}
	return form.Map(fields...)
}

// Package halve reads how a sweep gives most of its candidates up early.
//
// In goes the value of `halve:`; out come the parameter that says how much is
// spent on a candidate, its values, and the share of candidates that goes on from
// each to the next. Which candidates those are is decided elsewhere.
package halve

import (
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/grid/internal/axes"
	"github.com/fanout-dev/fanout/internal/grid/internal/form"
	"github.com/fanout-dev/fanout/internal/grid/internal/repeat"
	"github.com/fanout-dev/fanout/internal/grid/internal/sampling"
	"github.com/fanout-dev/fanout/internal/grid/internal/yaml"
	"github.com/fanout-dev/fanout/internal/metric"
	"github.com/fanout-dev/fanout/internal/value"
)

// Halve executes all candidates with the first of Values as Parameter, the best
// of them with the second, and so on: one of By goes on.
type Halve struct {
	Parameter string
	Metric    string // by which they are judged
	By        int
	Values    []value.Value

	from, to value.Value
	at       *yaml.Node
}

// Grows reports whether candidates are given up at all.
func (h Halve) Grows() bool { return h.Parameter != "" }

// Kept is how many of n candidates go on.
func (h Halve) Kept(n int) int { return (n + h.By - 1) / h.By }

// Form is a map.
func Form() form.Form[Halve] {
	parameter := form.Text("a parameter").Checked(func(r *yaml.Reader, n *yaml.Node, name *string) { axes.CheckName(r, n, *name) })
	number := form.Form[value.Value]{What: "a number above 0", Schema: form.Schema{"type": "number", "exclusiveMinimum": 0},
		Read: func(r *yaml.Reader, n *yaml.Node, into *value.Value) {
			*into = r.Value(n)
			if x, ok := into.Float(); !ok || x <= 0 {
				r.Errorf(n, "want a number above 0, not %s", into)
			}
		}}
	f := form.Map(
		form.Field("parameter", "The parameter that says how much is spent on a run: epochs, rows, trees.", parameter, func(h *Halve) *string { return &h.Parameter }),
		form.Field("from", "Its value for all candidates.", number, func(h *Halve) *value.Value { return &h.from }),
		form.Field("to", "Its value for the last of them.", number, func(h *Halve) *value.Value { return &h.to }),
		form.Field("by", "How many times more is spent on each that goes on; one of so many does. 3 by default.", form.Whole(2), func(h *Halve) *int { return &h.By }),
		form.Field("metric", "The metric that decides which go on, where several have a goal.", form.Text("a metric"), func(h *Halve) *string { return &h.Metric }),
	).Checked(check)
	f.Schema["required"] = []string{"parameter", "from", "to"}
	return f
}

// maxRounds is more than any sweep of different values takes.
const maxRounds = 60

func check(r *yaml.Reader, n *yaml.Node, h *Halve) {
	const example = "for example halve: {parameter: epochs, from: 1, to: 81, by: 3}"
	h.at = n
	from, hasFrom := h.from.Float()
	to, hasTo := h.to.Float()
	if h.By == 0 {
		h.By = 3
	}
	switch {
	case h.Parameter == "" || !hasFrom || !hasTo:
		r.Hintf(n, example, "`halve` needs `parameter`, `from` and `to`")
		return
	case !(from < to):
		r.Hintf(n, example, "`from` is %s, and `to` is %s, no more", h.from, h.to)
		return
	}
	whole := h.from.Kind() == value.Int && h.to.Kind() == value.Int
	for x := from; x < to*(1-1e-9); x *= float64(h.By) {
		v, _ := value.Of(x)
		if whole {
			v, _ = value.Of(int64(x))
		}
		if h.Values = append(h.Values, v); len(h.Values) > maxRounds {
			r.Errorf(n, "from %s to %s by %d takes more than %d rounds", h.from, h.to, h.By, maxRounds)
			return
		}
	}
	h.Values = append(h.Values, h.to)
}

// Axis is the parameter, as something that varies.
func (h Halve) Axis() *axes.Axis {
	return &axes.Axis{Name: h.Parameter, At: h.at, Ordered: true, Cols: []*axes.Column{{Name: h.Parameter, At: h.at, Values: h.Values}}}
}

// Check finds the metric that decides, or says why none does.
func (h Halve) Check(r *yaml.Reader, at *yaml.Node, hasBaseline bool, metrics []metric.Metric) {
	if !h.Grows() {
		return
	}
	if hasBaseline {
		r.Hintf(at, "leave `baseline` out, and compare the best with it in a sweep of their own", "`halve` keeps the best of each round, so what is left of two variants is no fair comparison with a baseline")
	}
	names, deciding := goals(metrics)
	switch {
	case h.Metric != "" && !slices.Contains(names, h.Metric):
		r.Errorf(at, "`halve` names %s, which is no metric with a goal%s", h.Metric, listed(names))
	case h.Metric == "" && len(deciding) == 0:
		r.Hintf(at, "give a metric a `goal`", "`halve` needs a metric that says which candidates are best, and there is none")
	case h.Metric == "" && len(deciding) > 1:
		r.Hintf(at, "add one of them: `metric: "+deciding[0]+"`", "`halve` decides by one metric, and there are %s", strings.Join(deciding, ", "))
	}
}

// Judge is the name of the metric that decides.
func (h Halve) Judge(metrics []metric.Metric) string {
	if _, deciding := goals(metrics); h.Metric == "" && len(deciding) == 1 {
		return deciding[0]
	}
	return h.Metric
}

// goals are the metrics that have one, and those of them that decide.
func goals(metrics []metric.Metric) (names, deciding []string) {
	for i, decisive := range metric.Decisive(metrics) {
		if m := metrics[i]; m.Wanted() != 0 && !m.Guardrail {
			names = append(names, m.Name)
			if decisive {
				deciding = append(deciding, m.Name)
			}
		}
	}
	return names, deciding
}

func listed(names []string) string {
	if len(names) == 0 {
		return ": there is none"
	}
	return ": those are " + strings.Join(names, ", ")
}

// CheckWays finds a sweep that is to grow in two ways, or in one that it cannot
// grow in. nodes are the keys of the sweep file.
func CheckWays(r *yaml.Reader, nodes map[string]*yaml.Node, again repeat.Repeat, sample sampling.Sample, h Halve) {
	var ways []string
	for key, grows := range map[string]bool{"repeat": again.Grows(), "sample": sample.Grows(), "halve": h.Grows()} {
		if grows {
			ways = append(ways, key)
		}
	}
	slices.Sort(ways)
	switch {
	case len(ways) == 0:
	case len(ways) > 1:
		r.Hintf(nodes[ways[1]], "leave one of them out", "a sweep grows in one way, and `%s` and `%s` are two", ways[0], ways[1])
	case nodes["steps"] != nil:
		r.Hintf(nodes[ways[0]], "leave it out, or give the sweep one `template`", "%s: a sweep with steps cannot grow", ways[0])
	case ways[0] == "sample" && again.N > 1:
		r.Hintf(nodes["repeat"], "leave `repeat` out: more points say more than more runs of the same ones", "`sample` with `until` takes each point once, since runs of one point are not independent of each other")
	}
}

// Package repeat reads how many replicates every point of a sweep has.
//
// In goes the value of `repeat:`; out comes their number and, for a sweep that
// grows, until when replicates are added, or every mistake with its place.
// Deciding whether a question is answered is left to others.
package repeat

import (
	"slices"
	"strconv"
	"strings"

	"github.com/fanout-dev/fanout/internal/grid/internal/axes"
	"github.com/fanout-dev/fanout/internal/grid/internal/form"
	"github.com/fanout-dev/fanout/internal/grid/internal/yaml"
	"github.com/fanout-dev/fanout/internal/metric"
	"github.com/fanout-dev/fanout/internal/pattern"
)

// Repeat adds replicates. The parameter As, when named, receives 0 … N-1. A
// sweep that grows begins with N and has up to Max.
type Repeat struct {
	N     int
	As    string
	Max   int // 0 where Until is empty
	Until Until
}

// Grows reports whether runs are added until a question is answered.
func (r Repeat) Grows() bool { return r.Until != Until{} }

// Until is when a sweep that grows has answered its question: every metric that
// decides is decided or, with Width, the interval of the change of that metric
// is narrower than Below, which may be a fraction of the baseline.
type Until struct {
	Decided  bool
	Width    string
	Below    float64
	Relative bool
}

var widthForm = pattern.Of(`^width\(\s*([^()\s]+)\s*\)\s*<\s*([0-9.]+(?:[eE][-+]?[0-9]+)?)\s*(%?)$`)

// Form is how many replicates, or a map.
func Form() form.Form[Repeat] {
	n := func(x *Repeat) *int { return &x.N }
	parameter := form.Text("a parameter").Checked(func(r *yaml.Reader, n *yaml.Node, name *string) { axes.CheckName(r, n, *name) })
	return form.Or(form.Whole(1), n, form.Map(
		form.Field("n", "", form.Whole(1), n),
		form.Field("as", "The parameter that receives 0, 1, 2, …", parameter, func(x *Repeat) *string { return &x.As }),
		form.Field("max", "With until: how many replicates there may be.", form.Whole(2), func(x *Repeat) *int { return &x.Max }),
		form.Field("until", "Adds replicates until it is so: decided, or width(METRIC) < SIZE.", UntilForm(), func(x *Repeat) *Until { return &x.Until }),
	).Checked(checkRepeat))
}

// UntilForm is decided, width(auc) < 0.002 or width(auc) < 1%.
func UntilForm() form.Form[Until] {
	return form.Form[Until]{Read: func(r *yaml.Reader, n *yaml.Node, u *Until) {
		text := ""
		if r.IsScalar(n) {
			text = strings.TrimSpace(r.Resolve(n).Value)
		}
		if text == "decided" {
			*u = Until{Decided: true}
			return
		}
		m := widthForm().FindStringSubmatch(text)
		var err error
		if m != nil {
			u.Below, err = strconv.ParseFloat(m[2], 64)
		}
		if m == nil || err != nil {
			r.Hintf(n, "for example until: decided, or until: \"width(auc) < 0.002\"", "want decided, or width(METRIC) < SIZE, not %s", yaml.Describe(n))
			return
		}
		*u = Until{Width: m[1], Below: u.Below, Relative: m[3] == "%"}
		if u.Below <= 0 {
			r.Errorf(n, "no interval is narrower than %s", m[2]+m[3])
		}
		if u.Relative {
			u.Below /= 100
		}
	}, Schema: form.Schema{"type": "string", "pattern": `^\s*(decided|width\(.+\)\s*<\s*[0-9.eE+-]+\s*%?)\s*$`}}
}

func checkRepeat(r *yaml.Reader, n *yaml.Node, x *Repeat) {
	CheckMax(r, n, "replicates", x.N, x.Max, x.Grows())
}

// CheckMax finds a `max` without `until`, or the other way round, and one that n
// of what is added reach at once.
func CheckMax(r *yaml.Reader, at *yaml.Node, what string, n, most int, grows bool) {
	switch {
	case grows && most == 0:
		r.Hintf(at, "add `max`, how many "+what+" there may be, as in {n: 5, max: 60, until: decided}", "`until` needs `max`")
	case most > 0 && !grows:
		r.Hintf(at, "add `until: decided`", "`max` needs `until`")
	case grows && most <= n:
		r.Hintf(at, "`n` "+what+" come first, and `max` is where adding ends", "`max` is %d, and `n` is %d already", most, n)
	}
}

// Check finds a question that no number of runs answers: at is the key of that
// name, and the sweep has these metrics and, or not, a baseline. The warning is
// about one that takes more runs than it need; empty is none.
func (u Until) Check(r *yaml.Reader, at *yaml.Node, key string, hasBaseline bool, metrics []metric.Metric) (warning string) {
	if u == (Until{}) {
		return ""
	}
	if !hasBaseline {
		r.Hintf(at, "add `baseline`, such as `baseline: {model: old}`", "`until` compares variants with a baseline, and there is none")
	}
	deciding := decidingOf(metrics)
	switch {
	case len(deciding) == 0:
		r.Hintf(at, "give a metric a `goal`, or declare it `primary: true`", "`until` needs a metric that decides, and there is none")
	case u.Width != "" && !slices.Contains(deciding, u.Width):
		r.Errorf(at, "`until` names %s, which is no metric that decides: those are %s", u.Width, strings.Join(deciding, ", "))
	case u.Decided && !slices.ContainsFunc(metrics, func(m metric.Metric) bool { return m.MinEffect > 0 }):
		return key + ": no metric has a `min_effect`: a variant that does not differ is executed up to `max`, as nothing is too small to matter"
	}
	return ""
}

// decidingOf are the metrics whose verdicts answer the question. A guardrail does
// not ask for runs.
func decidingOf(metrics []metric.Metric) []string {
	var out []string
	for i, decisive := range metric.Decisive(metrics) {
		if m := metrics[i]; decisive && !m.Guardrail {
			out = append(out, m.Name)
		}
	}
	return out
}

package grid

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/fanout-dev/fanout/internal/value"
)

// Readers of the sweep file's keys that are not about points.

func (s *Spec) decodeTemplate(d *decoder, n *yaml.Node) {
	if d.resolve(n).Kind == yaml.ScalarNode {
		s.Templates = []TemplateRef{{Path: d.text(n, "a notebook")}}
		return
	}
	for _, f := range d.fields(n, "a notebook, or {axis: NAME, of: {SLOT: NOTEBOOK, …}}") {
		switch f.name {
		case "axis":
			s.TemplateAxis = d.text(f.node, "the name of the axis")
		case "of":
			for _, slot := range d.fields(f.node, "a map of slots to notebooks") {
				s.Templates = append(s.Templates, TemplateRef{slot.name, d.text(slot.node, "a notebook")})
			}
		default:
			d.unknown(f, "axis", "of")
		}
	}
	if s.TemplateAxis == "" || len(s.Templates) == 0 {
		d.errorf(n, "a template axis needs `axis`, its name, and `of`, the notebooks")
	}
}

// unknown reports a key that a map does not have.
func (d *decoder) unknown(f field, words ...string) {
	d.errorf(f.key, "unknown key `%s`%s; want %s", f.name, didYouMean(f.name, words), strings.Join(words, ", "))
}

func (s *Spec) decodeKernel(d *decoder, n *yaml.Node) {
	if d.resolve(n).Kind == yaml.ScalarNode {
		s.Kernel = d.text(n, "a kernel")
		return
	}
	for _, f := range d.fields(n, "a kernel, or a map with name, warm") {
		switch f.name {
		case "name":
			s.Kernel = d.text(f.node, "a kernel")
		case "warm":
			s.Warm = d.oneOf(f.node, "auto", "off")
		default:
			d.unknown(f, "name", "warm")
		}
	}
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (s *Spec) decodeEnv(d *decoder, n *yaml.Node) {
	for _, f := range d.fields(n, "a map of environment variables") {
		if !envName.MatchString(f.name) {
			d.errorf(f.key, "%q is not the name of an environment variable", f.name)
		}
		v := d.value(f.node)
		text, isText := v.Any().(string)
		if !isText {
			text = v.String()
		}
		if strings.ContainsRune(text, 0) || v.Kind() == value.List || v.Kind() == value.Map || v.Kind() == value.Null {
			d.errorf(f.node, "want a word, not %s", describe(d.resolve(f.node)))
		}
		s.Env = append(s.Env, EnvVar{f.name, text})
	}
}

func (s *Spec) decodeParameters(d *decoder, n *yaml.Node) {
	for _, f := range d.fields(n, "a map of parameters") {
		d.checkParam(f.key, f.name)
		s.paramNodes[f.name] = f.key
		if env, ok := d.secret(f.node); ok {
			s.Secrets = append(s.Secrets, Secret{f.name, env})
			continue
		}
		s.Parameters = append(s.Parameters, value.Binding{Name: f.name, Value: d.value(f.node)})
	}
}

// secret reads {secret: ENV_NAME}.
func (d *decoder) secret(n *yaml.Node) (string, bool) {
	n = d.resolve(n)
	if n.Kind != yaml.MappingNode || len(n.Content) != 2 || n.Content[0].Value != "secret" {
		return "", false
	}
	env := d.text(n.Content[1], "the name of an environment variable")
	if env != "" && !envName.MatchString(env) {
		d.errorf(n.Content[1], "%q is not the name of an environment variable", env)
	}
	return env, true
}

// reserved begins the names of columns that are about the run.
const reserved = "run_"

// nameRE is what languages of notebooks have in common; each allows less.
var nameRE = regexp.MustCompile(`^[\p{L}\p{Nl}_][\p{L}\p{Nl}\p{M}\p{N}\p{Pc}.]*$`)

// identHint offers a name that would do.
func identHint(name string) string {
	better := strings.Map(func(r rune) rune {
		if nameRE.MatchString("_" + string(r)) {
			return r
		}
		return '_'
	}, name)
	if !nameRE.MatchString(better) {
		better = "_" + better
	}
	return fmt.Sprintf("for example `%s`", better)
}

// checkParam refuses names that no template or table could have.
func (d *decoder) checkParam(n *yaml.Node, name string) {
	switch {
	case name == "":
		d.errorf(n, "a parameter needs a name")
	case strings.HasPrefix(strings.ToLower(name), reserved):
		d.errorf(n, "the name `%s` begins with %s, which is kept for columns about the run", name, reserved)
	case !nameRE.MatchString(name):
		d.hintf(n, identHint(name), "`%s` is no name that a notebook could give a parameter", name)
	}
}

func (d *decoder) objects(n *yaml.Node) []object {
	var out []object
	for _, e := range d.items(n, "a list of partial points") {
		bad := len(d.errs)
		if o := d.object(e); len(o.bindings) > 0 {
			out = append(out, o)
		} else if len(d.errs) == bad {
			d.errorf(e, "a partial point needs at least one name")
		}
	}
	return out
}

func (d *decoder) object(n *yaml.Node) object {
	o := object{at: d.resolve(n)}
	for _, f := range d.fields(n, "a map of names to values") {
		o.bindings = append(o.bindings, value.Binding{Name: f.name, Value: d.value(f.node)})
		o.keys, o.nodes = append(o.keys, f.key), append(o.nodes, f.node)
	}
	return o
}

func (s *Spec) decodeSample(d *decoder, n *yaml.Node) {
	if d.resolve(n).Kind == yaml.ScalarNode {
		s.Sample.N = d.whole(n, 1)
		return
	}
	for _, f := range d.fields(n, "a number, or {n, seed}") {
		switch f.name {
		case "n":
			s.Sample.N = d.whole(f.node, 1)
		case "seed":
			s.Sample.Seed = int64(d.whole(f.node, 0))
		default:
			d.unknown(f, "n", "seed")
		}
	}
}

func (s *Spec) decodeRepeat(d *decoder, n *yaml.Node) {
	if d.resolve(n).Kind == yaml.ScalarNode {
		s.Repeat.N = d.whole(n, 1)
		return
	}
	for _, f := range d.fields(n, "a number, or {n, as}") {
		switch f.name {
		case "n":
			s.Repeat.N = d.whole(f.node, 1)
		case "as":
			s.Repeat.As = d.text(f.node, "a parameter")
			d.checkParam(f.node, s.Repeat.As)
		default:
			d.unknown(f, "n", "as")
		}
	}
}

func (s *Spec) decodeMetrics(d *decoder, n *yaml.Node) {
	if r := d.resolve(n); r.Kind == yaml.SequenceNode {
		for _, e := range r.Content {
			name := d.text(e, "a scrap")
			if slices.ContainsFunc(s.Metrics, func(m Metric) bool { return m.Name == name }) {
				d.errorf(e, "the metric `%s` is there twice", name)
			}
			s.Metrics = append(s.Metrics, Metric{Name: name})
		}
		return
	}
	for _, f := range d.fields(n, "a map of scraps to what is wanted of them") {
		s.Metrics = append(s.Metrics, d.metric(f))
	}
}

func (d *decoder) metric(f field) Metric {
	m := Metric{Name: f.name}
	if r := d.resolve(f.node); r.Kind == yaml.ScalarNode {
		if r.Value != "" {
			m.Goal = d.oneOf(f.node, "maximize", "minimize")
		}
		return m
	}
	for _, k := range d.fields(f.node, "maximize, minimize or a map") {
		switch k.name {
		case "goal":
			m.Goal = d.oneOf(k.node, "maximize", "minimize")
		case "unit":
			m.Unit = d.text(k.node, "a unit")
		case "min_effect":
			m.MinEffect, m.MinEffectRelative = d.effect(k.node)
		case "guardrail":
			m.Guardrail = d.flag(k.node)
		case "primary":
			m.Primary = d.flag(k.node)
		case "trials":
			m.Trials = d.text(k.node, "the scrap that counts trials")
		case "compare":
			if m.By = d.oneOf(k.node, "median", "mean", "bootstrap", "exact"); m.By == "median" {
				m.By = ""
			}
		default:
			d.unknown(k, "goal", "unit", "min_effect", "guardrail", "primary", "trials", "compare")
		}
	}
	return m
}

// effect reads 0.5 or 1%.
func (d *decoder) effect(n *yaml.Node) (size float64, relative bool) {
	if p, ok := percent(d.resolve(n).Value); ok {
		return p / 100, true
	}
	size = d.number(n)
	if size < 0 {
		d.errorf(n, "a size cannot be negative")
	}
	return size, false
}

func percent(s string) (float64, bool) {
	body, ok := strings.CutSuffix(strings.TrimSpace(s), "%")
	if !ok {
		return 0, false
	}
	p, err := strconv.ParseFloat(strings.TrimSpace(body), 64)
	return p, err == nil && p >= 0 && !math.IsInf(p, 0)
}

func (d *decoder) duration(n *yaml.Node) time.Duration {
	text := d.resolve(n).Value
	dur, err := ParseDuration(text)
	if err != nil {
		d.hintf(n, "write a number with its unit: 30s, 10m, 2h, 1d", "want a duration, not %s", describe(d.resolve(n)))
	}
	return dur
}

// ParseDuration reads a Go duration, also in days: "90s", "1h30m", "2d".
func ParseDuration(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseFloat(days, 64)
		if err == nil && n >= 0 && n < 36500 {
			return time.Duration(n * 24 * float64(time.Hour)), nil
		}
	}
	dur, err := time.ParseDuration(text)
	if err == nil && dur < 0 {
		err = fmt.Errorf("a duration cannot be negative")
	}
	return dur, err
}

// ParseLimit reads a duration, or a percentage of the median: "30m", "300%".
func ParseLimit(text string) (Limit, error) {
	if p, ok := percent(text); ok {
		return Limit{Percent: p}, nil
	}
	d, err := ParseDuration(text)
	return Limit{D: d}, err
}

func (d *decoder) limit(n *yaml.Node) Limit {
	if p, ok := percent(d.resolve(n).Value); ok {
		return Limit{Percent: p}
	}
	return Limit{D: d.duration(n)}
}

func (d *decoder) timeout(n *yaml.Node) Timeout {
	if d.resolve(n).Kind == yaml.ScalarNode {
		return Timeout{Run: d.limit(n)}
	}
	var t Timeout
	for _, f := range d.fields(n, "a duration, or {start, cell, run}") {
		switch f.name {
		case "start":
			t.Start = Limit{D: d.duration(f.node)}
		case "cell":
			t.Cell = d.limit(f.node)
		case "run":
			t.Run = d.limit(f.node)
		default:
			d.unknown(f, "start", "cell", "run")
		}
	}
	return t
}

func (d *decoder) retries(n *yaml.Node) Retries {
	if d.resolve(n).Kind == yaml.ScalarNode {
		return Retries{N: d.whole(n, 0)}
	}
	var r Retries
	for _, f := range d.fields(n, "a number, or {n, on, backoff, max}") {
		switch f.name {
		case "n":
			r.N = d.whole(f.node, 0)
		case "on":
			r.On = d.texts(f.node, "statuses, reasons or exceptions")
		case "backoff":
			r.Backoff = d.duration(f.node)
		case "max":
			r.Max = d.whole(f.node, 0)
		default:
			d.unknown(f, "n", "on", "backoff", "max")
		}
	}
	return r
}

var haltRE = regexp.MustCompile(`^(now|soon),(fail|success|done)=(\d+)(%?)$`)

// halt reads GNU parallel's --halt: "soon,fail=10%".
func (d *decoder) halt(n *yaml.Node) Halt {
	text := d.text(n, "halt")
	if text == "never" {
		return Halt{When: "never"}
	}
	m := haltRE.FindStringSubmatch(text)
	k := 0
	if m != nil {
		k, _ = strconv.Atoi(m[3])
	}
	if k == 0 || m[4] == "%" && k > 100 {
		d.hintf(n, "for example soon,fail=10% or now,fail=1", "want never, or now or soon, then fail, success or done = a number or a percentage; not %q", text)
		return Halt{}
	}
	h := Halt{When: m[1], What: m[2]}
	if m[4] == "%" {
		h.Percent = float64(k)
	} else {
		h.N = k
	}
	return h
}

func (s *Spec) decodeLimits(d *decoder, n *yaml.Node) {
	for _, f := range d.fields(n, "a map of axes to numbers") {
		s.Limits = append(s.Limits, ValueLimit{f.name, d.whole(f.node, 1)})
		s.limitNodes[f.name] = f.key
	}
}

func (s *Spec) decodeStaleOn(d *decoder, n *yaml.Node) {
	parts := []string{"code", "text", "files", "inputs", "environment"}
	s.StaleOn = nil
	for _, e := range d.items(n, "a list of code, text, files, inputs, environment") {
		s.StaleOn = append(s.StaleOn, d.oneOf(e, parts...))
	}
}

var sizeRE = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)\s*([kKMGT]?)(i?)B?$`)

// size reads 512MB, 2GiB or a number of bytes.
func (d *decoder) size(n *yaml.Node) int64 {
	m := sizeRE.FindStringSubmatch(strings.TrimSpace(d.resolve(n).Value))
	if m == nil {
		d.errorf(n, "want a size such as 512MB or 2GiB, not %s", describe(d.resolve(n)))
		return 0
	}
	base := 1000.0
	if m[3] == "i" {
		base = 1024
	}
	x, _ := strconv.ParseFloat(m[1], 64)
	bytes := x * math.Pow(base, float64(strings.Index("_KMGT", strings.ToUpper(m[2] + "_")[:1])))
	if bytes > 1<<60 {
		d.errorf(n, "a size of %s is too large", describe(d.resolve(n)))
		return 0
	}
	return int64(bytes)
}

func (d *decoder) resources(n *yaml.Node) Resources {
	var r Resources
	for _, f := range d.fields(n, "a map with cpu, memory") {
		switch f.name {
		case "cpu":
			r.CPU = d.whole(f.node, 1)
		case "memory":
			r.Memory = d.size(f.node)
		default:
			d.unknown(f, "cpu", "memory")
		}
	}
	return r
}

// placementFields are what a point may decide about where it runs.
var placementFields = []string{"region", "datacenters", "node_pool", "namespace", "priority", "constraints"}

// placedField is a Nomad field with the expression, or the value, that it gets.
type placedField struct {
	name string
	expr *placedExpr // nil when the value is fixed
}

func (s *Spec) decodePlacement(d *decoder, n *yaml.Node) {
	for _, f := range d.fields(n, "a map of Nomad fields to expressions") {
		if !contains(placementFields, f.name) {
			d.unknown(f, placementFields...)
			continue
		}
		v := d.value(f.node)
		field := placedField{name: f.name}
		if v.Kind() == value.String {
			field.expr = d.expr(f.node)
		}
		s.placement = append(s.placement, field)
		s.Placement = append(s.Placement, value.Binding{Name: f.name, Value: v})
	}
}

func (s *Spec) placements() []*placedExpr {
	var out []*placedExpr
	for _, f := range s.placement {
		if f.expr != nil {
			out = append(out, f.expr)
		}
	}
	return out
}

// Placement is what the fields of `placement:` are for a point.
func (g *Grid) Placement(p Point) ([]value.Binding, error) { return g.placement(p, nil) }

func (g *Grid) placement(p Point, env map[string]any) ([]value.Binding, error) {
	var out []value.Binding
	for i, f := range g.spec.placement {
		v := g.spec.Placement[i].Value
		if f.expr != nil {
			x, err := f.expr.Eval(g.env(p, f.expr.Names(), env))
			if err == nil {
				v, err = value.Of(x)
			}
			if err != nil {
				return nil, g.placed(f.expr, p, fmt.Errorf("placement `%s`: %w", f.name, err))
			}
		}
		out = append(out, value.Binding{Name: f.name, Value: v})
	}
	return out, nil
}

func (s *Spec) decodeBaseline(d *decoder, n *yaml.Node) {
	bad := len(d.errs)
	s.baseline = d.object(n)
	s.Baseline = s.baseline.bindings
	if len(s.Baseline) == 0 && len(d.errs) == bad {
		d.errorf(n, "a baseline needs at least one name")
	}
}

// decodeNotify reads one notice or a list of them.
func (s *Spec) decodeNotify(d *decoder, n *yaml.Node) {
	if d.resolve(n).Kind == yaml.MappingNode {
		s.Notify = append(s.Notify, d.notice(n))
		return
	}
	for _, e := range d.items(n, "a map with command or webhook, or a list of them") {
		s.Notify = append(s.Notify, d.notice(e))
	}
}

func (d *decoder) notice(n *yaml.Node) Notice {
	x := Notice{On: "always"}
	bad := len(d.errs)
	for _, f := range d.fields(n, "a map with command or webhook, on") {
		switch f.name {
		case "command":
			x.Command = d.texts(f.node, "a command and its arguments")
		case "webhook":
			x.Webhook = d.text(f.node, "a URL")
			if x.Webhook != "" && !strings.HasPrefix(x.Webhook, "http://") && !strings.HasPrefix(x.Webhook, "https://") {
				d.errorf(f.node, "want a URL that begins with https:// or http://, not %q", x.Webhook)
			}
		case "on":
			x.On = d.oneOf(f.node, "always", "failure", "success")
		default:
			d.unknown(f, "command", "webhook", "on")
		}
	}
	if (len(x.Command) == 0) == (x.Webhook == "") && len(d.errs) == bad {
		d.errorf(n, "a notice is either a `command` or a `webhook`")
	}
	return x
}

// nomadKeys are the settings of the Nomad executor.
var nomadKeys = []string{
	"job", "driver", "image", "command", "artifact", "env_from", "region", "namespace", "datacenters", "node_pool", "priority",
	"runs_per_job", "runs_at_once", "max_parallel", "python", "class", "lost_after",
}

// decodeNomad keeps the settings of that executor as they are written; it
// knows what they mean.
func (s *Spec) decodeNomad(d *decoder, n *yaml.Node) {
	for _, f := range d.fields(n, "a map of the settings of Nomad") {
		if !contains(nomadKeys, f.name) {
			d.unknown(f, nomadKeys...)
			continue
		}
		s.Nomad = append(s.Nomad, value.Binding{Name: f.name, Value: d.value(f.node)})
	}
}

func (s *Spec) decodeReport(d *decoder, n *yaml.Node) {
	r := &ReportSpec{}
	s.Report = r
	for _, f := range d.fields(n, "a map with template, after, sections") {
		switch f.name {
		case "template":
			r.Template = d.text(f.node, "a notebook")
		case "after":
			r.After = d.flag(f.node)
		case "sections":
			r.Sections = d.texts(f.node, "sections")
		default:
			d.unknown(f, "template", "after", "sections")
		}
	}
}

// override changes settings of the points that a partial point matches.
type override struct {
	match     object
	timeout   *Timeout
	retries   *Retries
	resources *Resources
	kernel    string
}

func (s *Spec) decodeOverrides(d *decoder, n *yaml.Node) {
	for _, e := range d.items(n, "a list of {match, …}") {
		o := override{}
		bad := len(d.errs)
		for _, f := range d.fields(e, "a map with match and what to change") {
			switch f.name {
			case "match":
				o.match = d.object(f.node)
			case "timeout":
				t := d.timeout(f.node)
				o.timeout = &t
			case "retries":
				r := d.retries(f.node)
				o.retries = &r
			case "resources":
				r := d.resources(f.node)
				o.resources = &r
			case "kernel":
				o.kernel = d.text(f.node, "a kernel")
			default:
				d.unknown(f, "match", "timeout", "retries", "resources", "kernel")
			}
		}
		if len(o.match.bindings) == 0 && len(d.errs) == bad {
			d.errorf(e, "an override needs `match`, a partial point")
		}
		s.overrides = append(s.overrides, o)
	}
}

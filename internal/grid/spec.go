// Package grid reads sweep files and expands them into points.
//
// In goes the text of a sweep file, and what its templates declare; out comes
// a Grid that yields every point once, lazily, in an order the file fixes, and
// every mistake of the file at once, with its place. Values keep one canonical
// form, so a point has an identity that neither the order of axes nor the
// spelling of numbers changes.
//
// Package grid is pure: rows of files that the grid draws on are handed in.
// It is the only reader of YAML and the only home of the expression language.
package grid

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// A Spec is a sweep file as written: decoded and checked, nothing expanded.
type Spec struct {
	Name         string
	Templates    []TemplateRef
	TemplateAxis string // name of the axis, when there are several templates
	Kernel       string // kernelspec; empty is the template's
	Warm         string // auto or off
	SharePrefix  bool
	Python       string
	Files        []string
	Inputs       []string
	Env          []EnvVar
	Parameters   []Binding // constants
	Secrets      []Secret
	Metrics      []Metric
	Baseline     []Binding
	Timeout      Timeout
	Retries      Retries
	Halt         Halt
	Limits       []ValueLimit
	Keep         []string
	StaleOn      []string
	MaxRuns      int
	Resources    Resources
	Placement    []Binding // Nomad field ← expression
	Workdir      string    // empty, or shared
	Report       *ReportSpec
	Notify       []Notice
	Nomad        []Binding // as written: settings of that executor
	Repeat       Repeat
	Sample       Sample

	source    source
	include   []object
	exclude   []object
	where     *placedExpr
	derive    []derived
	overrides []override
	baseline  object
	placement []placedField
	set       map[string]Value // what --set fixed

	file       string
	text       []byte
	errs       Errors                // found by Decode
	origin     map[*yaml.Node]string // files of nodes that are not from file
	nodes      map[string]*yaml.Node // top-level keys
	paramNodes map[string]*yaml.Node // keys of parameters
	limitNodes map[string]*yaml.Node // keys of limits
}

// A TemplateRef names a template notebook. Slot is its value on the template
// axis, empty when there is one template.
type TemplateRef struct{ Slot, Path string }

// An EnvVar is set in the environment of the kernels.
type EnvVar struct{ Name, Value string }

// A Secret is a parameter read from the environment where a run executes.
type Secret struct{ Param, Env string }

// A Metric is a scrap to compare runs by.
type Metric struct {
	Name              string
	Goal              string // maximize, minimize or empty
	Unit              string
	MinEffect         float64 // a change smaller than this does not matter
	MinEffectRelative bool    // as a fraction of the baseline
	Guardrail         bool    // must not get worse
	Trials            string  // the scrap that counts trials, for a proportion
	Primary           bool
}

// A Limit is a duration, or a percentage of the median of finished runs.
type Limit struct {
	D       time.Duration
	Percent float64
}

// Timeout limits the parts of a run; zero is no limit.
type Timeout struct{ Start, Cell, Run Limit }

// Retries says what is tried again.
type Retries struct {
	N       int
	On      []string // statuses, reason kinds, exception names or patterns; empty is any failure
	Backoff time.Duration
	Max     int // for the whole sweep; 0 is no cap
}

// Halt stops a sweep that goes badly, in GNU parallel's grammar.
type Halt struct {
	When    string // never, soon or now
	What    string // fail, success or done
	N       int
	Percent float64
}

// A ValueLimit bounds how many runs of one value are under way at once.
type ValueLimit struct {
	Axis string
	N    int
}

// Resources of a run.
type Resources struct {
	CPU    int   // MHz, for a cluster
	Memory int64 // bytes; 0 is no cap
}

// Repeat makes replicates. The parameter As, when named, receives 0 … N-1.
type Repeat struct {
	N  int
	As string
}

// Sample keeps N points, the same ones for the same seed. N = 0 keeps all.
type Sample struct {
	N    int
	Seed int64
}

// A Notice is told when a sweep has ended: a command to run, or a URL to post
// to.
type Notice struct {
	Command []string
	Webhook string
	On      string // always, failure or success
}

// A ReportSpec is the user's own report.
type ReportSpec struct {
	Template string
	After    bool // as well as the summary, rather than in its place
	Sections []string
}

// Text is the sweep file as it was read.
func (s *Spec) Text() []byte { return s.text }

// Where is the place of a top-level key, for messages: "sweep.yaml:3:1".
func (s *Spec) Where(key string) string {
	e := Error{File: s.file}
	if n := s.nodes[key]; n != nil {
		e.File, e.Line, e.Col = s.fileOf(n), n.Line, n.Column
	}
	return strings.TrimSuffix(e.Error(), ": ")
}

func (s *Spec) fileOf(n *yaml.Node) string {
	if file, ok := s.origin[n]; ok {
		return file
	}
	return s.file
}

// object is a partial point of include, exclude or a match, with its places.
type object struct {
	at       *yaml.Node
	bindings []Binding
	keys     []*yaml.Node
	nodes    []*yaml.Node
}

func (o object) key(i int) *yaml.Node   { return o.keys[i] }
func (o object) place(i int) *yaml.Node { return o.nodes[i] }

// Decode reads a sweep file and what is laid over it. The error is Errors. The
// spec is not nil whenever the file is YAML: its templates are known as far as
// they could be read, and Grid then tells these mistakes together with those
// that it can find itself.
func Decode(file string, text []byte, overlays ...Source) (*Spec, error) {
	d := &decoder{file: file}
	root, err := parseYAML(text)
	if err != nil {
		return nil, Errors{yamlError(file, err)}
	}
	if root == nil {
		return nil, Errors{{File: file, Msg: "the file is empty", Help: "`fanout init` writes one to start from"}}
	}
	d.measure(root)
	set := map[string]Value{}
	for _, o := range overlays {
		if root, err = d.overlay(root, o, set); err != nil {
			return nil, err
		}
	}
	s := &Spec{
		file: file, text: text, Warm: "auto", set: set,
		nodes: map[string]*yaml.Node{}, paramNodes: map[string]*yaml.Node{}, limitNodes: map[string]*yaml.Node{},
		Name:    strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)),
		StaleOn: []string{"code", "files", "inputs"}, MaxRuns: 10000, Repeat: Repeat{N: 1},
	}
	if file == "-" {
		s.Name = "sweep"
	}
	s.decode(d, root)
	s.origin, s.errs = d.origin, d.errs
	if err := d.errs.orNil(); err != nil {
		return s, err
	}
	if len(overlays) > 0 {
		s.text = encodeYAML(root)
	}
	return s, nil
}

// encodeYAML writes a document that overlays changed. What cannot be written
// was refused before.
func encodeYAML(root *yaml.Node) []byte {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if enc.Encode(root) != nil || enc.Close() != nil {
		return nil
	}
	return b.Bytes()
}

// overlay lays a source over a document: maps are merged, all else replaced.
// One way to say the points replaces another.
func (d *decoder) overlay(root *yaml.Node, o Source, set map[string]Value) (*yaml.Node, error) {
	if len(o.set) > 0 {
		for _, b := range o.set {
			root = d.overlaySet(root, b, o.File, set)
		}
		return root, nil
	}
	top, err := parseYAML(o.Text)
	if err != nil {
		return nil, Errors{yamlError(o.File, err)}
	}
	if top == nil {
		return root, nil
	}
	d.came(top, o.File)
	d.measure(top)
	if top.Kind == yaml.MappingNode && root.Kind == yaml.MappingNode {
		root = withoutOtherSources(root, top)
	}
	return merge(root, top, 0), nil
}

// withoutOtherSources drops the base's way to say the points when the overlay
// has another.
func withoutOtherSources(base, over *yaml.Node) *yaml.Node {
	says := func(m *yaml.Node) (found []string) {
		for _, k := range sourceKeys {
			if keyIndex(m, k) >= 0 {
				found = append(found, k)
			}
		}
		return found
	}
	if len(says(over)) == 0 {
		return base
	}
	for _, k := range says(base) {
		if keyIndex(over, k) < 0 {
			base = without(base, k)
		}
	}
	return base
}

// without is a map without a key.
func without(m *yaml.Node, key string) *yaml.Node {
	i := keyIndex(m, key)
	if i < 0 {
		return m
	}
	out := *m
	out.Content = append(append([]*yaml.Node(nil), m.Content[:i]...), m.Content[i+2:]...)
	return &out
}

// merge keeps what base has and over has not. Below the second level values
// are replaced: an axis is one thing.
func merge(base, over *yaml.Node, depth int) *yaml.Node {
	for base.Kind == yaml.AliasNode {
		base = base.Alias
	}
	if base.Kind != yaml.MappingNode || over.Kind != yaml.MappingNode || depth > 1 {
		return over
	}
	out := *base
	out.Content = append([]*yaml.Node(nil), base.Content...)
	for i := 0; i+1 < len(over.Content); i += 2 {
		if j := keyIndex(&out, over.Content[i].Value); j >= 0 {
			out.Content[j+1] = merge(out.Content[j+1], over.Content[i+1], depth+1)
		} else {
			out.Content = append(out.Content, over.Content[i], over.Content[i+1])
		}
	}
	return &out
}

func keyIndex(m *yaml.Node, key string) int {
	if m.Kind != yaml.MappingNode {
		return -1
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return i
		}
	}
	return -1
}

// overlaySet fixes a name for every run. A value of a bundle or a template
// chooses it; any other name becomes a constant and is no axis any more.
func (d *decoder) overlaySet(root *yaml.Node, b Binding, file string, set map[string]Value) *yaml.Node {
	if root.Kind != yaml.MappingNode {
		return root
	}
	if chosen, ok := d.choose(root, b, file); ok {
		return chosen
	}
	set[b.Name] = b.Value
	value := jsonNode(b.Value)
	top := mapNode("parameters", mapNode(b.Name, value))
	d.came(top, file)
	root = merge(root, top, 0)
	for _, k := range sourceKeys {
		root = with(root, k, func(n *yaml.Node) *yaml.Node { return withoutAxis(n, k, b.Name) })
	}
	return with(root, "derive", func(n *yaml.Node) *yaml.Node { return without(n, b.Name) })
}

func mapNode(key string, value *yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: key}, value}}
}

// jsonNode is a value as a node without a place.
func jsonNode(v Value) *yaml.Node {
	switch x := v.Any().(type) {
	case []any:
		n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, e := range x {
			ev, _ := ValueOf(e)
			n.Content = append(n.Content, jsonNode(ev))
		}
		return n
	case map[string]any:
		n := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
		for _, k := range sortedKeys(x) {
			ev, _ := ValueOf(x[k])
			n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: k, Style: yaml.DoubleQuotedStyle}, jsonNode(ev))
		}
		return n
	case string:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: x, Style: yaml.DoubleQuotedStyle}
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Value: v.String()}
}

// with changes the value of a key, where the map has it.
func with(m *yaml.Node, key string, change func(*yaml.Node) *yaml.Node) *yaml.Node {
	i := keyIndex(m, key)
	if i < 0 {
		return m
	}
	out := *m
	out.Content = append([]*yaml.Node(nil), m.Content...)
	n := out.Content[i+1]
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	out.Content[i+1] = change(n)
	return &out
}

// withoutAxis takes a name out of a way to say the points.
func withoutAxis(n *yaml.Node, key, name string) *yaml.Node {
	switch {
	case (key == "grid" || key == "zip") && keyIndex(n, name) >= 0:
		out := without(n, name)
		if len(out.Content) == 0 {
			out.Line = 0 // nothing varies any more, and that is meant
		}
		return out
	case (key == "list" || key == "any_of") && n.Kind == yaml.SequenceNode:
		out := *n
		out.Content = nil
		for _, e := range n.Content {
			if key == "list" {
				if e.Kind == yaml.MappingNode && keyIndex(e, name) >= 0 {
					e = without(e, name)
					e.Line = 0
				}
			} else {
				for _, k := range sourceKeys {
					e = with(e, k, func(n *yaml.Node) *yaml.Node { return withoutAxis(n, k, name) })
				}
			}
			out.Content = append(out.Content, e)
		}
		return &out
	}
	return n
}

// choose keeps one value of a bundle or one of several templates.
func (d *decoder) choose(root *yaml.Node, b Binding, file string) (*yaml.Node, bool) {
	value, isText := b.Value.Any().(string)
	only := func(n *yaml.Node) *yaml.Node {
		i := keyIndex(n, value)
		if n.Kind != yaml.MappingNode || !isText || i < 0 {
			d.errs = append(d.errs, &Error{File: file, Msg: fmt.Sprintf("`%s` has no value %s", b.Name, b.Value)})
			return n
		}
		out := *n
		out.Content = n.Content[i : i+2]
		return &out
	}
	chosen := false
	root = with(root, "template", func(n *yaml.Node) *yaml.Node {
		if i := keyIndex(n, "axis"); n.Kind == yaml.MappingNode && i >= 0 && n.Content[i+1].Value == b.Name {
			chosen = true
			return with(n, "of", only)
		}
		return n
	})
	for _, k := range []string{"grid", "zip"} {
		root = with(root, k, func(n *yaml.Node) *yaml.Node {
			return with(n, b.Name, func(axis *yaml.Node) *yaml.Node {
				if axis.Kind == yaml.MappingNode && keyIndex(axis, "bundle") >= 0 {
					chosen = true
					return with(axis, "bundle", only)
				}
				return axis
			})
		})
	}
	return root, chosen
}

// fix takes what --set fixed out of partial points: where they agree it goes
// without saying, where they do not they can match nothing.
func (s *Spec) fix() {
	if len(s.set) == 0 {
		return
	}
	fix := func(list []object) []object {
		var out []object
		for _, o := range list {
			if o, ok := s.fixed(o); ok {
				out = append(out, o)
			}
		}
		return out
	}
	s.include, s.exclude = fix(s.include), fix(s.exclude)
	var kept []override
	for _, o := range s.overrides {
		if m, ok := s.fixed(o.match); ok {
			o.match = m
			kept = append(kept, o)
		}
	}
	s.overrides = kept
	s.baseline, _ = s.fixed(s.baseline)
	s.Baseline = s.baseline.bindings
	s.Limits = slices.DeleteFunc(s.Limits, func(l ValueLimit) bool { _, ok := s.set[l.Axis]; return ok })
	if _, ok := s.set[s.Repeat.As]; ok {
		s.Repeat.As = ""
	}
}

func (s *Spec) fixed(o object) (object, bool) {
	out := object{at: o.at}
	for i, b := range o.bindings {
		v, ok := s.set[b.Name]
		if ok && !same(v, b.Value) {
			return object{at: o.at}, false
		}
		if !ok {
			out.bindings, out.keys, out.nodes = append(out.bindings, b), append(out.keys, o.keys[i]), append(out.nodes, o.nodes[i])
		}
	}
	return out, true
}

// sourceKeys make points; a file has exactly one of them.
var sourceKeys = []string{"grid", "zip", "list", "from", "any_of"}

// keys of a sweep file, in the order people write them.
func (s *Spec) keys() map[string]func(*decoder, *yaml.Node) {
	return map[string]func(*decoder, *yaml.Node){
		"name":         func(d *decoder, n *yaml.Node) { s.Name = s.checkName(d, n) },
		"template":     s.decodeTemplate,
		"kernel":       s.decodeKernel,
		"python":       func(d *decoder, n *yaml.Node) { s.Python = d.text(n, "a virtual environment or interpreter") },
		"share_prefix": func(d *decoder, n *yaml.Node) { s.SharePrefix = d.flag(n) },
		"files":        func(d *decoder, n *yaml.Node) { s.Files = d.texts(n, "file patterns") },
		"inputs":       func(d *decoder, n *yaml.Node) { s.Inputs = d.texts(n, "files, patterns or URIs") },
		"env":          s.decodeEnv,
		"parameters":   s.decodeParameters,
		"include":      func(d *decoder, n *yaml.Node) { s.include = d.objects(n) },
		"exclude":      func(d *decoder, n *yaml.Node) { s.exclude = d.objects(n) },
		"where":        func(d *decoder, n *yaml.Node) { s.where = d.expr(n) },
		"derive":       s.decodeDerive,
		"sample":       s.decodeSample,
		"repeat":       s.decodeRepeat,
		"metrics":      s.decodeMetrics,
		"baseline":     s.decodeBaseline,
		"timeout":      func(d *decoder, n *yaml.Node) { s.Timeout = d.timeout(n) },
		"retries":      func(d *decoder, n *yaml.Node) { s.Retries = d.retries(n) },
		"halt":         func(d *decoder, n *yaml.Node) { s.Halt = d.halt(n) },
		"limits":       s.decodeLimits,
		"keep":         func(d *decoder, n *yaml.Node) { s.Keep = d.texts(n, "file patterns") },
		"stale_on":     s.decodeStaleOn,
		"max_runs":     func(d *decoder, n *yaml.Node) { s.MaxRuns = d.whole(n, 1) },
		"resources":    func(d *decoder, n *yaml.Node) { s.Resources = d.resources(n) },
		"overrides":    s.decodeOverrides,
		"placement":    s.decodePlacement,
		"workdir":      func(d *decoder, n *yaml.Node) { s.Workdir = d.oneOf(n, "private", "shared") },
		"report":       s.decodeReport,
		"notify":       s.decodeNotify,
		"nomad":        s.decodeNomad,
	}
}

func (s *Spec) decode(d *decoder, root *yaml.Node) {
	keys := s.keys()
	words := append([]string(nil), sourceKeys...)
	for k := range keys {
		words = append(words, k)
	}
	var sources []field
	for _, f := range d.fields(root, "a map with the keys of a sweep file") {
		s.nodes[f.name] = f.key
		if read, ok := keys[f.name]; ok {
			read(d, f.node)
			continue
		}
		if contains(sourceKeys, f.name) {
			sources = append(sources, f)
			continue
		}
		d.errorf(f.key, "unknown key `%s`%s", f.name, didYouMean(f.name, words))
	}
	if len(s.Templates) == 0 && s.nodes["template"] == nil {
		d.hintf(root, "add `template: my.ipynb`", "`template` is missing")
	}
	s.decodeSource(d, root, sources)
	s.fix()
	if s.Workdir == "private" {
		s.Workdir = ""
	}
}

func contains(words []string, w string) bool {
	for _, x := range words {
		if x == w {
			return true
		}
	}
	return false
}

func (s *Spec) decodeSource(d *decoder, root *yaml.Node, found []field) {
	switch len(found) {
	case 0:
		s.source = &union{}
		if len(s.include) > 0 {
			return // they are all the points there are
		}
		if s.Repeat.N > 1 && s.nodes["grid"] == nil {
			s.source = &product{at: s.nodes["repeat"]} // one point, again and again
			return
		}
		d.hintf(root, "add `grid:` with an axis, such as `grid: {seed: [1, 2, 3]}`", "`grid` is missing")
	case 1:
		s.source = d.source(found[0])
	default:
		s.source = &union{}
		d.hintf(found[1].key, "join them under `any_of`", "`%s` and `%s` both say which points there are", found[0].name, found[1].name)
	}
}

func (s *Spec) checkName(d *decoder, n *yaml.Node) string {
	name := d.text(n, "a name")
	if strings.ContainsAny(name, "/\\\x00") || strings.HasPrefix(name, ".") || len(name) > 100 {
		d.errorf(n, "the name %q cannot be the name of a folder", name)
	}
	return name
}

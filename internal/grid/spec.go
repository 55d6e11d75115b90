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
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/fanout-dev/fanout/internal/value"
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
	Parameters   []value.Binding // constants
	Secrets      []Secret
	Metrics      []Metric
	Baseline     []value.Binding
	Timeout      Timeout
	Retries      Retries
	Halt         Halt
	Limits       []ValueLimit
	Keep         []string
	StaleOn      []string
	MaxRuns      int
	Resources    Resources
	Placement    []value.Binding // Nomad field ← expression
	Workdir      string          // empty, or shared
	Report       *ReportSpec
	Notify       []Notice
	Nomad        []value.Binding // as written: settings of that executor
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
	By                string  // how it is compared: mean, bootstrap, exact, or empty for medians
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
	bindings []value.Binding
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
	for _, o := range overlays {
		if root, err = d.overlay(root, o); err != nil {
			return nil, err
		}
	}
	s := &Spec{
		file: file, text: text, Warm: "auto",
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

// Package plan is what a plan of a sweep says, as data: the runs, how they are
// executed, and the digests by which both are known again. It reads and writes
// nothing.
package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/needs"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep/internal/jsonl"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

// A Run is one point and replicate: what is computed, not how.
type Run struct {
	ID        string          `json:"id"`
	Params    []value.Binding `json:"params"`           // what the template is passed, in order
	Labels    []value.Binding `json:"labels,omitempty"` // axis values that are not parameters
	Replicate int             `json:"replicate,omitempty"`
	Round     int             `json:"round,omitempty"`    // with which a sweep that grows by points executes it, from 0
	Unit      string          `json:"unit,omitempty"`     // digest of what all rounds, or all variants, of a candidate share
	Template  string          `json:"template,omitempty"` // the slot, when the template is an axis, or the step
	Unplanned bool            `json:"unplanned,omitempty"`
	Inputs    string          `json:"inputs,omitempty"`   // digest of what the run reads
	Settings  *Settings       `json:"settings,omitempty"` // only where overrides change the sweep's
}

// Settings are the limits of one run.
type Settings struct {
	StartTimeout time.Duration `json:"start_timeout,omitempty"` // nanoseconds; 0 is none
	CellTimeout  time.Duration `json:"cell_timeout,omitempty"`
	RunTimeout   time.Duration `json:"run_timeout,omitempty"`
	CellPercent  float64       `json:"cell_percent,omitempty"` // of the median of finished runs
	RunPercent   float64       `json:"run_percent,omitempty"`
	Memory       int64         `json:"memory,omitempty"` // bytes; 0 is no cap
	CPU          int           `json:"cpu,omitempty"`    // MHz, for a cluster
	Kernel       string        `json:"kernel,omitempty"`
	Placement    string        `json:"placement,omitempty"` // fields of a cluster's job as canonical JSON; empty for none
}

// Step is the step that the run is of; empty in a sweep without steps.
func (r Run) Step() string {
	if r.Template == "" || slices.ContainsFunc(r.Labels, func(b value.Binding) bool { return b.Value.Text() == r.Template }) {
		return "" // the slot of a template axis is a label, too
	}
	return r.Template
}

// Texts remembers the texts of values: those of an axis are few.
type Texts map[value.Value]string

func (t Texts) of(v value.Value) string {
	text, known := t[v]
	if !known {
		text = asFloat(v).String()
		t[v] = text
	}
	return text
}

// On is the canonical text of a run's value on an axis, in which numbers that are
// equal are one; empty where it has none.
func (t Texts) On(r Run, axis string) string {
	for _, list := range [][]value.Binding{r.Params, r.Labels} {
		if v, ok := value.Lookup(list, axis); ok {
			return t.of(v)
		}
	}
	if axis == "replicate" {
		return strconv.Itoa(r.Replicate)
	}
	return ""
}

// asFloat is an int as the float that it equals, where there is one.
func asFloat(v value.Value) value.Value {
	x, isNumber := v.Float()
	if !isNumber || v.Kind() != value.Int {
		return v
	}
	if f, err := value.Of(x); err == nil && value.Equal(f, v) {
		return f
	}
	return v
}

// Name names a run by its step and its values of the axes or, where there are
// none, by all that it is given.
func (r Run) Name(axes []grid.Axis) string {
	name := r.values(axes)
	switch step := r.Step(); {
	case step == "":
		return name
	case name == "":
		return step
	default:
		return step + " " + name
	}
}

func (r Run) values(axes []grid.Axis) string {
	varies := func(name string) bool {
		return slices.ContainsFunc(axes, func(a grid.Axis) bool { return a.Name == name })
	}
	var values []value.Binding
	for _, b := range slices.Concat(r.Labels, r.Params) {
		if varies(b.Name) {
			values = append(values, b)
		}
	}
	if len(values) == 0 && r.Step() == "" { // nothing varies
		values = slices.Clone(r.Params)
	}
	if varies("run_replicate") {
		n, _ := value.Of(r.Replicate) // an int is a value
		values = append(values, value.Binding{Name: "replicate", Value: n})
	}
	return unit.Name(values)
}

// IDLen is how many characters the id of a run has.
const IDLen = 16

// runID returns the identity of a point as a run: 16 lower-case base32
// characters of the SHA-256 of its canonical form.
func runID(p grid.Point) string {
	return ShortDigest([]byte(p.Identity()))
}

// ShortDigest is the beginning of a SHA-256 as 16 lower-case base32 characters.
func ShortDigest(b []byte) string {
	sum := sha256.Sum256(b)
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:IDLen*5/8]))
}

// IsID reports whether a text may be the id of a run, and so a part of the keys of
// its objects: letters, digits, "-" and "_", at most 64.
func IsID(text string) bool {
	other := func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '_'
	}
	return text != "" && len(text) <= 64 && text[0] != '-' && !strings.ContainsFunc(text, other)
}

// Decode reads the runs of a plan, a line each. Somebody else may have written
// them: each has an id of its own.
func Decode(lines []byte) ([]Run, error) {
	runs, err := jsonl.DecodeAll[Run](lines)
	known := make(map[string]struct{}, len(runs))
	for i, r := range runs {
		known[r.ID] = struct{}{}
		switch {
		case !IsID(r.ID):
			return nil, fmt.Errorf("line %d: the id of its run, %s, is none that fanout gives", i+1, strconv.Quote(unit.Cut(r.ID, 40)))
		case len(known) == i:
			return nil, fmt.Errorf("line %d: run %s is in it twice", i+1, r.ID)
		}
	}
	return runs, err
}

// NewRun returns the run of a point.
func NewRun(p grid.Point) Run {
	r := Run{ID: runID(p), Params: p.Params(), Labels: p.Labels(), Replicate: p.Replicate(), Template: p.Template(), Round: p.Round()}
	if p.Unit() != "" {
		r.Unit = ShortDigest([]byte(p.Unit()))
	}
	return r
}

// Digest is the hex SHA-256 of b, by which frozen objects are named.
func Digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// A Head is what a plan says about the sweep as a whole. The highest head in
// the store is the plan in force.
type Head struct {
	Number      int         `json:"number"`
	Name        string      `json:"name"`
	AsOf        time.Time   `json:"as_of"`   // the logical date
	Created     time.Time   `json:"created"` // when it was planned
	Runs        int         `json:"runs"`    // planned runs
	Kept        int         `json:"kept"`    // runs of earlier plans that are planned no more
	Digest      string      `json:"digest"`  // SHA-256 of the run lines
	Spec        string      `json:"spec"`    // key of the frozen sweep file
	SpecName    string      `json:"spec_name"`
	Source      string      `json:"source"` // folder of the sweep file, relative to the sweep where that is possible
	Templates   []Template  `json:"templates"`
	Steps       []Step      `json:"steps,omitempty"` // each after those it needs
	Files       string      `json:"files,omitempty"` // key of the frozen files
	FilesDigest string      `json:"files_digest,omitempty"`
	Environment string      `json:"environment,omitempty"` // digest
	Axes        []grid.Axis `json:"axes"`
	// Of a sweep that grows: the key of all runs it may come to have, what it
	// asks, as a digest, and the looks at it, as package decide writes them.
	Reserve  string          `json:"reserve,omitempty"`
	Question string          `json:"question,omitempty"`
	Looks    json.RawMessage `json:"looks,omitempty"`
	Recipe   Recipe          `json:"recipe"`
}

// A Template is one notebook that runs are made of.
type Template struct {
	Slot string `json:"slot,omitempty"` // its name when the template is an axis, or its step
	Path string `json:"path"`           // as the sweep file says, slash-separated
	Key  string `json:"key"`            // of the frozen copy
	Code string `json:"code"`           // digest of what a kernel sees
	Text string `json:"text"`           // digest of the prose
}

// Notebooks are the paths of the templates, each once, though several steps may
// execute it.
func (h Head) Notebooks() (paths []string) {
	for _, t := range h.Templates {
		if !slices.Contains(paths, t.Path) {
			paths = append(paths, t.Path)
		}
	}
	return paths
}

// Fingerprint is that of an attempt at r under the plan.
func (h Head) Fingerprint(r Run) outcome.Fingerprint {
	f := outcome.Fingerprint{Files: h.FilesDigest, Inputs: r.Inputs, Environment: h.Environment}
	for _, t := range h.Templates {
		if t.Slot == r.Template {
			f.Code, f.Text = t.Code, t.Text
		}
	}
	return f
}

// A Recipe is how the sweep's runs are made: what an executor needs to know
// of the sweep file. It travels with the plan, so a worker needs no YAML.
type Recipe struct {
	Kernel      string   `json:"kernel,omitempty"` // kernelspec; empty is the template's
	Python      string   `json:"python,omitempty"` // virtual environment or interpreter, relative to the sweep file's folder
	Warm        string   `json:"warm,omitempty"`   // auto, zmq or off
	SharePrefix bool     `json:"share_prefix,omitempty"`
	Env         []string `json:"env,omitempty"` // KEY=value
	Secrets     []Secret `json:"secrets,omitempty"`
	Settings    Settings `json:"settings"` // of runs without overrides
	Keep        []string `json:"keep,omitempty"`
	Workdir     string   `json:"workdir,omitempty"` // "shared": the template's own folder
	Modules     []string `json:"modules,omitempty"` // what the template imports
}

// A Step is one notebook of a sweep that has several. Its runs have its name as
// their template.
type Step struct {
	Name  string       `json:"name"`
	Axes  []string     `json:"axes,omitempty"` // that its runs differ in
	Needs []needs.Need `json:"needs,omitempty"`
	With  []With       `json:"with,omitempty"`
	Keep  []string     `json:"keep,omitempty"` // patterns, besides the recipe's
}

// With is a parameter that is passed what needed runs left.
type With struct {
	Param string `json:"param"`
	Expr  string `json:"expr"`
	Float bool   `json:"float,omitempty"` // an int is passed as a float
	Kind  string `json:"kind,omitempty"`  // that the template declares, empty for any
}

// Step finds a step by its name.
func (h Head) Step(name string) (Step, bool) {
	for _, s := range h.Steps {
		if s.Name == name {
			return s, true
		}
	}
	return Step{}, false
}

// A Secret is a parameter whose value is read from the environment where a
// run executes, and is never written anywhere.
type Secret struct {
	Param string   `json:"param"`
	Env   string   `json:"env"`
	Steps []string `json:"steps,omitempty"` // that take it; none where there are no steps
}

// For reports whether a run takes the secret.
func (s Secret) For(r Run) bool { return len(s.Steps) == 0 || slices.Contains(s.Steps, r.Template) }

// Same compares what two heads plan, leaving out when they did so.
func Same(a, b Head) bool {
	a.Number, b.Number = 0, 0
	a.Created, b.Created = time.Time{}, time.Time{}
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return bytes.Equal(x, y)
}

// Making digests how the plan executes its runs: a shard composed
// under another one computes something else.
func (h Head) Making() string {
	line, _ := json.Marshal(struct {
		Templates []Template
		Files     string
		Recipe    Recipe
		Steps     []Step `json:",omitempty"`
	}{h.Templates, h.FilesDigest, h.Recipe, h.Steps})
	return Digest(line)
}

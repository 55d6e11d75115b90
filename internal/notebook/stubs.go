package notebook

import (
	"encoding/json"
	"errors"
	"time"
)

var errSoon = errors.New("not yet")

// A Parameter is one name that the parameters cell declares.
type Parameter struct {
	Name     string
	Type     string // annotated, or inferred from the default; "" when unknown
	Default  string // the default's source text
	Value    any    // the default, when it is a literal: nil, bool, int64, *big.Int, float64, string, []any, map[string]any
	HasValue bool
	Help     string
	Choices  []any // of a Literal annotation
	Line     int   // in the cell, from 1
}

// Parameters returns what the first cell tagged "parameters" declares.
func (n *Notebook) Parameters() (ps []Parameter, found bool, err error) { return nil, false, errSoon }

// An Argument is a parameter with the value it is given. A Secret is the name
// of the environment variable that holds the value where the notebook runs.
type Argument struct {
	Name   string
	Value  any
	Secret string
}

// PrepareOptions say what Prepare puts into a notebook.
type PrepareOptions struct {
	Args                  []Argument // in the order they are written
	InputPath, OutputPath string
	Kernel, Language      string // override what the notebook says
	ReportMode            bool   // hide the input of code cells
	Comment               string // header of the injected cell; "" is "Parameters"
	Version               string // recorded as metadata.papermill.version
}

// Prepare injects parameters.
func (n *Notebook) Prepare(o PrepareOptions) (warnings []string, err error) { return nil, errSoon }

// A Failure is where and how a notebook failed.
type Failure struct {
	Cell           int // index in Cells
	ExecutionCount *int
	Ename, Evalue  string
	Traceback      []string
}

// MarkFailure puts papermill's banners into the notebook.
func (n *Notebook) MarkFailure(f Failure) {}

// Failure returns how the notebook failed, if it did.
func (n *Notebook) Failure() (Failure, bool) { return Failure{}, false }

// EarlyExit reports whether a cell ended the notebook with SystemExit 0.
func (n *Notebook) EarlyExit() bool { return false }

// A Verdict is how an executed notebook of unknown origin ended.
type Verdict struct {
	Status string // planned, running, succeeded, failed, timed_out, canceled or lost
	Kind   string // reason kind; "" for plain success
	Reason string // a sentence
	Cell   int    // index in Cells, -1 when no cell is to blame
}

// Verdict derives how the notebook ended.
func (n *Notebook) Verdict() Verdict { return Verdict{} }

// A Scrap is one recorded value.
type Scrap struct {
	Name    string
	Encoder string // "json", "text", "pandas", "display" or what the notebook says
	Data    json.RawMessage
	HasData bool
	Display map[string]json.RawMessage // mime bundle; nil when none
	Mime    string                     // MIME type the data came under
	Cell    int                        // index in Cells
	Legacy  string                     // which old or foreign form it was; "" for scrapbook's current
}

// A Problem is something about a notebook that a reader of its scraps must know.
type Problem struct {
	Kind   string
	Name   string // of the scrap
	Detail string
	Cell   int
}

// Scraps returns what the notebook recorded.
func (n *Notebook) Scraps() ([]Scrap, []Problem) { return nil, nil }

// ScrapsOf returns what one output recorded.
func ScrapsOf(cell int, o Output) ([]Scrap, []Problem) { return nil, nil }

// CodeDigest is the fingerprint of the code.
func (n *Notebook) CodeDigest() string { return "" }

// TextDigest is the fingerprint of the Markdown.
func (n *Notebook) TextDigest() string { return "" }

// Imports returns the modules that the notebook's Python cells import.
func (n *Notebook) Imports() []string { return nil }

// ImportsOf returns the modules that Python source imports.
func ImportsOf(source string) []string { return nil }

// SetRecord stores v, which must marshal to a JSON object, as metadata.fanout.
func (n *Notebook) SetRecord(v any) error { return errSoon }

// Record reads metadata.fanout into v; false when there is none.
func (n *Notebook) Record(v any) (bool, error) { return false, errSoon }

// BeginRun resets outputs and metadata for an execution that starts at t.
func (n *Notebook) BeginRun(t time.Time) {}

// BeginCell records that cell i starts at t.
func (n *Notebook) BeginCell(i int, t time.Time) {}

// FailCell records that cell i failed.
func (n *Notebook) FailCell(i int) {}

// EndCell records that cell i ended at t.
func (n *Notebook) EndCell(i int, t time.Time) {}

// EndRun records that the execution ended at t.
func (n *Notebook) EndRun(t time.Time) {}

// SetLanguageInfo replaces metadata.language_info by a kernel's own.
func (n *Notebook) SetLanguageInfo(info json.RawMessage) error { return errSoon }

// StampExecution records when a message of the kernel was seen, as nbclient does.
func (c *Cell) StampExecution(message string, t time.Time) {}

// Package align says in which cells executed notebooks of one template differ,
// and how.
//
// In go runs with their notebooks and the axes they vary along; out comes a
// Report: the cells whose outputs differ, the most telling first, each with
// the runs grouped by equal output, what explains the groups, and how one run
// of each group differs from the reference. [Notebooks] compares any
// notebooks, [Sweep] runs of a sweep.
//
// It promises that what two executions of the same code with the same values
// give is equal, and that a cell is named only if somebody could see the
// difference: addresses, random ids, durations, paths of temporary files,
// counts and the bytes of equal pictures are left out of account. Notebooks of
// one template are aligned in one pass over their cells; those of an edited
// one by what their cells have in common.
//
// It executes and writes nothing. Texts in a Report are foreign: cut to a
// line, and not escaped.
package align

import (
	"github.com/fanout-dev/fanout/internal/align/internal/delta"
	"github.com/fanout-dev/fanout/internal/value"
)

// A Run is an executed notebook that is compared.
type Run struct {
	ID     string                 // of the run, or the path of the notebook
	Name   string                 // for people
	Values []value.Binding        // of the axes, in their order
	Stale  []string               // parts in which it differs from the plan; nil for one that is current
	Size   int64                  // of the notebook in bytes; 0 is unknown
	Mark   string                 // tells the notebook from every other; "" where nothing does
	Read   func() ([]byte, error) // reads the notebook; may be called again
}

// Options say how runs are compared.
type Options struct {
	By        []string        // axes whose values are compared, among runs that agree on all others; none: every run with every other
	Reference []value.Binding // of runs that the others are held against
	First     bool            // the first run is the reference
	Tolerance float64         // numbers that differ by no more than this share are equal
	Most      int             // differences that are described in detail; 0 is all of them
	Memory    *Memory         // nil: every notebook is read
}

// Tolerance is what numbers may differ by where nothing else is asked for: the
// last digits of a sum depend on how many threads computed it.
const Tolerance = 1e-9

// A Report is in which cells runs differ.
type Report struct {
	Runs        []Compared   `json:"runs"`           // what was compared
	Left        []Left       `json:"left,omitempty"` // what was not
	By          []string     `json:"by,omitempty"`   // axes whose values were compared
	Cells       int          `json:"cells"`          // code cells that at least two runs reached
	Differences []Difference `json:"differences"`    // the most telling first
	Edited      []Edited     `json:"edited,omitempty"`
	Tolerance   float64      `json:"tolerance"`
}

// Compared is a run that was compared.
type Compared struct {
	ID     string          `json:"id"`
	Name   string          `json:"name"`
	Values []value.Binding `json:"values,omitempty"`
	Stale  []string        `json:"stale,omitempty"`
	Failed string          `json:"failed,omitempty"` // what it raised
	Ended  int             `json:"ended,omitempty"`  // the last cell that it reached, if it did not reach them all
}

// Left is a run that could not be compared, and why.
type Left struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Why  string `json:"why"`
}

// Edited says that the code of a cell is not the same in all runs.
type Edited struct {
	Cell  int      `json:"cell"`
	Title string   `json:"title"`
	Runs  []string `json:"runs"` // those whose code differs from the most common
	Gone  bool     `json:"gone"` // they do not have the cell
}

// A Difference is a cell whose output differs.
type Difference struct {
	Cell      int      `json:"cell"` // number among code cells, as everywhere
	ID        string   `json:"id"`   // of the cell
	Title     string   `json:"title"`
	Source    string   `json:"source"`
	Groups    []Group  `json:"groups"` // by equal output: the reference first, then the largest
	Among     int      `json:"among"`  // runs that reached the cell
	Rank      float64  `json:"rank"`   // how likely two runs differ, 0 to 1
	Pattern   Pattern  `json:"pattern"`
	Axes      []string `json:"axes,omitempty"` // that explain the groups; with By the values where they differ, as "x=2"
	Unreached []string `json:"unreached,omitempty"`
	Pairs     int      `json:"pairs,omitempty"` // with By: comparisons with the reference
	Differ    int      `json:"differ,omitempty"`

	spread float64
	raised bool // in some runs and not in others
}

// A Pattern is how the groups of a difference lie among the values of axes.
type Pattern string

// The patterns of differences, the most telling first.
const (
	Alone   Pattern = "alone"   // one run differs from all others
	Unknown Pattern = "unknown" // no axis explains the groups
	Exactly Pattern = "exactly" // a group for each value of Axes
	Within  Pattern = "within"  // a value of Axes is in one group, which has several values
	Every   Pattern = "every"   // each run has its own output
	Between Pattern = "between" // two runs: there is no more to say
)

// A Group is the runs with one output of a cell.
type Group struct {
	Runs      []string        `json:"runs"`
	Exemplar  string          `json:"exemplar"`           // the run that Deltas are of
	Reference string          `json:"reference"`          // the run that it is compared with; "" for the first group
	Values    []value.Binding `json:"values,omitempty"`   // what all of its runs have and no other run has
	Raised    string          `json:"raised,omitempty"`   // the exception
	Shows     string          `json:"shows,omitempty"`    // the beginning of its output
	Deltas    []Delta         `json:"deltas,omitempty"`   // from the reference
	Left      int             `json:"left,omitempty"`     // deltas that are not listed
	Differ    int             `json:"differ,omitempty"`   // with By: how many of Compared differ from the reference
	Compared  int             `json:"compared,omitempty"` // with By
}

// Delta is one difference between the outputs of two runs.
type Delta = delta.Delta

// The kinds of deltas.
const (
	Number  = delta.Number
	Numbers = delta.Numbers
	Text    = delta.Text
	Cell    = delta.Cell
	Shape   = delta.Shape
	Picture = delta.Picture
	Value   = delta.Value
	Added   = delta.Added
	Removed = delta.Removed
	Markup  = delta.Markup
	Raised  = delta.Raised
)

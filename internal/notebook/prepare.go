package notebook

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/notebook/internal/dialect"
)

// papermillVersion is the version of papermill whose documents these are.
const papermillVersion = "2.7.0"

// Tags that papermill and nbclient give a meaning.
const (
	tagParameters = "parameters"
	tagInjected   = "injected-parameters"
	tagError      = "papermill-error-cell-tag"
	tagRaises     = "raises-exception"
	tagSkip       = "skip-execution"
)

// PrepareOptions are what Prepare puts into a notebook.
type PrepareOptions struct {
	Args                  []Argument // in the order they are written
	InputPath, OutputPath string     // recorded; "" is null
	Kernel, Language      string     // override the notebook's
	ReportMode            bool       // hide the input of code cells
	Comment               string     // header of the injected cell; "" is "Parameters"
}

// Prepare readies the notebook for execution, as papermill does: tags and
// metadata of every cell, a cell with the arguments, paths, report mode,
// banners of an earlier failure removed. Without arguments no cell is
// injected, and one that is there stays.
//
// The injected cell replaces the first one that is there; otherwise it follows
// the first cell tagged "parameters"; otherwise it is the first cell. Where a
// tagged cell below it would reset an argument, papermill goes on, and this is
// an error. Warnings are papermill's sentences. After an error the notebook is as
// it was.
func (n *Notebook) Prepare(o PrepareOptions) (warnings []string, err error) {
	var injected *Cell
	if len(o.Args) > 0 {
		if injected, warnings, err = n.newInjected(o); err != nil {
			return nil, err
		}
	}
	record := n.papermill()
	for _, c := range n.Cells {
		c.needs("tags", []any{})
		c.needs("papermill", map[string]any{})
	}
	if injected != nil {
		if !n.inject(injected) {
			warnings = append(warnings, "Input notebook does not contain a cell with tag 'parameters'")
		}
		record["parameters"] = passed(o.Args)
	}
	if o.ReportMode {
		n.hideInput()
	}
	record["input_path"], record["output_path"] = orNull(o.InputPath), orNull(o.OutputPath)
	n.Cells = slices.DeleteFunc(n.Cells, isBanner)
	return warnings, nil
}

// papermill is the notebook's metadata.papermill, created if absent.
func (n *Notebook) papermill() map[string]any {
	if n.Metadata == nil {
		n.Metadata = map[string]any{}
	}
	m, ok := n.Metadata["papermill"].(map[string]any)
	if !ok {
		m = map[string]any{
			"default_parameters": map[string]any{}, "parameters": map[string]any{}, "environment_variables": map[string]any{},
			"version": papermillVersion,
		}
		n.Metadata["papermill"] = m
	}
	return m
}

func (c *Cell) needs(key string, value any) {
	if c.Metadata == nil {
		c.Metadata = map[string]any{}
	}
	if _, has := c.Metadata[key]; !has {
		c.Metadata[key] = value
		c.Touch()
	}
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// passed is metadata.papermill.parameters.
func passed(args []Argument) map[string]any {
	m := map[string]any{}
	for _, a := range args {
		if a.Secret != "" {
			m[a.Name] = map[string]any{"secret": a.Secret}
			continue
		}
		m[a.Name] = a.Value
	}
	return m
}

// newInjected returns the cell that gives the parameters their values.
func (n *Notebook) newInjected(o PrepareOptions) (*Cell, []string, error) {
	d, err := dialect.Of(n.kernelAs(o.Kernel, o.Language))
	if err != nil {
		return nil, nil, err
	}
	if err := n.resets(d, o.Args); err != nil {
		return nil, nil, err
	}
	declared, warnings := n.declared(d, o.Args)
	comment := o.Comment
	if comment == "" {
		comment = "Parameters"
	}
	source, more, err := d.Source(comment, o.Args, declared)
	if err != nil {
		return nil, nil, err
	}
	c := &Cell{Type: "code", Source: source, Metadata: map[string]any{"tags": []any{tagInjected}}}
	return c, append(warnings, more...), nil
}

func (n *Notebook) kernelAs(kernel, language string) (string, string) {
	k, l := n.Kernel()
	if kernel != "" {
		k = kernel
	}
	if language != "" {
		l = language
	}
	return k, l
}

// declared is what the parameters cell declares, with warnings of arguments
// that it does not.
func (n *Notebook) declared(d *dialect.Dialect, args []Argument) (ps []Parameter, warnings []string) {
	ps, _, err := n.parameters(d)
	if err != nil {
		return nil, []string{err.Error()}
	}
	for _, name := range d.Unknown(args, ps) {
		warnings = append(warnings, fmt.Sprintf("Passed unknown parameter: %s", name))
	}
	return ps, warnings
}

// inject places the cell; false when the notebook has no parameters cell.
func (n *Notebook) inject(c *Cell) bool {
	if at := n.tagged(tagInjected); at >= 0 {
		n.Cells = slices.Clone(n.Cells)
		n.Cells[at] = c
		c.ID = n.newID(tagInjected)
		return true
	}
	c.ID = n.newID(tagInjected)
	at := n.tagged(tagParameters)
	n.Cells = slices.Insert(slices.Clone(n.Cells), at+1, c)
	return at >= 0
}

// resets returns an error if a tagged cell below the injected one assigns a name
// that is passed: it would undo what was injected.
func (n *Notebook) resets(d *dialect.Dialect, args []Argument) error {
	at := n.tagged(tagInjected)
	if at < 0 {
		at = n.tagged(tagParameters)
	}
	for i, c := range n.Cells {
		if i <= at || !c.runs() || !c.HasTag(tagParameters) && !c.HasTag(tagInjected) {
			continue
		}
		ps, err := d.Declarations(c.Source)
		if err != nil {
			return fmt.Errorf("read parameters of cell %d: %w", n.CodeCell(i), err)
		}
		unknown := d.Unknown(args, ps)
		if reset := slices.IndexFunc(args, func(a Argument) bool { return !slices.Contains(unknown, a.Name) }); reset >= 0 {
			return &resetError{args[reset].Name, n.CodeCell(max(at, 0)), n.CodeCell(i)}
		}
	}
	return nil
}

// A resetError names a parameter that a cell would reset.
type resetError struct {
	name       string
	given, set int // numbers of code cells
}

func (e *resetError) Error() string {
	return fmt.Sprintf("cells %d and %d are both tagged as parameters: cell %d would reset %s, which is passed after cell %d", e.given, e.set, e.set, e.name, e.given)
}

// Hint says what to do.
func (e *resetError) Hint() string {
	return fmt.Sprintf("keep all default values in one cell tagged `parameters`: move them from cell %d to cell %d, or untag cell %d and assign nothing in it that is passed", e.set, e.given, e.set)
}

// tagged is the index of the first cell with a tag, -1 if there is none.
func (n *Notebook) tagged(tag string) int {
	return slices.IndexFunc(n.Cells, func(c *Cell) bool { return c.HasTag(tag) })
}

func (n *Notebook) hideInput() {
	for _, c := range n.Cells {
		if c.Type != "code" {
			continue
		}
		jupyter, ok := c.Metadata["jupyter"].(map[string]any)
		if !ok {
			jupyter = map[string]any{}
			c.Metadata["jupyter"] = jupyter
		}
		jupyter["source_hidden"] = true
		c.Touch()
	}
}

const (
	bannerStyle = `style="color:red; font-family:Helvetica Neue, Helvetica, Arial, sans-serif; font-size:2em;"`
	bannerTop   = `<span ` + bannerStyle + `>An Exception was encountered at '<a href="#papermill-error-cell">In [%s]</a>'.</span>`
	bannerHere  = `<span id="papermill-error-cell" ` + bannerStyle + `>Execution using papermill encountered an exception here and stopped:</span>`
)

// isBanner reports whether a cell is the banner of an earlier failure: tagged since
// papermill 2.1.1, untagged Markdown in 2.1.0, code that shows HTML before.
func isBanner(c *Cell) bool {
	if c.HasTag(tagError) {
		return true
	}
	text, isCode := strings.CutPrefix(c.Source, "%%html\n")
	if c.Type != "markdown" && (c.Type != "code" || !isCode) {
		return false
	}
	text = strings.TrimSpace(text)
	return strings.HasPrefix(text, "<span") && strings.HasSuffix(text, "</span>") && strings.Count(text, "</span>") == 1 &&
		(strings.Contains(text, ">An Exception was encountered at '") || strings.Contains(text, "Execution using papermill encountered an exception here and stopped:"))
}

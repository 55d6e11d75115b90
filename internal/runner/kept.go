package runner

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/unit"
)

// kept are the scraps of a cell that are not, or no longer, among its outputs:
// what becomes of a display says nothing about a value. They are counted by
// themselves, so that a cell that prints too much loses none.
type kept struct {
	list    []keptOutput // in the order in which they came
	used    int64
	changed bool // since they were last stored
}

type keptOutput struct {
	notebook.Kept
	names []string
	size  int64
}

// keep keeps an output that came after the first before outputs of its cell, if
// it holds scraps. The last output of the same names counts.
func (f *fold) keep(c *cellFold, out notebook.Output, before int) {
	if names := notebook.ScrapNames(out); names != nil {
		k := keptOutput{Kept: notebook.Kept{Times: 1, Output: out}, names: names, size: size(out)}
		for _, o := range c.Outputs[:before] {
			if o.HoldsScraps() {
				k.Before++
			}
		}
		f.keepOutput(c, k)
	}
}

func (f *fold) keepOutput(c *cellFold, k keptOutput) {
	if i := slices.IndexFunc(c.kept.list, func(old keptOutput) bool { return slices.Equal(old.names, k.names) }); i >= 0 {
		old := c.kept.list[i]
		k.Times += old.Times
		f.spendKept(c, -old.size)
		c.kept.list = slices.Delete(c.kept.list, i, i+1)
	}
	if room := min(f.caps.cell-c.kept.used, f.caps.run-f.kept); k.size > room {
		k.Lost = fmt.Sprintf("it has %s, and there was room for %s: it is lost", unit.Bytes(k.size), unit.Bytes(max(room, 0)))
		k.Names, k.Output, k.size = notebook.PlainNames(k.names), notebook.Output{}, 0
	}
	f.spendKept(c, k.size)
	c.kept.list = append(c.kept.list, k)
	c.kept.changed = true
	c.Touch()
}

func (f *fold) spendKept(c *cellFold, n int64) { c.kept.used += n; f.kept += n }

// keepAll keeps the scraps of all outputs of a cell, which are about to go.
func (f *fold) keepAll(c *cellFold) {
	earlier := c.kept.list
	if !slices.ContainsFunc(c.Outputs, notebook.Output.HoldsScraps) {
		for i := range earlier {
			c.kept.changed = c.kept.changed || earlier[i].Before > 0
			earlier[i].Before = 0
		}
		return
	}
	f.spendKept(c, -c.kept.used)
	c.kept.list = nil
	again := func(before int) {
		for len(earlier) > 0 && (before < 0 || earlier[0].Before <= before) {
			earlier[0].Before = 0
			f.keepOutput(c, earlier[0])
			earlier = earlier[1:]
		}
	}
	n := 0
	for _, out := range c.Outputs {
		if out.HoldsScraps() {
			again(n)
			f.keep(c, out, 0)
			n++
		}
	}
	again(-1)
}

// keepReplaced keeps an output that is about to be replaced, unless the new one
// holds the same scraps.
func (f *fold) keepReplaced(p place, old, now notebook.Output) {
	if old.HoldsScraps() && !slices.Equal(notebook.ScrapNames(old), notebook.ScrapNames(now)) {
		f.keep(p.cell, old, p.out)
	}
}

// storeKept writes what is kept into the cell.
func (c *cellFold) storeKept() {
	if !c.kept.changed {
		return
	}
	c.kept.changed = false
	list := make([]notebook.Kept, len(c.kept.list))
	for i, k := range c.kept.list {
		list[i] = k.Kept
	}
	c.Keep(list)
}

var (
	capturing = regexp.MustCompile(`^\s*%%capture\b|\bcapture_output\(`)
	gluing    = regexp.MustCompile(`\bglue\(\s*(?:name\s*=\s*)?(?:'([^']+)'|"([^"]+)")?`)
)

// noteCaptured notes what a cell seems to have recorded into a capture, which
// never leaves the kernel: fanout_glue passes it, scrapbook's glue does not.
func (f *fold) noteCaptured(c *cellFold) {
	calls := gluing.FindAllStringSubmatch(c.Source, -1)
	if len(calls) == 0 || !capturing.MatchString(c.Source) || c.errored ||
		len(c.kept.list) > 0 || slices.ContainsFunc(c.Outputs, notebook.Output.HoldsScraps) {
		return
	}
	var names []string
	for _, call := range calls {
		names = append(names, call[1]+call[2])
	}
	slices.Sort(names)
	c.kept.list = append(c.kept.list, keptOutput{Kept: notebook.Kept{Names: slices.Compact(names),
		Lost: "the cell captures what it displays, and scrapbook's glue is a display: use fanout_glue, or glue after the capture"}})
	c.kept.changed = true
	c.Touch()
}

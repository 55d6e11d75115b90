package align

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/fanout-dev/fanout/internal/unit"
)

// Name is what people call the cell: "cell 7 'fit'".
func (d Difference) Name() string { return cellWords(d.Cell, d.Title) }

// Name is what people call the cell.
func (e Edited) Name() string { return cellWords(e.Cell, e.Title) }

func cellWords(number int, title string) string {
	if title == "" {
		return fmt.Sprintf("cell %d", number)
	}
	return fmt.Sprintf("cell %d '%s'", number, title)
}

// Sentence says in one line how a cell differs: "3 outputs among 12 runs, splits
// exactly by region".
func (d Difference) Sentence() string {
	text := fmt.Sprintf("%s among %s", unit.Plural(len(d.Groups), "output"), unit.Plural(d.Among, "run"))
	if d.Pairs > 0 {
		text = fmt.Sprintf("in %d of %s", d.Differ, unit.Plural(d.Pairs, "comparison"))
	}
	var raised []string
	for _, g := range d.Groups {
		switch {
		case g.Raised == "" || !d.raised:
		case d.Pattern == Alone && len(g.Runs) == 1:
			return text + ", " + g.who() + " alone raised " + g.Raised
		default:
			raised = append(raised, g.who()+" raised "+g.Raised)
		}
	}
	if why := d.why(); why != "" {
		text += ", " + why
	}
	if len(raised) > 0 {
		text += "; " + unit.List(raised)
	}
	return text
}

func (d Difference) why() string {
	switch d.Pattern {
	case Alone:
		for _, g := range d.Groups {
			if len(g.Runs) == 1 {
				return g.who() + " alone differs"
			}
		}
	case Exactly:
		return "splits exactly by " + unit.All(d.Axes)
	case Within:
		if d.Pairs > 0 {
			return "only where " + strings.Join(d.Axes, " ")
		}
		return "splits by " + unit.All(d.Axes) + d.parts()
	case Unknown:
		if d.Pairs == 0 {
			return "and no axis explains which"
		}
	case Every:
		if d.Pairs == 0 {
			return "each its own"
		}
	}
	return ""
}

// parts are the values of one axis that go together: ": us and eu, apac".
func (d Difference) parts() string {
	var texts []string
	for _, g := range d.Groups {
		if len(d.Axes) == 1 && len(g.Values) == 1 && g.Values[0].Name == d.Axes[0] {
			texts = append(texts, g.Values[0].Value.Text())
		}
	}
	if len(texts) == 0 || len(texts) < len(d.Groups)-1 {
		return ""
	}
	return " (" + unit.List(texts) + map[bool]string{true: ", and the others)", false: ")"}[len(texts) < len(d.Groups)]
}

// who names the runs of a group.
func (g Group) who() string {
	if len(g.Values) > 0 {
		return unit.Name(g.Values)
	}
	if len(g.Runs) == 1 {
		return g.Runs[0]
	}
	return unit.Plural(len(g.Runs), "run")
}

// Label is a group's runs in a few words: "region=eu, 4 runs".
func (g Group) Label() string {
	switch {
	case g.Compared > 0:
		return fmt.Sprintf("%s, differs in %d of %s", unit.Name(g.Values), g.Differ, unit.Plural(g.Compared, "comparison"))
	case len(g.Values) > 0 && len(g.Runs) == 1:
		return unit.Name(g.Values)
	case len(g.Values) > 0:
		return unit.Name(g.Values) + ", " + unit.Plural(len(g.Runs), "run")
	case len(g.Runs) == 1:
		return g.Runs[0]
	}
	return unit.Plural(len(g.Runs), "run")
}

// DeltaWords say what a delta is, and from what to what: "rmse" and
// "0.91 → 0.95 (+4.40%)".
func DeltaWords(d Delta) (what, change string) {
	d.Output = outputWords(d)
	what = strings.TrimSpace(d.Output + " " + d.Where)
	switch d.Kind {
	case Picture:
		if d.Share == 0 {
			if d.Where != "" {
				return d.Output, d.Where
			}
			return what, arrow(d.From, d.To)
		}
		return what, pixels(d.Share) + " different" + alike(d.Alike)
	case Shape:
		return what, arrow(d.From, d.To) + alike(d.Alike)
	case Added:
		return what, "only here" + many(d.Count) + colon(d.To)
	case Removed:
		return what, "missing here" + many(d.Count) + colon(d.From)
	case Numbers:
		return what, fmt.Sprintf("%d numbers moved, the most %s", d.Count, moved(d))
	case Markup:
		if d.From == "" && d.To == "" {
			return strings.TrimSpace(d.Output), "differs in " + d.Where
		}
		return strings.TrimSpace(d.Output + " markup"), arrow(d.From, d.To)
	}
	if d.Change != 0 {
		return what, moved(d)
	}
	return what, arrow(d.From, d.To)
}

// outputWords names the output of a change for people: not at all where its place
// says enough.
func outputWords(d Delta) string {
	within := strings.HasPrefix(d.Where, "row ") || strings.HasPrefix(d.Where, "column ")
	switch d.Output {
	case "text/html", "text/plain", "text/markdown", "application/vnd.dataresource+json":
	default:
		switch {
		case strings.HasPrefix(d.Output, "image/"):
			return "picture"
		case within: // a table that was recorded
			return d.Output + ","
		}
		return d.Output
	}
	switch {
	case d.Kind == Cell || d.Kind == Shape || within:
		return tableWords(d.Where)
	case d.Where != "" && d.Kind != Markup:
		return ""
	case d.Output == "text/html":
		return "HTML"
	}
	return "text"
}

func tableWords(where string) string {
	if where == "" {
		return "table"
	}
	return "table,"
}

// moved writes a number that moved with no more digits than people read.
func moved(d Delta) string {
	const plain = 8
	text := arrow(d.From, d.To)
	if from, to, ok := numbers(d); ok && max(len(d.From), len(d.To)) > plain {
		if write := unit.Numbers(from, to); write(from) != write(to) {
			text = arrow(write(from), write(to))
		}
	}
	if d.Share != 0 {
		return text + " (" + unit.Percent(d.Share) + ")"
	}
	return text + " (" + unit.Change(d.Change) + ")"
}

func numbers(d Delta) (from, to float64, ok bool) {
	from, err := strconv.ParseFloat(d.From, 64)
	to, wrong := strconv.ParseFloat(d.To, 64)
	return from, to, err == nil && wrong == nil
}

func arrow(from, to string) string { return quiet(from) + " → " + quiet(to) }

func quiet(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

func pixels(share float64) string {
	if share < 0.0001 {
		return "less than 0.01%"
	}
	return strings.TrimPrefix(unit.Percent(share), "+")
}

func alike(b bool) string {
	if b {
		return ", alike at a glance"
	}
	return ""
}

func many(n int) string {
	if n == 0 {
		return ""
	}
	return ", " + unit.Plural(n, "line")
}

func colon(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}

// NameOf is the name of a run of the report, for people.
func (r *Report) NameOf(id string) string {
	for _, c := range r.Runs {
		if c.ID == id {
			return c.Name
		}
	}
	return id
}

// Notes are what a reader must know about the runs: which were not compared,
// failed, or executed other code.
func (r *Report) Notes() []string {
	var notes []string
	for _, e := range r.Edited {
		what := "has other code in"
		if e.Gone {
			what = "is missing in"
		}
		notes = append(notes, fmt.Sprintf("%s %s %s", e.Name(), what, r.names(e.Runs)))
	}
	var failed, stale []string
	for _, c := range r.Runs {
		switch {
		case c.Failed != "" && c.Ended > 0:
			failed = append(failed, fmt.Sprintf("%s ended in cell %d: %s", c.Name, c.Ended, c.Failed))
		case c.Ended > 0:
			failed = append(failed, fmt.Sprintf("%s ended after cell %d", c.Name, c.Ended))
		}
		if len(c.Stale) > 0 {
			stale = append(stale, c.ID)
		}
	}
	notes = append(notes, few(failed, "ended early")...)
	if len(stale) > 0 {
		notes = append(notes, fmt.Sprintf("stale, executed with other code, files or inputs than the plan has now: %s", r.names(stale)))
	}
	var left []string
	for _, l := range r.Left {
		left = append(left, fmt.Sprintf("not compared: %s: %s", l.Name, l.Why))
	}
	return append(notes, few(left, "could not be compared")...)
}

// Along is an axis along which to compare instead, where each run has its own
// output; otherwise "".
func (r *Report) Along() string {
	d := r.Differences
	if len(d) == 0 || len(r.Runs) < 3 || d[len(d)-1].Pattern != Every || len(r.By) > 0 || len(r.Runs[0].Values) < 2 {
		return ""
	}
	return r.Runs[0].Values[0].Name
}

const fewNotes = 5

func few(notes []string, more string) []string {
	if len(notes) > fewNotes {
		return append(notes[:fewNotes:fewNotes], unit.Plural(len(notes)-fewNotes, "more run")+" "+more)
	}
	return notes
}

func (r *Report) names(ids []string) string {
	if len(ids) > 3 {
		return unit.Plural(len(ids), "run") + ", such as " + r.NameOf(ids[0])
	}
	var names []string
	for _, id := range ids {
		names = append(names, r.NameOf(id))
	}
	return unit.All(names)
}

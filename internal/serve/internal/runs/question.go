// Package runs is the table of a sweep's runs as a page shows it.
//
// In go an opened sweep and a question that a URL holds; out come the rows of
// one page, the columns in which the runs differ, and groups with every member.
// The expressions and columns are those of package query. It promises that a
// question means the same in every view, that nothing is averaged away without
// the values beside it, and that a page has at most MaxRows rows.
package runs

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/fanout-dev/fanout/internal/unit"
)

// MaxRows is how many rows a page has at most.
const MaxRows = 200

// Limits of what a question may ask.
const (
	maxWhere   = 8 << 10 // bytes
	maxColumns = 60
)

// A Question is which runs are shown, and how.
type Question struct {
	Where   string   // expression; "" is all
	Sort    string   // name of a column; "" is the order of the plan
	Down    bool     // the largest first
	Group   string   // name of a column whose values are the groups; "" is none
	Columns []string // chosen; none: those in which the runs differ
	Pinned  []string // shown first
	Page    int      // from 1
	Rows    int      // of a page
	All     bool     // also runs that are no longer planned
	Plot    string   // PlotLines, PlotDots or PlotNone; "" is the usual one
	X, Y    string   // columns of dots; "" are the usual ones
	Color   string   // column that colours; "" is the first metric
}

// The plots.
const (
	PlotLines = "lines" // over parallel axes
	PlotDots  = "dots"  // over two, a panel for each group
	PlotNone  = "none"
)

// Parse reads a question out of the parameters of a URL. What is wrong with it
// is a mistake.
func Parse(v url.Values) (Question, error) {
	q := Question{Where: strings.TrimSpace(v.Get("where")), Group: v.Get("group"), Page: 1, Rows: 100, All: v.Get("all") == "1"}
	q.Sort, q.Down = strings.CutPrefix(v.Get("sort"), "-")
	q.Plot, q.X, q.Y, q.Color = v.Get("plot"), v.Get("x"), v.Get("y"), v.Get("color")
	if !slices.Contains([]string{"", PlotLines, PlotDots, PlotNone}, q.Plot) {
		return q, unit.Mistake(fmt.Errorf("plot=%s: want lines, dots or none", unit.Cut(unit.Line(q.Plot), 40)))
	}
	q.Columns, q.Pinned = list(v["cols"]), list(v["pin"])
	if len(q.Where) > maxWhere {
		return q, unit.Mistake(fmt.Errorf("the expression has %d bytes: at most %d are read", len(q.Where), maxWhere))
	}
	if len(q.Columns)+len(q.Pinned) > maxColumns {
		return q, unit.Mistake(fmt.Errorf("%d columns: at most %d are shown", len(q.Columns)+len(q.Pinned), maxColumns))
	}
	for name, n := range map[string]*int{"page": &q.Page, "rows": &q.Rows} {
		if text := v.Get(name); text != "" {
			x, err := strconv.Atoi(text)
			if err != nil || x < 1 || x > 1_000_000 {
				return q, unit.Mistake(fmt.Errorf("%s=%s: want a number from 1", name, unit.Cut(unit.Line(text), 40)))
			}
			*n = x
		}
	}
	q.Rows = min(q.Rows, MaxRows)
	return q, nil
}

// list reads names, one a parameter or several with commas between them.
func list(values []string) (names []string) {
	for _, v := range values {
		for name := range strings.SplitSeq(v, ",") {
			if name = strings.TrimSpace(name); name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// Values are the parameters of the URL of a question: those that differ from
// the usual ones.
func (q Question) Values() url.Values {
	v := url.Values{}
	set := func(name, text string) {
		if text != "" {
			v.Set(name, text)
		}
	}
	set("where", q.Where)
	set("group", q.Group)
	set("plot", q.Plot)
	set("x", q.X)
	set("y", q.Y)
	set("color", q.Color)
	set("cols", strings.Join(q.Columns, ","))
	set("pin", strings.Join(q.Pinned, ","))
	if q.Sort != "" {
		set("sort", map[bool]string{true: "-"}[q.Down]+q.Sort)
	}
	if q.Page > 1 {
		set("page", strconv.Itoa(q.Page))
	}
	if q.Rows != 100 {
		set("rows", strconv.Itoa(q.Rows))
	}
	if q.All {
		set("all", "1")
	}
	return v
}

// On is the question for another page.
func (q Question) On(page int) Question { q.Page = page; return q }

// SortedBy is the question with another order: by a column, and the other way
// round when it is sorted by that one already.
func (q Question) SortedBy(column string) Question {
	q.Down = q.Sort == column && !q.Down
	q.Sort, q.Page = column, 1
	return q
}

// And is the question about those of the runs for which something else is true,
// too.
func (q Question) And(condition string) Question {
	if q.Where != "" {
		condition = "(" + q.Where + ") and " + condition
	}
	q.Where, q.Group, q.Page = condition, "", 1
	return q
}

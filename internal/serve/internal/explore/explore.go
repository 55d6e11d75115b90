// Package explore is a table as a page shows it: sorted, filtered, summarized
// column by column, a page at a time.
//
// In go names and rows, and a question that a URL holds; out come the rows of
// one page and what each column holds. Only the rows that the filters leave are
// summarized. It promises that a column is never read as another type than its
// values have, and that a page has at most MaxRows rows.
package explore

import (
	"cmp"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/unit"
)

// MaxRows is how many rows a page has.
const MaxRows = 200

// Limits of what is said of a column.
const (
	bins        = 20
	maxDistinct = 10_000 // values that are told apart
	maxCommon   = 5
	maxFilters  = 20
	maxText     = 160
)

// A Data is a table: a value a column, as table.Build takes them.
type Data struct {
	Names []string
	Rows  [][]any
}

// A Question is what of a table is seen.
type Question struct {
	Sort    string
	Down    bool
	Page    int
	Filters []Filter
	X, Y    string // columns that are drawn against each other; "" are none
	Color   string // column that colours the dots
}

// A Filter is a condition on one column: text that it contains, "=text", "!text",
// or a number with >, >=, < or <= before it, or "from..to".
type Filter struct{ Column, Want string }

// before a column's name, the parameter with its filter.
const filterPrefix = "f."

// Parse reads a question out of the parameters of a URL.
func Parse(v url.Values) (Question, error) {
	q := Question{Page: 1}
	q.Sort, q.Down = strings.CutPrefix(v.Get("sort"), "-")
	q.X, q.Y, q.Color = v.Get("x"), v.Get("y"), v.Get("color")
	if text := v.Get("page"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return q, unit.Mistake(fmt.Errorf("page=%s: want a number from 1", unit.Cut(unit.Line(text), 40)))
		}
		q.Page = n
	}
	for name := range v {
		if column, ok := strings.CutPrefix(name, filterPrefix); ok && strings.TrimSpace(v.Get(name)) != "" {
			q.Filters = append(q.Filters, Filter{column, strings.TrimSpace(v.Get(name))})
		}
	}
	if len(q.Filters) > maxFilters {
		return q, unit.Mistake(fmt.Errorf("%d filters: at most %d are read", len(q.Filters), maxFilters))
	}
	slices.SortFunc(q.Filters, func(a, b Filter) int { return strings.Compare(a.Column, b.Column) })
	return q, nil
}

// Values are the parameters of the URL of a question.
func (q Question) Values() url.Values {
	v := url.Values{}
	if q.Sort != "" {
		v.Set("sort", map[bool]string{true: "-"}[q.Down]+q.Sort)
	}
	if q.Page > 1 {
		v.Set("page", strconv.Itoa(q.Page))
	}
	for name, column := range map[string]string{"x": q.X, "y": q.Y, "color": q.Color} {
		if column != "" {
			v.Set(name, column)
		}
	}
	for _, f := range q.Filters {
		v.Set(filterPrefix+f.Column, f.Want)
	}
	return v
}

// On is the question for another page.
func (q Question) On(page int) Question { q.Page = page; return q }

// SortedBy is the question with another order.
func (q Question) SortedBy(column string) Question {
	q.Down = q.Sort == column && !q.Down
	q.Sort, q.Page = column, 1
	return q
}

// A View is the answer.
type View struct {
	Question Question
	Columns  []Column
	Rows     [][]Cell // of the page
	Total    int      // rows that the filters leave
	Of       int
	Pages    int
	Plot     Plot

	left [][]any
}

// A Cell is a value, as data and for people.
type Cell struct {
	Value any
	Text  string
}

// MarshalJSON writes the value; what JSON has no number for is a text.
func (c Cell) MarshalJSON() ([]byte, error) { return table.AppendJSON(nil, c.Value), nil }

// A Column says what a column holds.
type Column struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"` // number, text, boolean, mixed or empty
	Filter   string   `json:"filter,omitempty"`
	Nulls    int      `json:"nulls"`
	Distinct int      `json:"distinct"`
	Many     bool     `json:"more_distinct,omitempty"` // there are more than were told apart
	Min      *float64 `json:"min,omitempty"`
	Median   *float64 `json:"median,omitempty"`
	Max      *float64 `json:"max,omitempty"`
	Bins     []int    `json:"bins,omitempty"` // of equal width from Min to Max
	Common   []Common `json:"common,omitempty"`
	Number   bool     `json:"-"`
	Range    string   `json:"-"`
	Bars     []Bar    `json:"-"`
}

// A Common is a frequent value.
type Common struct {
	Text string `json:"value"`
	N    int    `json:"n"`
}

// A Bar is one bar of a histogram, in units of 100 by 20.
type Bar struct{ X, Y, Wide, High float64 }

// Answer answers a question about a table. link is the page of a run; nil where
// there is none.
func Answer(d Data, q Question, link func(run string) string) (*View, error) {
	v := &View{Question: q, Of: len(d.Rows), left: d.Rows}
	for _, f := range q.Filters {
		if err := v.filter(d, f); err != nil {
			return nil, err
		}
	}
	v.Total = len(v.left)
	if q.Sort != "" {
		i := slices.Index(d.Names, q.Sort)
		if i < 0 {
			return nil, noColumn(q.Sort)
		}
		v.sort(i)
	}
	for i, name := range d.Names {
		c := summarize(name, v.left, i)
		for _, f := range q.Filters {
			if f.Column == name {
				c.Filter = f.Want
			}
		}
		v.Columns = append(v.Columns, c)
	}
	v.Pages = max((v.Total+MaxRows-1)/MaxRows, 1)
	v.Question.Page = min(q.Page, v.Pages)
	from := (v.Question.Page - 1) * MaxRows
	v.page(v.left[from:min(from+MaxRows, v.Total)])
	return v, v.plot(d.Names, link)
}

func noColumn(name string) error {
	return unit.Mistake(fmt.Errorf("the table has no column %q", unit.Cut(unit.Line(name), 80)))
}

// Data is all rows that the filters leave, in their order.
func (v *View) Data() (*table.Table, error) {
	var specs []table.ColumnSpec
	for _, c := range v.Columns {
		specs = append(specs, table.ColumnSpec{Name: c.Name, Role: table.RoleFrame})
	}
	return table.Build(specs, v.left)
}

func (v *View) filter(d Data, f Filter) error {
	i := slices.Index(d.Names, f.Column)
	if i < 0 {
		return noColumn(f.Column)
	}
	keep, err := f.compile()
	if err != nil {
		return err
	}
	var left [][]any
	for _, row := range v.left {
		if keep(row[i]) {
			left = append(left, row)
		}
	}
	v.left = left
	return nil
}

// compile makes a question to one value of a filter.
func (f Filter) compile() (func(any) bool, error) {
	bad := unit.Mistake(unit.WithHint(fmt.Errorf("filter of %s: %q is no number", unit.Line(f.Column), unit.Cut(unit.Line(f.Want), 60)), "write text, =text, !text, >1.5, <=2 or 1..5"))
	if from, to, isRange := strings.Cut(f.Want, ".."); isRange {
		low, err := strconv.ParseFloat(strings.TrimSpace(from), 64)
		high, err2 := strconv.ParseFloat(strings.TrimSpace(to), 64)
		if err == nil && err2 == nil {
			return func(v any) bool { x, ok := table.Number(v); return ok && x >= low && x <= high }, nil
		}
	}
	for _, op := range []string{">=", "<=", ">", "<"} {
		text, ok := strings.CutPrefix(f.Want, op)
		if !ok {
			continue
		}
		limit, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil {
			return nil, bad
		}
		return func(v any) bool { x, ok := table.Number(v); return ok && compares(op, x, limit) }, nil
	}
	if text, ok := strings.CutPrefix(f.Want, "="); ok {
		return func(v any) bool { return textOf(v) == text }, nil
	}
	if text, ok := strings.CutPrefix(f.Want, "!"); ok {
		return func(v any) bool { return textOf(v) != text }, nil
	}
	want := strings.ToLower(f.Want)
	return func(v any) bool { return strings.Contains(strings.ToLower(textOf(v)), want) }, nil
}

func compares(op string, x, limit float64) bool {
	switch op {
	case ">=":
		return x >= limit
	case "<=":
		return x <= limit
	case ">":
		return x > limit
	}
	return x < limit
}

func textOf(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return x
	}
	return string(table.AppendJSON(nil, v))
}

// sort puts numbers before texts, and what has no value last.
func (v *View) sort(column int) {
	type keyed struct {
		rank int
		x    float64
		text string
		row  []any
	}
	all := make([]keyed, len(v.left))
	for i, row := range v.left {
		k := keyed{rank: 1, row: row}
		switch x, isNumber := table.Number(row[column]); {
		case row[column] == nil || isNumber && x != x:
			k.rank = 2
		case isNumber:
			k.rank, k.x = 0, x
		default:
			k.text = textOf(row[column])
		}
		all[i] = k
	}
	sign := 1
	if v.Question.Down {
		sign = -1
	}
	slices.SortStableFunc(all, func(a, b keyed) int {
		if a.rank == 2 || b.rank == 2 {
			return cmp.Compare(a.rank, b.rank)
		}
		return sign * cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.x, b.x), strings.Compare(a.text, b.text))
	})
	v.left = make([][]any, len(all))
	for i := range all {
		v.left[i] = all[i].row
	}
}

// page spells the rows of the page.
func (v *View) page(rows [][]any) {
	spell := make([]func(float64) string, len(v.Columns))
	for i := range v.Columns {
		var all []float64
		for _, row := range rows {
			if x, ok := table.Number(row[i]); ok && x == x {
				all = append(all, x)
			}
		}
		spell[i] = unit.Numbers(all...)
	}
	for _, row := range rows {
		cells := make([]Cell, len(row))
		for i, value := range row {
			cells[i] = Cell{value, unit.Cut(unit.Line(textOf(value)), maxText)}
			if x, ok := table.Number(value); ok && x == x {
				cells[i].Text = spell[i](x)
			}
		}
		v.Rows = append(v.Rows, cells)
	}
}

// summarize says what a column of rows holds.
func summarize(name string, rows [][]any, i int) Column {
	c := Column{Name: name}
	var numbers []float64
	texts, others := 0, 0
	counts := map[string]int{}
	for _, row := range rows {
		x, isNumber := table.Number(row[i])
		switch row[i].(type) {
		case nil:
			c.Nulls++
			continue
		case bool:
			others++
		default:
			if isNumber && !math.IsNaN(x) && !math.IsInf(x, 0) {
				numbers = append(numbers, x)
			}
			if !isNumber {
				texts++
			}
		}
		if text := textOf(row[i]); len(counts) < maxDistinct || counts[text] > 0 {
			counts[text]++
		} else {
			c.Many = true
		}
	}
	c.Distinct = len(counts)
	switch held := len(rows) - c.Nulls; {
	case held == 0:
		c.Type = "empty"
	case others == held:
		c.Type = "boolean"
	case texts == held:
		c.Type = "text"
	case texts+others == 0:
		c.Type, c.Number = "number", true
	default:
		c.Type = "mixed"
	}
	if c.Number && len(numbers) > 0 {
		c.spread(numbers)
	}
	if !c.Number && c.Distinct < held(rows, c.Nulls) {
		c.common(counts)
	}
	return c
}

func held(rows [][]any, nulls int) int { return len(rows) - nulls }

func (c *Column) spread(x []float64) {
	slices.Sort(x)
	low, middle, high := x[0], (x[(len(x)-1)/2]+x[len(x)/2])/2, x[len(x)-1]
	c.Min, c.Median, c.Max = &low, &middle, &high
	spell := unit.Numbers(low, high)
	c.Range = spell(low) + " … " + spell(high)
	if low == high {
		c.Range = spell(low)
		return
	}
	c.Bins = make([]int, bins)
	for _, v := range x {
		c.Bins[min(int(bins*((v/2-low/2)/(high/2-low/2))), bins-1)]++ // halves: the difference may be too large
	}
	most := slices.Max(c.Bins)
	for i, n := range c.Bins {
		high := 20 * float64(n) / float64(most)
		c.Bars = append(c.Bars, Bar{float64(i) * 100 / bins, 20 - high, 100/bins - 0.5, high})
	}
}

func (c *Column) common(counts map[string]int) {
	for text, n := range counts {
		c.Common = append(c.Common, Common{unit.Cut(unit.Line(text), 40), n})
	}
	slices.SortFunc(c.Common, func(a, b Common) int { return cmp.Or(cmp.Compare(b.N, a.N), strings.Compare(a.Text, b.Text)) })
	c.Common = c.Common[:min(len(c.Common), maxCommon)]
}

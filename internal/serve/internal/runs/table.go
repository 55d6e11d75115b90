package runs

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

// A Kind is where the values of a column come from.
type Kind string

// The kinds of columns.
const (
	Run       Kind = "run"       // fanout itself
	Parameter Kind = "parameter" // passed to the template, or a label
	Scrap     Kind = "scrap"     // recorded by the notebook
)

// A Column is a column that can be shown.
type Column struct {
	Name   string `json:"name"`
	Kind   Kind   `json:"kind"`
	Unit   string `json:"unit,omitempty"`
	Goal   string `json:"goal,omitempty"` // of a metric: maximize or minimize
	Metric bool   `json:"metric,omitempty"`
	Number bool   `json:"number,omitempty"` // its values are numbers
	Means  string `json:"-"`

	builtin query.Column
}

// Title is the name for people: what fanout itself has for a run goes without
// the beginning that tells it from parameters.
func (c Column) Title() string {
	if c.Kind != Run {
		return c.Name
	}
	return strings.ReplaceAll(strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(c.Name, "run_"), "_s"), "_bytes"), "_", " ")
}

// Suffix is the unit, where the values do not have theirs.
func (c Column) Suffix() string {
	if c.Kind == Run {
		return ""
	}
	return c.Unit
}

// A Cell is a value of a run, as data and for people.
type Cell struct {
	Value any
	Text  string
}

// MarshalJSON writes the value; what JSON has no number for is a text.
func (c Cell) MarshalJSON() ([]byte, error) {
	if at, isTime := c.Value.(time.Time); isTime {
		return table.AppendJSON(nil, at.UTC().Format(time.RFC3339Nano)), nil
	}
	return table.AppendJSON(nil, c.Value), nil
}

// A Row is a run with the cells of the columns that are shown.
type Row struct {
	Run   query.Run
	Name  string
	Cells []Cell
}

// A Pair is a parameter with the value that all runs share.
type Pair struct {
	Name string `json:"name"`
	Text string `json:"value"`
}

// A Table is the answer to a question.
type Table struct {
	Question Question
	Columns  []Column // shown, in their order
	Others   []Column // that could be chosen
	Same     []Pair   // parameters that do not differ
	Rows     []Row    // of the page
	Groups   []Group
	Left     int // groups that are not shown
	Plot     Plot
	Axes     []grid.Axis // of the sweep
	Total    int         // runs that the question selects
	Of       int         // runs there are
	Pages    int

	chosen []query.Run
	by     Column // of the groups
}

// A Selection is the runs that a question selects, and what they have: every
// page, order and plot of them begins with it.
type Selection struct {
	chosen []query.Run
	known  *columns
	axes   []grid.Axis
	of     int
}

// Select finds the runs that a question selects.
func Select(s *sweep.Sweep, q Question) (*Selection, error) {
	chosen, err := query.Choose(s, query.Choice{Where: q.Where, All: q.All})
	if err != nil {
		return nil, err
	}
	head, _ := s.Head()
	sel := &Selection{chosen: chosen, known: survey(s, chosen), axes: head.Axes, of: head.Runs}
	if q.All {
		sel.of += head.Kept
	}
	return sel, nil
}

// Answer answers a question with the runs that it selects. link is the page of a
// run.
func Answer(sel *Selection, q Question, link func(id string) string) (_ *Table, err error) {
	t := &Table{Question: q, Total: len(sel.chosen), Of: sel.of, Axes: sel.axes, chosen: sel.chosen}
	known := sel.known
	if t.Columns, t.Others, err = known.shown(q); err != nil {
		return nil, err
	}
	t.Same = known.same()
	if err := t.sort(known); err != nil {
		return nil, err
	}
	if q.Group != "" {
		c, ok := known.find(q.Group)
		if !ok {
			return nil, noColumn(q.Group)
		}
		t.by = c
		t.group(c)
	}
	t.page()
	return t, t.plot(known, link)
}

func noColumn(name string) error {
	return unit.Mistake(unit.WithHint(fmt.Errorf("the runs have no column %q", unit.Cut(unit.Line(name), 80)), "choose one of those that the page lists"))
}

// page makes the rows of the page that is shown.
func (t *Table) page() {
	size := t.Question.Rows
	t.Pages = max((t.Total+size-1)/size, 1)
	t.Question.Page = min(t.Question.Page, t.Pages)
	from := min((t.Question.Page-1)*size, t.Total)
	for _, r := range t.chosen[from:min(from+size, t.Total)] {
		name := r.Run.Name(t.Axes)
		if name == "" {
			name = r.Run.ID
		}
		row := Row{Run: r, Name: name}
		for _, c := range t.Columns {
			row.Cells = append(row.Cells, Cell{Value: c.of(r)})
		}
		t.Rows = append(t.Rows, row)
	}
	for i, c := range t.Columns {
		t.spell(i, c)
	}
}

// spell writes the texts of a column: its numbers with the digits that tell
// them apart.
func (t *Table) spell(i int, c Column) {
	var all []float64
	for _, r := range t.Rows {
		if x, ok := table.Number(r.Cells[i].Value); ok {
			all = append(all, x)
		}
	}
	number := unit.Numbers(all...)
	for _, r := range t.Rows {
		r.Cells[i].Text = textOf(r.Cells[i].Value, c, number)
	}
}

const maxText = 120

func textOf(v any, c Column, number func(float64) string) string {
	switch x := v.(type) {
	case nil:
		return ""
	case time.Time:
		return x.UTC().Format("2006-01-02 15:04:05")
	case bool:
		return fmt.Sprint(x)
	case string:
		return unit.Cut(unit.Line(x), maxText)
	}
	x, ok := table.Number(v)
	switch {
	case ok && c.Kind == Run && c.Unit == "s":
		return unit.Duration(time.Duration(x * float64(time.Second)))
	case ok && c.Kind == Run && c.Unit == "B":
		return unit.Bytes(int64(x))
	case ok && x != x:
		return "NaN"
	case ok:
		return number(x)
	}
	return unit.Cut(unit.Line(string(table.AppendJSON(nil, v))), maxText)
}

// of is the value of the column of a run; nil where there is none.
func (c Column) of(r query.Run) any {
	switch c.Kind {
	case Run:
		return c.builtin.Of(r)
	case Scrap:
		raw, _ := r.Scraps.Get(c.Name)
		v, err := value.Parse(raw)
		if err != nil {
			return nil
		}
		return v.Any()
	}
	for _, list := range [][]value.Binding{r.Run.Params, r.Run.Labels} {
		if v, ok := value.Lookup(list, c.Name); ok {
			return v.Any()
		}
	}
	return nil
}

// A key is what a run is sorted by: numbers, then texts; what has no value is
// last, whichever way.
type key struct {
	rank   int
	number float64
	text   string
}

func keyOf(v any) key {
	if x, ok := table.Number(v); ok {
		if x != x {
			return key{rank: 2}
		}
		return key{number: x}
	}
	switch x := v.(type) {
	case nil:
		return key{rank: 3}
	case bool:
		if x {
			return key{number: 1}
		}
		return key{}
	case string:
		return key{rank: 1, text: x}
	case time.Time:
		return key{number: float64(x.UnixNano())}
	}
	return key{rank: 1, text: string(table.AppendJSON(nil, v))}
}

func (t *Table) sort(known *columns) error {
	q := t.Question
	if q.Sort == "" {
		return nil
	}
	c, ok := known.find(q.Sort)
	if !ok {
		return noColumn(q.Sort)
	}
	type keyed struct {
		key
		run query.Run
	}
	all := make([]keyed, len(t.chosen))
	for i, r := range t.chosen {
		all[i] = keyed{keyOf(c.of(r)), r}
	}
	sign := 1
	if q.Down {
		sign = -1
	}
	slices.SortStableFunc(all, func(a, b keyed) int {
		if a.rank > 1 || b.rank > 1 {
			return cmp.Compare(a.rank, b.rank)
		}
		return sign * cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.number, b.number), strings.Compare(a.text, b.text))
	})
	t.chosen = make([]query.Run, len(all)) // those of the selection keep their order
	for i := range all {
		t.chosen[i] = all[i].run
	}
	return nil
}

// Data is everything that the question selects, in its order, with the columns
// that are shown.
func (t *Table) Data() (*table.Table, error) {
	specs := []table.ColumnSpec{{Name: "run_id", Role: table.RoleRun}}
	for _, c := range t.Columns {
		if c.Name == "run_id" {
			continue
		}
		role := map[Kind]table.Role{Run: table.RoleRun, Parameter: table.RoleParameter, Scrap: table.RoleScrap}[c.Kind]
		specs = append(specs, table.ColumnSpec{Name: c.Name, Role: role, Unit: c.Unit, Goal: c.Goal})
	}
	rows := make([][]any, 0, len(t.chosen))
	for _, r := range t.chosen {
		row := []any{r.Run.ID}
		for _, c := range t.Columns {
			if c.Name != "run_id" {
				row = append(row, c.of(r))
			}
		}
		rows = append(rows, row)
	}
	return table.Build(specs, rows)
}

// columns is what the chosen runs have.
type columns struct {
	params []*seen
	scraps map[string]*seen
	run    []Column
	more   map[string]bool // run columns that are worth showing
	spec   map[string]Column
	order  []string // metrics, in the order of the sweep file

	numbered bool // a parameter has the number of the replicate
}

// seen is what was seen of one column.
type seen struct {
	Column
	first   value.Value
	raw     []byte
	n       int
	differs bool
}

// survey looks at every run once.
func survey(s *sweep.Sweep, chosen []query.Run) *columns {
	k := &columns{scraps: map[string]*seen{}, more: map[string]bool{}, spec: map[string]Column{}}
	for _, c := range query.Columns() {
		k.run = append(k.run, Column{Name: c.Name, Kind: Run, Unit: c.Unit, Number: c.Type == query.Int || c.Type == query.Float, Means: c.Means, builtin: c})
	}
	if spec := s.Spec(); spec != nil {
		for _, m := range spec.Metrics {
			k.spec[m.Name] = Column{Name: m.Name, Kind: Scrap, Unit: m.Unit, Goal: m.Goal, Metric: true, Number: true}
			k.order = append(k.order, m.Name)
		}
	}
	head, _ := s.Head()
	for _, a := range head.Axes {
		k.numbered = k.numbered || a.Kind == "replicate" && a.Name != query.Replicate
	}
	names := map[string]*seen{}
	for _, r := range chosen {
		at := 0
		for _, list := range [][]value.Binding{r.Run.Labels, r.Run.Params} {
			for _, b := range list {
				k.param(names, at, b, r)
				at++
			}
		}
		for name, raw := range r.Scraps.All() {
			k.scrap(name, raw)
		}
		k.more["run_attempts"] = k.more["run_attempts"] || r.Attempts > 1
		k.more["run_stale"] = k.more["run_stale"] || len(r.Stale) > 0
		k.more["run_planned"] = k.more["run_planned"] || r.Run.Unplanned
		k.more["run_duration_s"] = k.more["run_duration_s"] || r.Last != nil
		k.more[query.Replicate] = k.more[query.Replicate] || r.Run.Replicate > 0
	}
	for _, p := range k.params {
		p.differs = p.differs || p.n != len(chosen)
	}
	return k
}

// param looks at a parameter of a run. Runs have theirs in one order, so it is
// mostly where it was.
func (k *columns) param(names map[string]*seen, at int, b value.Binding, r query.Run) {
	var p *seen
	if at < len(k.params) && k.params[at].Name == b.Name {
		p = k.params[at]
	} else if p = names[b.Name]; p == nil {
		p = &seen{Column: Column{Name: b.Name, Kind: Parameter}, first: b.Value}
		p.Number = b.Value.Kind() == value.Int || b.Value.Kind() == value.Float
		k.params, names[b.Name] = append(k.params, p), p
	}
	p.n++
	p.differs = p.differs || !value.Equal(p.first, b.Value)
}

func (k *columns) scrap(name string, raw []byte) {
	c := k.scraps[name]
	if c == nil {
		c = &seen{Column: Column{Name: name, Kind: Scrap, Number: true}, raw: raw}
		if m, ok := k.spec[name]; ok {
			c.Column = m
		}
		k.scraps[name] = c
	}
	c.n++
	c.differs = c.differs || !bytes.Equal(c.raw, raw)
	if c.Number && len(raw) > 0 && raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') && raw[0] != 'N' && raw[0] != 'I' {
		c.Number = false
	}
}

// maxScraps is how many recorded values are shown before somebody chooses.
const maxScraps = 8

// usual are the columns that are shown when nobody has chosen.
func (k *columns) usual() (all []Column) {
	for _, name := range []string{"run_status", "run_planned", "run_stale", "run_attempts"} {
		if c, ok := k.find(name); ok && (name == "run_status" || k.more[name]) {
			all = append(all, c)
		}
	}
	for _, p := range k.params {
		if p.differs {
			all = append(all, p.Column)
		}
	}
	if c, ok := k.find(query.Replicate); ok && k.more[query.Replicate] && !k.numbered {
		all = append(all, c)
	}
	n := 0
	for _, name := range k.order {
		if k.scraps[name] != nil {
			all = append(all, k.scraps[name].Column)
			n++
		}
	}
	for _, c := range k.sorted() {
		if !c.Metric && c.differs && n < maxScraps {
			all = append(all, c.Column)
			n++
		}
	}
	if c, ok := k.find("run_duration_s"); ok && k.more[c.Name] {
		all = append(all, c)
	}
	return all
}

func (k *columns) sorted() []*seen {
	all := make([]*seen, 0, len(k.scraps))
	for _, c := range k.scraps {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *seen) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// every are all columns, parameters first.
func (k *columns) every() (all []Column) {
	for _, p := range k.params {
		all = append(all, p.Column)
	}
	for _, c := range k.sorted() {
		all = append(all, c.Column)
	}
	return append(all, k.run...)
}

// find is the column of a name: a parameter before a scrap of its name, as in
// expressions.
func (k *columns) find(name string) (Column, bool) {
	for _, p := range k.params {
		if p.Name == name {
			return p.Column, true
		}
	}
	if c := k.scraps[name]; c != nil {
		return c.Column, true
	}
	if i := slices.IndexFunc(k.run, func(c Column) bool { return c.Name == name }); i >= 0 {
		return k.run[i], true
	}
	c, ok := k.spec[name] // a metric that none of the runs recorded
	return c, ok
}

// shown are the columns of the table, and those that could be chosen.
func (k *columns) shown(q Question) (shown, others []Column, err error) {
	for _, name := range slices.Concat(q.Pinned, q.Columns) {
		c, ok := k.find(name)
		if !ok {
			return nil, nil, noColumn(name)
		}
		shown = append(shown, c)
	}
	if len(q.Columns) == 0 {
		shown = append(shown, k.usual()...)
	}
	has := map[string]bool{}
	shown = slices.DeleteFunc(shown, func(c Column) bool { was := has[c.Name]; has[c.Name] = true; return was })
	for _, c := range k.every() {
		if !has[c.Name] {
			has[c.Name] = true
			others = append(others, c)
		}
	}
	return shown, others, nil
}

// same are the parameters that all chosen runs share.
func (k *columns) same() (pairs []Pair) {
	for _, p := range k.params {
		if !p.differs {
			pairs = append(pairs, Pair{p.Name, unit.Cut(unit.Line(p.first.Text()), maxText)})
		}
	}
	return pairs
}

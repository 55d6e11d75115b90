package collect

import (
	"cmp"
	"fmt"
	"maps"
	"math/big"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/value"
)

// Metric says what is known of a scrap besides its values.
type Metric struct{ Name, Unit, Goal string }

// Options say how to collect. The zero value will do.
type Options struct {
	Metrics []Metric
	Jobs    int      // notebooks read at once; 0: as many as there are processors
	TempDir string   // for frames and pictures until they are written; "": the system's
	Require []string // scraps that every succeeded run must have; one that lacks them is a problem of kind "missing"
	// TableOnly leaves scraps.parquet out, which costs as much as the table: the
	// result is to be looked at, and cannot be written.
	TableOnly bool
}

// bound is a name with its value.
type bound struct {
	name  string
	value any
}

// entry is one run or one file, read.
type entry struct {
	id             string
	status         outcome.Status
	columns        []any // of runColumns, nil where unknown
	params, labels []bound
	texts          map[string]bool // parameters that are declared to be texts
	items          []item
	problems       []table.Problem
}

// runColumns are the columns that runs tables begin with: query.Step only where
// there are steps, and query.Replicate only where runs are repeated.
var runColumns = query.Columns()

var columnTypes = map[query.Type]table.Type{
	query.Text: table.String, query.Bool: table.Bool, query.Int: table.Int, query.Float: table.Float, query.Time: table.Time,
}

// note keeps the value of one of runColumns; an empty text is unknown.
func (e *entry) note(name string, v any) {
	if v == "" {
		return
	}
	if e.columns == nil {
		e.columns = make([]any, len(runColumns))
	}
	e.columns[columnNamed(name)] = v
}

// known is what is known of one of runColumns, nil where nothing is.
func (e *entry) known(name string) any { return e.columns[columnNamed(name)] }

func columnNamed(name string) int {
	return slices.IndexFunc(runColumns, func(c query.Column) bool { return c.Name == name })
}

// succeeded reports whether its scraps are numbers that people may count. What
// a run that failed, or that is under way, has recorded so far is partial.
func (e *entry) succeeded() bool { return e.status == outcome.Succeeded }

const (
	maxColumns  = 4096       // of the runs table; more scraps are in the long table alone
	maxCells    = 40_000_000 // of the runs table, null ones too: each takes some 25 bytes
	fewColumns  = 64         // for parameters and scraps, however many runs there are
	maxRunsCell = 64 << 10   // bytes of one scrap in the runs table
	maxRunsData = 1 << 30    // bytes of all values in it
	maxNames    = 100_000    // of parameters and scraps without a column that are known by name
	maxProblems = 100_000    // that are listed
)

// columnsFor is how many columns a runs table of so many rows has: its memory is
// that of all its cells.
func columnsFor(rows int) int {
	return min(maxColumns, max(maxCells/max(rows, 1), len(runColumns)+fewColumns))
}

// gatherer puts entries, one after the other, into tables.
type gatherer struct {
	runs   *table.Builder
	fixed  []int
	buffer *buffer
	scraps *longTable

	tableOnly bool
	metrics   map[string]Metric
	require   []string
	stacks    map[string]*table.Stack // of runs that succeeded, by name
	apart     map[string]*table.Stack // of the others
	pictures  []placed
	taken     map[string]string // lower-case column name → whose it is
	columnOf  map[string]int    // scrap name → column of the runs table, -1: none
	paramOf   map[string]int
	problems  []table.Problem
	unlisted  int // problems beyond those
	rows      int
	width     int // columns of the runs table, at most
	most      int // bytes of values in it
}

// placed is a picture and where it goes.
type placed struct {
	name string
	p    picture
}

// newGatherer prepares tables of rows runs or files, without some columns.
func newGatherer(o Options, rows int, without ...string) (*gatherer, error) {
	sp, err := newBuffer(o.TempDir)
	if err != nil {
		return nil, err
	}
	g := &gatherer{runs: table.NewBuilder(), buffer: sp, require: o.Require, tableOnly: o.TableOnly, metrics: map[string]Metric{}, stacks: map[string]*table.Stack{}, apart: map[string]*table.Stack{},
		taken: map[string]string{}, columnOf: map[string]int{}, paramOf: map[string]int{}, width: columnsFor(rows), most: maxRunsData}
	for _, m := range o.Metrics {
		g.metrics[m.Name] = m
	}
	for _, c := range runColumns {
		if slices.Contains(without, c.Name) {
			g.fixed = append(g.fixed, -1)
			continue
		}
		g.fixed = append(g.fixed, g.runs.Column(table.ColumnSpec{Name: c.Name, Type: columnTypes[c.Type], Unit: c.Unit, Role: table.RoleRun}))
		g.taken[c.Name] = c.Name
	}
	if g.scraps, err = newLongTable(o.TempDir); err != nil {
		sp.close()
		return nil, err
	}
	return g, nil
}

// closeIf gives the temporary files up when collecting failed.
func (g *gatherer) closeIf(failed *error) {
	if *failed != nil {
		g.buffer.close()
		g.scraps.file.Close()
	}
}

// add puts the next entry into the tables.
func (g *gatherer) add(e *entry) error {
	row := g.rows
	g.rows++
	g.runs.Row()
	for i, column := range g.fixed {
		g.set(e, column, e.columns[i])
	}
	for _, p := range e.params {
		column := g.bindingColumn(e, p.name, table.RoleParameter)
		if e.texts[p.name] && column >= 0 {
			g.runs.Declare(column, table.String) // and no date, whatever it looks like
		}
		g.set(e, column, p.value)
	}
	for _, l := range e.labels {
		g.set(e, g.bindingColumn(e, l.name, table.RoleLabel), l.value)
	}
	have := map[string]bool{}
	for i := range e.items {
		it := &e.items[i]
		have[it.name] = true
		if err := g.item(e, row, it); err != nil {
			return err
		}
	}
	for _, name := range g.require {
		if !have[name] && e.succeeded() {
			g.problem(e, "missing", name, fmt.Sprintf("the required scrap %q was not recorded", name))
		}
	}
	for _, p := range e.problems {
		p.Run = e.id
		g.keepProblem(p)
	}
	return nil
}

func (g *gatherer) set(e *entry, column int, v any) {
	if column < 0 {
		return
	}
	if err := g.runs.Set(column, v); err != nil {
		g.problem(e, "unreadable", "", err.Error())
	}
}

func (g *gatherer) problem(e *entry, kind, name, detail string) {
	g.keepProblem(table.Problem{Run: e.id, Kind: kind, Name: name, Detail: detail})
}

func (g *gatherer) keepProblem(p table.Problem) {
	if len(g.problems) == maxProblems {
		g.unlisted++
		return
	}
	p.Name, p.Detail = value.ToUTF8(p.Name), value.ToUTF8(p.Detail)
	g.problems = append(g.problems, p)
}

// bindingColumn finds or makes the column of a parameter or label; -1 is none.
func (g *gatherer) bindingColumn(e *entry, name string, role table.Role) int {
	key := role.String() + " " + name
	if i, ok := g.paramOf[key]; ok {
		return i
	}
	if g.runs.Width() >= g.width {
		g.leaveOut(e, g.paramOf, key, name, fmt.Sprintf("this %s is in no table", role))
		return -1
	}
	column := name
	if _, taken := g.taken[fold(name)]; taken || strings.HasPrefix(fold(name), "run_") || name == "" {
		column = g.free("param_" + name)
		g.problem(e, "renamed", name, fmt.Sprintf("the %s %q is the column %q, because the name is taken", role, name, column))
	}
	return g.claim(g.paramOf, key, table.ColumnSpec{Name: column, Role: role})
}

// scrapColumn finds or makes the column of a scrap.
func (g *gatherer) scrapColumn(e *entry, name string) int {
	if i, ok := g.columnOf[name]; ok {
		return i
	}
	m, isMetric := g.metrics[name]
	if isPlumbing(name) {
		return -1
	}
	if g.runs.Width() >= g.width && !(isMetric && len(g.metrics) <= fewColumns) {
		g.leaveOut(e, g.columnOf, name, name, "this scrap is only in scraps.parquet")
		return -1
	}
	column := name
	if _, taken := g.taken[fold(name)]; taken || strings.HasPrefix(fold(name), "run_") || name == "" {
		column = g.free("scrap_" + name)
		g.problem(e, "renamed", name, fmt.Sprintf("the scrap %q is the column %q, because the name is taken", name, column))
	}
	return g.claim(g.columnOf, name, table.ColumnSpec{Name: column, Role: table.RoleScrap, Unit: m.Unit, Goal: m.Goal})
}

// leaveOut reports, once as long as names can be remembered, a name that has no
// column because the table is as wide as its runs allow.
func (g *gatherer) leaveOut(e *entry, columns map[string]int, key, name, where string) {
	if len(columns) >= g.width+maxNames {
		g.unlisted++
		return
	}
	columns[key] = -1
	text := fmt.Sprintf("the runs table ends at %d columns", g.width)
	if g.width < maxColumns {
		text += ", because it has so many rows"
	}
	g.problem(e, "too_many", name, text+"; "+where)
}

func (g *gatherer) claim(columns map[string]int, key string, spec table.ColumnSpec) int {
	g.taken[fold(spec.Name)] = key
	i := g.runs.Column(spec)
	columns[key] = i
	return i
}

// free finds a name nobody has.
func (g *gatherer) free(name string) string {
	for n, try := 2, name; ; n++ {
		if _, taken := g.taken[fold(try)]; !taken {
			return try
		}
		try = fmt.Sprintf("%s_%d", name, n)
	}
}

// fold is a name as readers that ignore case see it.
func fold(name string) string { return strings.ToLower(name) }

var plumbing = regexp.MustCompile(`^event-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// isPlumbing recognises scraps by which dagstermill talks to itself. They have
// no column, but are in the long table.
func isPlumbing(name string) bool { return plumbing.MatchString(name) }

// item puts one scrap where it belongs.
func (g *gatherer) item(e *entry, row int, it *item) error {
	if it.frame != nil {
		g.stackOf(e, it.name).Add(e.id, row, it.frame, g.buffer.open(it.piece))
	}
	for _, p := range it.pictures {
		g.pictures = append(g.pictures, placed{fmt.Sprintf("displays/%s/%s.%s", fileName(it.name), fileName(e.id), p.extension), p})
	}
	kind, value := it.kind(), []byte(nil)
	if it.has {
		value = table.AppendJSON(nil, it.value)
		switch {
		case len(value) > maxRunsCell:
			g.problem(e, "large", it.name, fmt.Sprintf("a value of %d bytes is only in scraps.parquet, not in the runs table", len(value)))
		case g.runs.Size()+len(value) > g.most:
			g.problem(e, "large", it.name, fmt.Sprintf("the runs table holds %d bytes of values; this one is only in scraps.parquet", g.most))
		case e.succeeded():
			g.set(e, g.scrapColumn(e, it.name), it.value)
		default:
			g.scrapColumn(e, it.name) // which is null there
		}
	}
	if g.tableOnly {
		return nil
	}
	return g.scraps.add(e, it, kind, value)
}

// kind is the word for what a scrap is.
func (it *item) kind() string {
	switch v := it.value.(type) {
	case nil:
		switch {
		case it.has:
			return "null"
		case it.frame != nil:
			return "frame"
		case it.pictures != nil || it.text != "":
			return "display"
		}
		return "unreadable"
	case bool:
		return "bool"
	case float64:
		return "float"
	case string:
		return "string"
	case []any:
		return "list"
	case map[string]any:
		return "object"
	case table.JSONText:
		return "json"
	default:
		_ = v
		return "int"
	}
}

// stackOf is where the frame of a run goes: what did not succeed is kept apart.
func (g *gatherer) stackOf(e *entry, name string) *table.Stack {
	stacks, carry := g.stacks, []string{"run_planned", "run_stale"}
	if !e.succeeded() {
		stacks, carry = g.apart, []string{"run_status", "run_reason_kind", "run_planned"}
	}
	if stacks[name] == nil {
		stacks[name] = &table.Stack{Name: name, Carry: carry}
	}
	return stacks[name]
}

// settle resolves the stacks, in the order of their names.
func (g *gatherer) settle(stacks map[string]*table.Stack, runs *table.Table) []*table.Stack {
	sorted := slices.SortedFunc(maps.Values(stacks), func(a, b *table.Stack) int { return cmp.Compare(a.Name, b.Name) })
	for _, s := range sorted {
		g.problems = append(g.problems, s.Resolve(runs)...)
	}
	return sorted
}

// finish builds the tables.
func (g *gatherer) finish() (*Result, error) {
	g.runs.ByRole()
	runs, err := g.runs.Table()
	if err != nil {
		return nil, err
	}
	if err := g.scraps.finish(); err != nil {
		return nil, err
	}
	r := &Result{Table: runs, buffer: g.buffer, scraps: g.scraps.file, Scraps: g.scraps.rows, tableOnly: g.tableOnly}
	r.stacks, r.apart = g.settle(g.stacks, runs), g.settle(g.apart, runs)
	r.pictures = g.pictures
	if g.unlisted > 0 {
		g.problems = append(g.problems, table.Problem{Kind: "too_many", Detail: fmt.Sprintf("%d more problems are not listed", g.unlisted)})
	}
	slices.SortStableFunc(g.problems, func(a, b table.Problem) int {
		return cmp.Or(cmp.Compare(a.Run, b.Run), cmp.Compare(a.Cell, b.Cell), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Detail, b.Detail))
	})
	runs.AddProblems(g.problems)
	return r, nil
}

// longTable is scraps.parquet, written while scraps come in.
type longTable struct {
	file   *os.File
	stream *table.Stream
	rows   int
}

var longColumns = []table.ColumnSpec{
	{Name: "run_id", Role: table.RoleRun, Type: table.String},
	{Name: "run_status", Role: table.RoleRun, Type: table.String},
	{Name: "run_planned", Role: table.RoleRun, Type: table.Bool},
	{Name: "name", Role: table.RoleRun, Type: table.String},
	{Name: "encoder", Role: table.RoleRun, Type: table.String},
	{Name: "type", Role: table.RoleRun, Type: table.String},
	{Name: "value", Role: table.RoleRun, Type: table.JSON},
	{Name: "number", Role: table.RoleRun, Type: table.Float},
	{Name: "text", Role: table.RoleRun, Type: table.String},
}

func newLongTable(dir string) (*longTable, error) {
	f, err := tempFile(dir)
	if err != nil {
		return nil, err
	}
	stream, err := table.NewStream(f, longColumns)
	if err != nil {
		f.Close()
		return nil, err
	}
	return &longTable{file: f, stream: stream}, nil
}

func (l *longTable) add(e *entry, it *item, kind string, value []byte) error {
	l.rows++
	var v, number, text any
	if it.has {
		v, number = table.JSONText(value), numberIn(it.value)
	}
	if s, ok := it.value.(string); ok {
		text = s
	} else if it.text != "" {
		text = it.text
	}
	if err := l.stream.Add(e.id, string(e.status), e.known("run_planned"), it.name, it.encoder, kind, v, number, text); err != nil {
		return tempError("write scraps", l.file, err)
	}
	return nil
}

// numberIn is the value as a double, nil when it is no number.
func numberIn(v any) any {
	switch v := v.(type) {
	case bool:
		if v {
			return 1.0
		}
		return 0.0
	case int64:
		return float64(v)
	case float64:
		return v
	case *big.Int:
		f, _ := v.Float64()
		return f
	}
	return nil
}

// finish completes the file, which stays open.
func (l *longTable) finish() error {
	if err := l.stream.Close(); err != nil {
		return tempError("write scraps", l.file, err)
	}
	return nil
}

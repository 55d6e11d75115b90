package feed

import (
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/value"
)

var columnTypes = map[query.Type]table.Type{
	query.Text: table.String, query.Bool: table.Bool, query.Int: table.Int, query.Float: table.Float, query.Time: table.Time,
}

// A missing is a needed run that did not succeed, as a notebook reads it.
type missing struct {
	Step       string                 `json:"step"`
	Run        string                 `json:"run"`
	Name       string                 `json:"name"`
	Parameters map[string]value.Value `json:"parameters"`
	Status     outcome.Status         `json:"status"`
	Error      string                 `json:"error,omitempty"` // why, in a sentence
}

// writeMissing lists the needed runs that did not succeed; none is an empty list.
func writeMissing(name string, s *sweep.Sweep, needs []sweep.Need) error {
	list := []missing{}
	for _, n := range needs {
		lacking, _ := n.Lacking()
		for _, st := range lacking {
			m := missing{Step: n.Step, Run: st.Run.ID, Name: s.RunName(st.Run.ID), Status: st.Status, Error: query.RunOf(s, st).Reason(), Parameters: map[string]value.Value{}}
			for _, b := range slices.Concat(st.Run.Labels, st.Run.Params) {
				m.Parameters[b.Name] = b.Value
			}
			list = append(list, m)
		}
	}
	b, err := json.MarshalIndent(list, "", " ")
	if err != nil {
		return err
	}
	return writeFile(name, func(w io.Writer) error { _, err := w.Write(append(b, '\n')); return err })
}

// writeRows writes the rows of the runs table that a step's runs are, also of those
// that did not succeed, which have no scraps: run_status says so.
func writeRows(w io.Writer, s *sweep.Sweep, fed fedStep) error {
	b := table.NewBuilder()
	var fixed []int
	for _, c := range query.Columns() {
		fixed = append(fixed, b.Column(table.ColumnSpec{Name: c.Name, Type: columnTypes[c.Type], Unit: c.Unit, Role: table.RoleRun}))
	}
	left := map[string]map[string]value.Value{}
	for _, r := range fed.runs {
		left[r.Run.Run.ID] = r.scraps
	}
	names, used := map[string]int{}, map[string]bool{} // names may differ in case, which readers do not distinguish
	column := func(name string, role table.Role) int {
		if i, ok := names[role.String()+name]; ok {
			return i
		}
		as := name
		if used[strings.ToLower(name)] || strings.HasPrefix(strings.ToLower(name), "run_") {
			as = role.String() + "_" + name
		}
		used[strings.ToLower(as)] = true
		i := b.Column(table.ColumnSpec{Name: as, Role: role})
		names[role.String()+name] = i
		return i
	}
	for _, st := range fed.need.Runs {
		b.Row()
		run := query.RunOf(s, st)
		for i, c := range query.Columns() {
			if err := b.Set(fixed[i], c.Of(run)); err != nil {
				return err
			}
		}
		for _, x := range slices.Concat(st.Run.Params, st.Run.Labels) {
			if err := b.Set(column(x.Name, table.RoleParameter), x.Value.Any()); err != nil {
				return err
			}
		}
		scraps := left[st.Run.ID]
		for _, name := range slices.Sorted(maps.Keys(scraps)) {
			if err := b.Set(column(name, table.RoleScrap), scraps[name].Any()); err != nil {
				return err
			}
		}
	}
	t, err := b.Table()
	if err != nil {
		return err
	}
	return t.WriteParquet(w)
}

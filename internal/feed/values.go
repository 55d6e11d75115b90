package feed

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/grid/expr"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

// maxValue is how large, in bytes of JSON, a value may be that is passed as a
// parameter.
const maxValue = 1 << 20

// scrapsOf are the plain scraps of a run: those of the log, and where the notebook
// holds more, those.
func scrapsOf(ctx context.Context, s *sweep.Sweep, st sweep.RunState) (map[string]value.Value, map[string]int, error) {
	scraps, large := map[string]value.Value{}, map[string]int{}
	add := func(name string, data []byte) {
		if len(data) > maxValue {
			large[name] = len(data)
		} else if v, err := value.Parse(data); err == nil {
			scraps[name] = v
		}
	}
	for name, data := range st.Scraps {
		add(name, data)
	}
	if !st.More {
		return scraps, large, nil
	}
	b, err := s.Object(ctx, sweep.AttemptKey(st.Run.ID, st.Best))
	if err != nil {
		return nil, nil, err
	}
	doc, err := notebook.Decode(b)
	if err != nil {
		return nil, nil, err
	}
	all, _ := doc.Scraps()
	for _, x := range all {
		if x.HasData && (x.Encoder == "json" || x.Encoder == "text") {
			add(x.Name, x.Data)
		}
	}
	return scraps, large, nil
}

// bind computes the parameters of `with:`.
func bind(with []sweep.With, fed []fedStep) ([]value.Binding, error) {
	env := map[string]any{}
	for _, f := range fed {
		env[f.need.Step] = f.seen()
	}
	var out []value.Binding
	for _, w := range with {
		e, err := expr.Compile(w.Expr)
		if err != nil {
			return nil, refuse("with `%s`: %v", w.Param, err)
		}
		if err := lacks(e, fed); err != nil {
			return nil, refuse("with `%s`: %v", w.Param, err)
		}
		x, err := e.Eval(env)
		if err != nil {
			return nil, refuse("with `%s`: %v", w.Param, err)
		}
		v, err := parameter(w, x)
		if err != nil {
			return nil, refuse("with `%s`: %s: %v", w.Param, w.Expr, err)
		}
		out = append(out, value.Binding{Name: w.Param, Value: v})
	}
	return out, nil
}

// seen is what an expression sees of a step: its run, or a list of its runs.
func (f fedStep) seen() any {
	list := make([]any, len(f.runs))
	for i, r := range f.runs {
		list[i] = r.seen()
	}
	if f.need.One {
		if len(list) == 0 {
			return nil
		}
		return list[0]
	}
	return list
}

// seen is what an expression sees of a run: its scraps and what it was given, and
// its files. Parameters win over scraps of their name, as they do in tables.
func (r fedRun) seen() map[string]any {
	m := map[string]any{"run_id": r.Run.Run.ID, expr.Files: r.files}
	for name, v := range r.scraps {
		m[name] = expr.OfScrap(v)
	}
	for _, list := range [][]value.Binding{r.Run.Run.Labels, r.Run.Run.Params} {
		for _, b := range list {
			m[b.Name] = expr.Of(b.Value)
		}
	}
	return m
}

// lacks finds a scrap that an expression reads and a run did not record.
func lacks(e *expr.Expr, fed []fedStep) error {
	for _, read := range e.Reads() {
		var other error
		found := false
		for _, f := range fed {
			if read.Name != "" && (f.need.Step != read.Name || !f.need.One) || read.Name == "" && f.need.One || !slices.Contains(e.Names(), f.need.Step) {
				continue
			}
			err := f.lacks(read.Field)
			found = found || err == nil
			if err != nil {
				other = err
			}
		}
		if other != nil && !found {
			return other
		}
	}
	return nil
}

func (f fedStep) lacks(field string) error {
	for _, r := range f.runs {
		if size := r.large[field]; size > 0 {
			return fmt.Errorf("the scrap `%s` of %s has %s, and a parameter takes %s: keep it as a file, and pass its path with artifact",
				field, r.name, unit.Bytes(int64(size)), unit.Bytes(maxValue))
		}
		if seen := r.seen(); !has(seen, field) {
			return fmt.Errorf("%s recorded no scrap `%s`; it recorded %s", r.name, field, recorded(r.scraps))
		}
	}
	return nil
}

func has(m map[string]any, key string) bool { _, ok := m[key]; return ok }

func recorded(scraps map[string]value.Value) string {
	if len(scraps) == 0 {
		return "none"
	}
	return unit.Cut(strings.Join(slices.Sorted(maps.Keys(scraps)), ", "), 200)
}

// parameter makes a result what its template declares.
func parameter(w sweep.With, x any) (value.Value, error) {
	v, err := value.Of(x)
	if err != nil {
		return v, err
	}
	if n := len(v.String()); n > maxValue {
		return v, fmt.Errorf("it has %s, and a parameter takes %s: keep it as a file, and pass its path with artifact", unit.Bytes(int64(n)), unit.Bytes(maxValue))
	}
	if f, isNumber := v.Float(); w.Float && isNumber && v.Kind() == value.Int {
		v, err = value.Of(f)
	}
	if kind := v.Kind(); err == nil && w.Kind != "" && kind != value.Null && kind.String() != w.Kind {
		return v, fmt.Errorf("it is %s, and the template declares %s", unit.Cut(v.String(), 100), w.Kind)
	}
	return v, err
}

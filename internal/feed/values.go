package feed

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
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

// maxScraps is how much, in bytes of JSON, is read of the scraps that the log does not
// carry, of all needed runs together.
var maxScraps = 128 << 20

const asFile = "keep it as a file, and pass its path with artifact"

// scrapsOf are the plain scraps of a run: those of the log, and where the notebook
// holds more, those. unfit says of the others why no parameter can have them. room is
// how much may still be read.
func scrapsOf(ctx context.Context, s *sweep.Sweep, st sweep.RunState, room *int) (scraps map[string]value.Value, unfit map[string]string, err error) {
	scraps, unfit = map[string]value.Value{}, map[string]string{}
	add := func(name string, data []byte) {
		if len(data) > maxValue {
			unfit[name] = fmt.Sprintf("has %s, and a parameter takes %s: %s", unit.Bytes(int64(len(data))), unit.Bytes(maxValue), asFile)
		} else if v, err := value.Parse(data); err == nil {
			scraps[name] = v
		}
	}
	for name, data := range st.Scraps.All() {
		add(name, data)
	}
	if !st.More {
		return scraps, unfit, nil
	}
	b, err := s.Object(ctx, sweep.AttemptKey(st.Run.ID, st.Best))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, refuse("the notebook of %s, which has the large scraps that it recorded, is gone from the sweep: %s", s.RunName(st.Run.ID), again(s, st))
	}
	if err != nil {
		return nil, nil, err
	}
	doc, err := notebook.Decode(b)
	if err != nil {
		return nil, nil, err
	}
	all, problems := doc.Scraps()
	for _, p := range problems {
		if p.Kind == "lost_scrap" {
			unfit[p.Name] = "was too large to be recorded: " + p.Detail + "; " + asFile
		}
	}
	for _, x := range all {
		if _, had := scraps[x.Name]; had || !x.HasData || x.Encoder != "json" && x.Encoder != "text" {
			continue
		}
		if len(x.Data) <= maxValue {
			*room -= len(x.Data)
		}
		if *room < 0 {
			return nil, nil, refuse("the large scraps of the runs that it needs have more than %s together: %s", unit.Bytes(int64(maxScraps)), asFile)
		}
		add(x.Name, x.Data)
	}
	return scraps, unfit, nil
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
		if has(r.seen(), field) {
			continue
		}
		if why := r.unfit[field]; why != "" {
			return fmt.Errorf("the scrap `%s` of %s %s", field, r.name, why)
		}
		return fmt.Errorf("%s recorded no scrap `%s`; it recorded %s", r.name, field, recorded(r.scraps))
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
	if why := improper(x); why != "" {
		return value.Value{}, errors.New(why)
	}
	v, err := value.Of(x)
	if err != nil {
		return v, err
	}
	if n := len(v.String()); n > maxValue {
		return v, fmt.Errorf("it has %s, and a parameter takes %s: %s", unit.Bytes(int64(n)), unit.Bytes(maxValue), asFile)
	}
	if f, isNumber := v.Float(); w.Float && isNumber && v.Kind() == value.Int {
		v, err = value.Of(f)
	}
	if kind := v.Kind(); err == nil && w.Kind != "" && kind != value.Null && kind.String() != w.Kind {
		return v, fmt.Errorf("it is %s, and the template declares %s", unit.Cut(v.String(), 100), w.Kind)
	}
	return v, err
}

// improper says why a result cannot be a parameter, which is JSON, and what can be.
func improper(x any) string {
	switch x := x.(type) {
	case float64:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Sprintf("it is %v, and a parameter is a number that JSON has: let the notebook record null instead, or keep a file", x)
		}
	case map[string]any:
		if has(x, expr.Files) {
			return "it is a whole run, and a parameter is a value: name one that it recorded, as in `map(extract, .rows)`"
		}
		for _, k := range slices.Sorted(maps.Keys(x)) {
			if why := improper(x[k]); why != "" {
				return why
			}
		}
	case []any:
		for _, y := range x {
			if why := improper(y); why != "" {
				return why
			}
		}
	}
	return ""
}

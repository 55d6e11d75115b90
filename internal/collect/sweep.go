package collect

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"slices"

	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/value"
)

// Sweep collects a sweep: a row for every run ever planned, in the order of the
// plan. Plain scraps come from the sweep's log; only notebooks that hold more, or
// that were edited, or that are being written, are opened.
func Sweep(ctx context.Context, s *sweep.Sweep, o Options) (r *Result, err error) {
	runs := s.Runs()
	var without []string // columns
	if !slices.ContainsFunc(runs, func(st sweep.RunState) bool { return st.Run.Replicate > 0 }) {
		without = append(without, query.Replicate)
	}
	if !slices.ContainsFunc(runs, func(st sweep.RunState) bool { return st.Run.Step() != "" }) {
		without = append(without, query.Step)
	}
	g, err := newGatherer(o, len(runs), without...)
	if err != nil {
		return nil, err
	}
	defer g.closeIf(&err)
	parts, err := s.Parts(ctx)
	if err != nil {
		return nil, err
	}
	versions, err := s.Versions(ctx)
	if err != nil {
		return nil, err
	}
	kept, err := readPacks(ctx, s, g.buffer)
	if err != nil {
		return nil, err
	}
	texts := textsDeclared(ctx, s, runs)
	large := make(chan struct{}, 1)
	read := func() func(i int) (*entry, error) {
		r := &runReader{sweep: s, buffer: g.buffer, parts: parts, versions: versions, kept: kept, texts: texts, turn: turn{large: large}}
		r.lean = leanReader{limit: leanLimit, alone: r.alone}
		return func(i int) (*entry, error) {
			defer r.release()
			return r.entry(ctx, runs[i])
		}
	}
	if err := inOrder(ctx, len(runs), o.jobs(), read, g.add); err != nil {
		return nil, err
	}
	if r, err = g.finish(); err != nil {
		return nil, err
	}
	r.kept = kept
	return r, nil
}

type runReader struct {
	sweep    *sweep.Sweep
	buffer   *buffer
	parts    map[string]string // run id → key of the notebook being written
	versions map[string]sweep.Version
	kept     *keeper
	texts    map[string]map[string]bool // template → parameters that it declares to be texts
	lean     leanReader
	turn
}

// textsDeclared reads the templates of runs. One that is gone declares nothing.
func textsDeclared(ctx context.Context, s *sweep.Sweep, runs []sweep.RunState) map[string]map[string]bool {
	texts := map[string]map[string]bool{}
	for _, st := range runs {
		if _, known := texts[st.Run.Template]; known {
			continue
		}
		texts[st.Run.Template] = nil
		if _, doc, err := s.TemplateOf(ctx, st.Run); err == nil {
			texts[st.Run.Template] = textsIn(doc)
		}
	}
	return texts
}

// entry reads one run. What is wrong with its notebook is in the entry; the
// error is of the store or the buffer.
func (r *runReader) entry(ctx context.Context, st sweep.RunState) (*entry, error) {
	e := &entry{id: st.Run.ID, status: st.Status, texts: r.texts[st.Run.Template]}
	run := query.RunOf(r.sweep, st)
	e.columns, e.params, e.labels = make([]any, 0, len(runColumns)), make([]bound, 0, len(st.Run.Params)), make([]bound, 0, len(st.Run.Labels))
	for _, c := range runColumns {
		v := c.Of(run)
		if text, isText := v.(string); isText {
			v = value.ToUTF8(text)
		}
		e.columns = append(e.columns, v)
	}
	for _, p := range st.Run.Params {
		e.params = append(e.params, bound{p.Name, p.Value.Any()})
	}
	for _, l := range st.Run.Labels {
		e.labels = append(e.labels, bound{l.Name, l.Value.Any()})
	}
	if st.Run.Template != "" && run.Run.Step() == "" && !slices.ContainsFunc(e.labels, func(b bound) bool { return b.value == st.Run.Template }) {
		e.labels = append(e.labels, bound{"template", st.Run.Template})
	}
	if b := st.BestOut; b != nil && b.Unkept != "" {
		e.problems = append(e.problems, table.Problem{Kind: "not_kept", Detail: value.ToUTF8(b.Unkept)})
	}
	found, err := r.recorded(ctx, st)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.problems = append(e.problems, table.Problem{Kind: "unreadable", Detail: "its notebook is gone: " + err.Error()})
	case errors.As(err, new(*notANotebook)), blocked(err):
		e.problems = append(e.problems, table.Problem{Kind: "unreadable", Detail: err.Error()})
	case err != nil:
		return nil, err
	}
	if found == nil {
		return e, e.logged(st.Scraps, r.buffer)
	}
	err = e.scraps(found, r.buffer)
	e.sortScraps()
	return e, err
}

// blocked reports whether a run's file is there and cannot be read, as is no matter
// of the whole sweep.
func blocked(err error) bool {
	_, large := errors.AsType[*store.LargeError](err)
	return large || errors.Is(err, store.ErrIrregular) || errors.Is(err, fs.ErrPermission) && errors.As(err, new(*fs.PathError))
}

// notANotebook reports that an object could be read but not understood.
type notANotebook struct{ error }

// recorded is what the notebook of a run holds, nil when the log says it all.
func (r *runReader) recorded(ctx context.Context, st sweep.RunState) (*recorded, error) {
	if key, ok := r.parts[st.Run.ID]; ok && st.Best == 0 {
		found, err := r.decode(r.sweep.Object(ctx, key))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil // it ended meanwhile
		}
		return found, err
	}
	version, stands := r.versions[st.Run.ID]
	changed := stands && version != sweep.Version{Size: st.Size, ModTime: st.ModTime}
	if st.Best == 0 || !st.More && !changed {
		return nil, nil
	}
	if found := r.kept.find(st.Run.ID, version); found != nil {
		return found, nil
	}
	found, err := r.decode(r.sweep.Notebook(ctx, st))
	if err == nil && stands {
		err = r.kept.add(st.Run.ID, version, found)
	}
	return found, err
}

func (r *runReader) decode(doc []byte, err error) (*recorded, error) {
	if err != nil {
		return nil, err
	}
	n, dropped, err := r.lean.notebook(bytes.NewReader(doc), func(start, end int64) ([]byte, error) { return doc[start:end], nil })
	if err != nil {
		return nil, &notANotebook{err}
	}
	found := recordedIn(n)
	for _, p := range dropped {
		found.Problems = append(found.Problems, notebook.Problem{Kind: p.Kind, Name: p.Name, Detail: p.Detail, Cell: p.Cell})
	}
	return found, nil
}

// logged takes the scraps that the log holds.
func (e *entry) logged(scraps sweep.Scraps, to *buffer) error {
	for name, data := range scraps.All() {
		s := notebook.Scrap{Name: name, Encoder: "json", Data: json.RawMessage(data), HasData: true}
		it, problems, err := decodeScrap(s, to)
		if err != nil {
			return err
		}
		e.items = append(e.items, it)
		e.problems = append(e.problems, problems...)
	}
	e.sortScraps()
	return nil
}

// sortScraps makes the scraps of the log equal to those of the notebook: the log
// has neither their order nor the encoder of a text.
func (e *entry) sortScraps() {
	for i := range e.items {
		it := &e.items[i]
		if it.encoder == "json" || it.encoder == "text" {
			it.encoder = "json"
			if it.kind() == "string" {
				it.encoder = "text"
			}
		}
	}
	slices.SortFunc(e.items, func(a, b item) int { return cmp.Compare(a.name, b.name) })
}

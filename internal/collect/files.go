package collect

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/value"
)

// Files collects any pile of notebooks: every .ipynb and .ipynb.gz beneath the
// given paths of a file system ("." is all of it), hidden folders left out. A
// row a file, in the order of the paths, run_id the path without its ending.
// A file that cannot be read as a notebook has its row, with the status lost,
// and a problem.
func Files(ctx context.Context, fsys fs.FS, paths []string, o Options) (r *Result, err error) {
	names, err := findNotebooks(fsys, paths)
	if err != nil {
		return nil, err
	}
	g, err := newGatherer(o, len(names), query.Step, query.Replicate)
	if err != nil {
		return nil, err
	}
	defer g.closeIf(&err)
	large := make(chan struct{}, 1)
	read := func() func(i int) (*entry, error) {
		r := &fileReader{fsys: fsys, buffer: g.buffer, turn: turn{large: large}}
		r.lean.limit = leanLimit
		return func(i int) (*entry, error) { return r.entry(names[i]) }
	}
	if err := inOrder(ctx, len(names), o.jobs(), read, g.add); err != nil {
		return nil, err
	}
	return g.finish()
}

func (o Options) jobs() int {
	if o.Jobs > 0 {
		return o.Jobs
	}
	return runtime.GOMAXPROCS(0)
}

func findNotebooks(fsys fs.FS, paths []string) ([]string, error) {
	var names []string
	if len(paths) == 0 {
		paths = []string{"."}
	}
	for _, root := range paths {
		err := fs.WalkDir(fsys, root, func(name string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && name != root && strings.HasPrefix(d.Name(), "."):
				return fs.SkipDir
			case name == root && !d.IsDir() || isNotebookName(name) && isFile(fsys, name, d):
				names = append(names, name)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("find notebooks in %q: %w", root, err)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// isFile passes over pipes and devices, which never end or are not ours to read.
func isFile(fsys fs.FS, name string, d fs.DirEntry) bool {
	if d.Type()&fs.ModeSymlink == 0 {
		return d.Type().IsRegular()
	}
	info, err := fs.Stat(fsys, name)
	return err != nil || info.Mode().IsRegular() // a link that leads nowhere has a row that says so
}

func isNotebookName(name string) bool {
	return strings.HasSuffix(name, ".ipynb") || strings.HasSuffix(name, ".ipynb.gz")
}

// inOrder reads n things with several readers, and gives them to use one after
// the other. Readers are at most a few things ahead.
func inOrder(ctx context.Context, n, jobs int, reader func() func(i int) (*entry, error), use func(*entry) error) error {
	type result struct {
		e   *entry
		err error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	jobs = max(1, min(jobs, n))
	ahead := 8 * jobs
	slots := make([]chan result, ahead)
	for i := range slots {
		slots[i] = make(chan result, 1)
	}
	free := make(chan struct{}, ahead)
	next := make(chan int)
	go func() {
		defer close(next)
		for i := range n {
			select {
			case free <- struct{}{}:
			case <-ctx.Done():
				return
			}
			select {
			case next <- i:
			case <-ctx.Done():
				return
			}
		}
	}()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for range jobs {
		wg.Go(func() {
			read := reader()
			for i := range next {
				e, err := read(i)
				slots[i%ahead] <- result{e, err}
			}
		})
	}
	for i := range n {
		select {
		case r := <-slots[i%ahead]:
			if r.err != nil {
				return r.err
			}
			if err := use(r.e); err != nil {
				return err
			}
			<-free
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// fileReader reads files, one at a time.
type fileReader struct {
	fsys   fs.FS
	buffer *buffer
	lean   leanReader
	gzip   gzip.Reader
	turn
}

// entry reads one file. The error is of the buffer; what is wrong with the file
// is in the entry.
func (r *fileReader) entry(name string) (*entry, error) {
	e := &entry{id: strings.TrimSuffix(strings.TrimSuffix(name, ".gz"), ".ipynb")}
	e.note("run_id", e.id)
	e.note("run_notebook", name)
	defer r.release()
	n, dropped, err := r.notebook(name)
	if err != nil {
		e.ended(outcome.Lost, "", err.Error())
		e.problems = append(e.problems, table.Problem{Kind: "unreadable", Detail: value.ToUTF8(err.Error())})
		return e, nil
	}
	e.problems = append(e.problems, dropped...)
	v := n.Verdict()
	e.ended(v.Status, v.Kind, v.Reason)
	e.times(n)
	e.params, e.texts = parametersOf(n), textsIn(n)
	return e, e.scraps(recordedIn(n), r.buffer)
}

func (r *fileReader) notebook(name string) (*notebook.Notebook, []table.Problem, error) {
	if info, err := fs.Stat(r.fsys, name); err == nil && !info.Mode().IsRegular() {
		return nil, nil, errors.New("read notebook: it is not a regular file")
	}
	f, err := r.fsys.Open(name)
	if err != nil {
		return nil, nil, fmt.Errorf("open notebook: %w", err)
	}
	defer f.Close()
	stream := io.Reader(f)
	again := func(start, end int64) ([]byte, error) { return r.reread(name, start, end) }
	r.lean.alone = r.alone
	if strings.HasSuffix(name, ".gz") {
		if err := r.gzip.Reset(f); err != nil {
			return nil, nil, fmt.Errorf("read notebook: %w", err)
		}
		stream = &r.gzip
	}
	return r.lean.notebook(stream, again)
}

// reread reads a part of a file again that was too long to keep.
func (r *fileReader) reread(name string, start, end int64) ([]byte, error) {
	r.alone()
	f, err := r.fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, end-start)
	if at, ok := f.(io.ReaderAt); ok && !strings.HasSuffix(name, ".gz") {
		_, err = at.ReadAt(b, start)
		return b, err
	}
	stream := io.Reader(f)
	if strings.HasSuffix(name, ".gz") {
		z, err := gzip.NewReader(f)
		if err != nil {
			return nil, err
		}
		stream = z
	}
	if _, err := io.CopyN(io.Discard, stream, start); err != nil {
		return nil, err
	}
	_, err = io.ReadFull(stream, b)
	return b, err
}

// turn lets one reader of several at a time have large outputs in memory.
type turn struct {
	large chan struct{} // shared; held by the one whose turn it is
	holds bool
}

// alone waits for the reader's turn.
func (t *turn) alone() {
	if !t.holds {
		t.large <- struct{}{}
		t.holds = true
	}
}

func (t *turn) release() {
	if t.holds {
		<-t.large
		t.holds = false
	}
}

// ended notes how the run of a notebook ended.
func (e *entry) ended(status outcome.Status, kind outcome.Kind, reason string) {
	e.status = status
	e.note("run_status", string(status))
	e.note("run_reason_kind", string(kind))
	e.note("run_error", value.ToUTF8(reason))
}

// times reads when the notebook ran, as papermill notes it.
func (e *entry) times(n *notebook.Notebook) {
	m, _ := n.Metadata["papermill"].(map[string]any)
	if text, ok := m["start_time"].(string); ok {
		for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05"} {
			if t, err := time.Parse(layout, text); err == nil {
				e.note("run_started_at", t)
				break
			}
		}
	}
	if v, err := value.Of(m["duration"]); err == nil {
		if seconds, ok := v.Float(); ok {
			e.note("run_duration_s", seconds)
		}
	}
}

// recorded is what a notebook recorded, not yet decoded.
type recorded struct {
	Scraps   []notebook.Scrap
	Problems []notebook.Problem
}

func recordedIn(n *notebook.Notebook) *recorded {
	scraps, problems := n.Scraps()
	return &recorded{scraps, problems}
}

// scraps decodes what the notebook recorded.
func (e *entry) scraps(r *recorded, to *buffer) error {
	for _, p := range r.Problems {
		e.problems = append(e.problems, table.Problem{Kind: p.Kind, Name: p.Name, Detail: p.Detail, Cell: p.Cell})
	}
	for _, s := range r.Scraps {
		it, problems, err := decodeScrap(s, to)
		if err != nil {
			return err
		}
		e.items = append(e.items, it)
		e.problems = append(e.problems, problems...)
	}
	return nil
}

// textsIn are the parameters that a template declares to be texts.
func textsIn(n *notebook.Notebook) map[string]bool {
	declared, _, _ := n.Parameters() // as far as it can be read
	texts := map[string]bool{}
	for _, p := range declared {
		if p.IsText() {
			texts[p.Name] = true
		}
	}
	return texts
}

// parametersOf are those papermill noted, else those of the injected cell.
func parametersOf(n *notebook.Notebook) []bound {
	m, _ := n.Metadata["papermill"].(map[string]any)
	if noted, ok := m["parameters"].(map[string]any); ok && len(noted) > 0 {
		var params []bound
		for name, v := range noted {
			params = append(params, bound{value.ToUTF8(name), v})
		}
		slices.SortFunc(params, func(a, b bound) int { return strings.Compare(a.name, b.name) })
		return params
	}
	cell := injectedCell(n)
	if cell == nil {
		return nil
	}
	alone := &notebook.Notebook{Metadata: n.Metadata, Minor: n.Minor, Cells: []*notebook.Cell{{
		Type: "code", Source: cell.Source, Metadata: map[string]any{"tags": []any{"parameters"}}}}}
	found, _, err := alone.Parameters()
	if err != nil {
		return nil
	}
	var params []bound
	for _, p := range found {
		v := p.Value
		if !p.HasValue {
			v = p.Default // jupyter-scheduler writes values without quotes
		}
		params = append(params, bound{value.ToUTF8(p.Name), v})
	}
	return params
}

// injectedCell is the cell that passed the parameters. Papermill before 0.14
// tagged it "parameters", and what it replaced "default parameters".
func injectedCell(n *notebook.Notebook) *notebook.Cell {
	var tagged *notebook.Cell
	old := false
	for _, c := range n.Cells {
		switch {
		case c.HasTag("injected-parameters"):
			return c
		case c.HasTag("default parameters"):
			old = true
		case tagged == nil && c.HasTag("parameters"):
			tagged = c
		}
	}
	if old {
		return tagged
	}
	return nil
}

package align

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/fanout-dev/fanout/internal/align/internal/delta"
	"github.com/fanout-dev/fanout/internal/align/internal/normal"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/unit"
)

const (
	// room is how many bytes of notebooks are kept in memory; others are read
	// again when they are needed.
	room = 256 << 20
	// maxNumbers is how many numbers of all cells that differ are compared
	// with a tolerance; others are equal where their digits are.
	maxNumbers = 32 << 20
	maxBytes   = 512 << 20 // of one notebook
	large      = 32 << 20  // bytes from which notebooks are read one at a time
)

// A library reads the notebooks of runs.
type library struct {
	runs   []Run
	sheets []*sheet
	failed []string // what runs raised
	memory *recall  // may be nil

	mu   sync.Mutex
	kept map[int]*notebook.Notebook
	left int64

	large sync.Mutex // held while a large notebook is read: one at a time

	numbers atomic.Int64
}

// newLibrary reads all notebooks. Runs whose notebooks cannot be read, or were
// never executed, are left out and say why.
func newLibrary(ctx context.Context, runs []Run, memory *recall) (*library, []Left, error) {
	all := &library{runs: runs, sheets: make([]*sheet, len(runs)), failed: make([]string, len(runs)), memory: memory, kept: map[int]*notebook.Notebook{}, left: room}
	why := make([]string, len(runs))
	err := inParallel(ctx, len(runs), func(i int) {
		if err := all.first(i); err != nil {
			why[i] = err.Error()
		} else if !all.sheets[i].executed() {
			why[i] = "its notebook was not executed"
		}
	})
	if err != nil {
		return nil, nil, err
	}
	l := &library{memory: memory, kept: map[int]*notebook.Notebook{}, left: all.left}
	var left []Left
	for i, r := range runs {
		if why[i] != "" {
			left = append(left, Left{r.ID, r.Name, why[i]})
			continue
		}
		if doc := all.kept[i]; doc != nil {
			l.kept[len(l.runs)] = doc
		}
		l.runs, l.sheets, l.failed = append(l.runs, r), append(l.sheets, all.sheets[i]), append(l.failed, all.failed[i])
	}
	return l, left, nil
}

func (s *sheet) executed() bool {
	for _, c := range s.cells {
		if c.reached {
			return true
		}
	}
	return false
}

func (l *library) first(run int) error {
	if s, failed, known := l.memory.sheet(l.runs[run]); known {
		l.sheets[run], l.failed[run] = s, failed
		return nil
	}
	doc, err := l.open(run)
	if err != nil {
		return err
	}
	if f, failed := doc.Failure(); failed {
		l.failed[run] = raisedText(f.Ename, f.Evalue)
	}
	if l.sheets[run], err = newSheet(doc); err == nil {
		l.memory.learn(l.runs[run], l.sheets[run], l.failed[run])
	}
	return err
}

// open returns the notebook of a run, read again if there was no room for it.
func (l *library) open(run int) (*notebook.Notebook, error) {
	l.mu.Lock()
	doc := l.kept[run]
	l.mu.Unlock()
	if doc != nil {
		return doc, nil
	}
	if size := l.runs[run].Size; size > maxBytes {
		return nil, fmt.Errorf("it has %s, and %s is the most that is compared", unit.Bytes(size), unit.Bytes(maxBytes))
	}
	doc, size, err := l.read(run)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.kept[run] == nil && l.left >= size {
		l.left -= size
		l.kept[run] = doc
	}
	return doc, nil
}

// read reads the notebook of a run. size is roughly what it takes to keep it.
func (l *library) read(run int) (doc *notebook.Notebook, size int64, err error) {
	if l.runs[run].Size > large {
		l.large.Lock()
		defer l.large.Unlock()
	}
	b, err := l.runs[run].Read()
	if err != nil {
		return nil, 0, err
	}
	if doc, err = notebook.Decode(b); err != nil {
		return nil, 0, err
	}
	return doc, int64(len(b)) - normal.Shorten(doc), nil
}

// parts are the normalised outputs of a cell of a run; none when its notebook
// is gone.
func (l *library) parts(run, cell int) []normal.Part {
	doc, err := l.open(run)
	if err != nil {
		return nil
	}
	return l.partsIn(doc, run, cell)
}

func (l *library) partsIn(doc *notebook.Notebook, run, cell int) []normal.Part {
	s := l.sheets[run]
	if i := s.cells[cell].index; i < len(doc.Cells) {
		return normal.Parts(doc.Cells[i].Outputs, normal.WidgetsOf(doc))
	}
	return nil
}

// A print is by what the outputs of a cell are told apart.
type print struct {
	plain, clocked [16]byte
	frame          delta.Frame
	pictures       [][16]byte
}

func (l *library) print(run, cell int) print {
	if p, known := l.memory.print(l.runs[run], cell); known {
		l.numbers.Add(int64(len(p.frame.Numbers)))
		return p
	}
	doc, err := l.open(run)
	var parts []normal.Part
	if err == nil {
		parts = l.partsIn(doc, run, cell)
	}
	p := print{plain: normal.Digest(parts)}
	parts = l.sheets[run].clock.During(parts)
	most := max(0, maxNumbers-l.numbers.Load())
	p.clocked, p.frame = normal.Digest(parts), delta.FrameOf(parts, int(most))
	l.numbers.Add(int64(len(p.frame.Numbers)))
	for _, r := range p.frame.Raster {
		p.pictures = append(p.pictures, normal.Digest([]normal.Part{*r}))
	}
	p.frame.Raster = nil
	if err == nil && int64(len(p.frame.Numbers)) < most { // else it is gone, or not all of it is there
		l.memory.learnPrint(l.runs[run], cell, p)
	}
	return p
}

// showsSame reports whether the pictures of two runs show the same.
func (l *library) showsSame(a, b place) bool {
	x, y := delta.FrameOf(l.parts(a.run, a.cell), 0).Raster, delta.FrameOf(l.parts(b.run, b.cell), 0).Raster
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		if x[i].Text == y[i].Text {
			continue
		}
		p, ok := delta.Pixels(x[i])
		q, both := delta.Pixels(y[i])
		if !ok || !both || p != q {
			return false
		}
	}
	return true
}

// A place is a cell of a run.
type place struct{ run, cell int }

// inParallel calls do for 0 to n−1, on all cores.
func inParallel(ctx context.Context, n int, do func(i int)) error {
	var wait sync.WaitGroup
	next := make(chan int)
	for range min(n, runtime.GOMAXPROCS(0)) {
		wait.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	wait.Wait()
	return ctx.Err()
}

package table

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/fanout-dev/fanout/internal/table/frame"
	"github.com/fanout-dev/fanout/internal/table/internal/cell"
	"github.com/fanout-dev/fanout/internal/table/internal/shred"
)

// Stack is every frame of one name, to be written one below the other: run_id
// and the other columns of the runs table that Carry names, the parameters and
// labels, then the frames' columns in the order in which they were first seen.
//
// A column that a frame lacks is null there. Columns of different types become
// the narrowest type that holds both without changing a value: integers and
// doubles double (unless an integer is too large to be exact), microseconds and
// nanoseconds nanoseconds, differing zones UTC, decimals the larger scale;
// what has no such type becomes text, and that is a problem.
type Stack struct {
	Name    string
	Carry   []string // columns of the runs table, by name
	frames  []stacked
	order   []string // names in the frames
	shapes  map[string]*cell.Shape
	leading []Column     // one value for all rows of a frame
	columns []cell.Field // parallel to order: names in the table, and types
}

// stacked is a frame of a stack.
type stacked struct {
	run  string
	row  int // of the runs table
	rows int64
	file *io.SectionReader
}

// Add adds a frame that was checked, and the run and the row of the runs table
// that it belongs to. The file is read again when the stack is written.
func (s *Stack) Add(run string, row int, f *frame.Summary, file *io.SectionReader) {
	if s.shapes == nil {
		s.shapes = map[string]*cell.Shape{}
	}
	for _, name := range f.Names {
		if s.shapes[name] == nil {
			s.shapes[name] = &cell.Shape{}
			s.order = append(s.order, name)
		}
	}
	for name, sh := range f.Shapes {
		s.shapes[name].Join(sh)
	}
	s.frames = append(s.frames, stacked{run, row, f.Rows, file})
}

// Resolve settles names and types, once all frames are there, and says which
// were changed.
func (s *Stack) Resolve(runs *Table) []Problem {
	taken := map[string]bool{}
	for _, c := range runs.Columns() {
		if c.Name() == "run_id" || slices.Contains(s.Carry, c.Name()) || c.Role() == RoleParameter || c.Role() == RoleLabel {
			s.leading = append(s.leading, c)
			taken[strings.ToLower(c.Name())] = true
		}
	}
	var problems []Problem
	note := func(kind, detail string, about ...any) {
		problems = append(problems, Problem{Kind: kind, Name: s.Name, Detail: fmt.Sprintf(detail, about...)})
	}
	for _, name := range s.order {
		column := freeName(name, taken)
		if column != name {
			note("renamed", "the column %q of the frames is %q in the table, because the name is taken", name, column)
		}
		taken[strings.ToLower(column)] = true
		d := s.shapes[name].Resolve()
		if k := s.shapes[name].Kinds(); (d.Kind == JSON || d.Kind == String) && len(k) > 1 {
			note("promoted", "the column %q is %s in the frames of different runs: it is text in the table", name, strings.Join(k, " and "))
		}
		s.columns = append(s.columns, cell.Field{Name: column, Type: d})
	}
	return problems
}

// freeName is a name for a column of the frames that no other column has.
func freeName(name string, taken map[string]bool) string {
	column := name
	for n := 1; taken[strings.ToLower(column)] || column == ""; n++ {
		column = "frame_" + name
		if n > 1 {
			column = fmt.Sprintf("frame_%s_%d", name, n)
		}
	}
	return column
}

func (s *Stack) schema() *arrow.Schema {
	var fields []arrow.Field
	for _, l := range s.leading {
		fields = append(fields, l.spec.field(l.typ))
	}
	for _, c := range s.columns {
		fields = append(fields, ColumnSpec{Name: c.Name, Role: RoleFrame}.field(c.Type))
	}
	return arrow.NewSchema(fields, &tableMetadata)
}

// sources are the columns by their names in the frames.
func (s *Stack) sources() []cell.Field {
	fields := make([]cell.Field, len(s.columns))
	for i, c := range s.columns {
		fields[i] = cell.Field{Name: s.order[i], Type: c.Type}
	}
	return fields
}

// portion is some frames that share a row group, or one large frame.
type portion struct {
	frames   []stacked
	turn     chan struct{} // closed when the portions before are in the file
	done     chan struct{} // closed when this one is
	problems []Problem
}

const portionRows = 64 << 10

func (s *Stack) portions() []*portion {
	first := make(chan struct{})
	close(first)
	var all []*portion
	rows := int64(portionRows)
	for _, f := range s.frames {
		if rows >= portionRows {
			p := &portion{turn: first, done: make(chan struct{})}
			first, rows = p.done, 0
			all = append(all, p)
		}
		p := all[len(all)-1]
		p.frames = append(p.frames, f)
		rows += f.rows
	}
	return all
}

// Write writes the stack as a Parquet file, after Resolve. Portions are read and
// encoded side by side and written in order. Frames that turn out to be broken
// are left out, a problem each.
func (s *Stack) Write(w io.Writer) ([]Problem, error) {
	p, err := shred.New(w, s.schema())
	if err != nil {
		return nil, err
	}
	all := s.portions()
	var (
		next   = make(chan *portion)
		quit   = make(chan struct{})
		once   sync.Once
		wg     sync.WaitGroup
		failed error
	)
	for range min(runtime.GOMAXPROCS(0), 4, len(all)) {
		group := p.Group()
		wg.Go(func() {
			sw := &stackWriter{stack: s, group: group, fields: s.sources(), quit: quit}
			for part := range next {
				if err := sw.portion(part); err != nil {
					once.Do(func() { failed = err; close(quit) })
				}
				close(part.done)
			}
		})
	}
	for _, part := range all {
		next <- part
	}
	close(next)
	wg.Wait()
	if failed != nil {
		return nil, failed
	}
	var problems []Problem
	for _, part := range all { // in the order of the frames
		problems = append(problems, part.problems...)
	}
	return problems, p.Close()
}

// stackWriter is one of those that read and encode frames.
type stackWriter struct {
	stack  *Stack
	group  *shred.Group
	fields []cell.Field
	quit   chan struct{} // closed when another one failed
}

func (w *stackWriter) portion(p *portion) error {
	for _, f := range p.frames {
		select {
		case <-w.quit:
			return nil
		default:
		}
		lost, err := w.frame(p, f)
		if err != nil {
			return err
		}
		if lost.err != nil {
			p.problems = append(p.problems, Problem{Run: f.run, Kind: "unreadable", Name: w.stack.Name,
				Detail: fmt.Sprintf("after %d rows: %v", lost.rows, lost.err)})
		}
		if lost.values > 0 {
			p.problems = append(p.problems, Problem{Run: f.run, Kind: "lost_values", Name: w.stack.Name,
				Detail: fmt.Sprintf("too far away for nanoseconds, and null in the table: %d of its times", lost.values)})
		}
	}
	return w.commit(p)
}

// commit waits for the portions before.
func (w *stackWriter) commit(p *portion) error {
	select {
	case <-p.turn:
	case <-w.quit:
		return nil
	}
	return w.group.Commit()
}

// loss is what of a frame did not get into the table.
type loss struct {
	err    error // the frame is broken from a row on
	rows   int
	values int
}

// frame adds the rows of one frame. The error is of writing.
func (w *stackWriter) frame(p *portion, s stacked) (lost loss, err error) {
	f, opening := frame.Open(s.file, s.file.Size())
	if opening != nil {
		lost.err = opening
		return lost, nil
	}
	var writing error
	lost.values, lost.err = f.Read(w.fields, func(columns []frame.Rows, rows int) error {
		lost.rows += rows
		for i, l := range w.stack.leading {
			a, at := l.at(s.row)
			if writing = w.group.Repeat(i, a, at, rows); writing != nil {
				return writing
			}
		}
		for i, c := range columns {
			if c.Array == nil {
				writing = errors.Join(writing, w.group.WriteValues(len(w.stack.leading)+i, c.Values))
				continue
			}
			writing = errors.Join(writing, w.group.Write(len(w.stack.leading)+i, []arrow.Array{c.Array}))
			c.Array.Release()
		}
		w.group.Done(rows)
		if writing == nil && w.group.Full() {
			writing = w.commit(p)
		}
		return writing
	})
	if writing != nil {
		return loss{}, writing
	}
	return lost, nil
}

// cellValue is the value in a form that AppendTo takes back.
func (c Column) cellValue(row int) any {
	v := c.Any(row)
	if c.typ.Kind == JSON && v != nil {
		return JSONText(c.Text(row))
	}
	return v
}

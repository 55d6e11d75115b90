package table

import (
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/ipc"

	"github.com/fanout-dev/fanout/internal/table/internal/cell"
	"github.com/fanout-dev/fanout/internal/table/internal/shred"
)

// WriteParquet writes the table as a Parquet file.
func (t *Table) WriteParquet(w io.Writer) error {
	p, err := shred.New(w, t.schema)
	if err != nil {
		return err
	}
	for _, b := range t.batches {
		if err := p.Write(b); err != nil {
			return err
		}
	}
	return p.Close()
}

// WriteArrow writes the table in the Arrow IPC file format.
func (t *Table) WriteArrow(w io.Writer) error {
	f, err := ipc.NewFileWriter(&positioned{w: w}, ipc.WithSchema(t.schema))
	if err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	for _, b := range t.batches {
		if err := f.Write(b); err != nil {
			return fmt.Errorf("write table: %w", err)
		}
	}
	return f.Close()
}

// WriteStream writes the table in the Arrow IPC stream format.
func (t *Table) WriteStream(w io.Writer) error {
	s := ipc.NewWriter(w, ipc.WithSchema(t.schema))
	for _, b := range t.batches {
		if err := s.Write(b); err != nil {
			return fmt.Errorf("write table: %w", err)
		}
	}
	return s.Close()
}

// positioned is a writer that knows its position: Arrow's file writer asks for it
// and only appends.
type positioned struct {
	w io.Writer
	n int64
}

func (p *positioned) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	p.n += int64(n)
	return n, err
}

func (p *positioned) Seek(offset int64, whence int) (int64, error) {
	if offset != 0 || whence != io.SeekCurrent {
		return p.n, errors.New("seek: only the present position is known")
	}
	return p.n, nil
}

// Stream writes rows as a Parquet file while they come in. Every column has the
// type that it is declared with, and no other.
type Stream struct {
	writer  *shred.Writer
	columns []ColumnSpec
	batch   *Builder
}

// NewStream writes to w, which stays open.
func NewStream(w io.Writer, columns []ColumnSpec) (*Stream, error) {
	fields := make([]arrow.Field, len(columns))
	for i, c := range columns {
		fields[i] = c.field(cell.Type{Kind: c.Type})
	}
	p, err := shred.New(w, arrow.NewSchema(fields, &tableMetadata))
	if err != nil {
		return nil, err
	}
	return &Stream{p, columns, newBuilder(columns)}, nil
}

// Add adds a row, a value for each column.
func (s *Stream) Add(row ...any) error {
	if s.batch.full() {
		if err := s.flush(); err != nil {
			return err
		}
	}
	return s.batch.add(row)
}

func (s *Stream) flush() error {
	t, err := s.batch.Table()
	if err != nil {
		return err
	}
	for i, c := range t.columns {
		if c.Type() != s.columns[i].Type {
			return fmt.Errorf("write column %q: its values are %s, not %s", c.Name(), c.Type(), s.columns[i].Type)
		}
	}
	for _, b := range t.batches {
		if err := s.writer.Write(b); err != nil {
			return err
		}
	}
	s.batch = newBuilder(s.columns)
	return nil
}

// Close completes the file.
func (s *Stream) Close() error {
	if err := s.flush(); err != nil {
		return err
	}
	return s.writer.Close()
}

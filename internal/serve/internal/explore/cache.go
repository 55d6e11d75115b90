package explore

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/fanout-dev/fanout/internal/serve/internal/books"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/table/frame"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Limits of tables that are explored.
const (
	maxTable  = 48 << 20  // bytes of Parquet
	maxCells  = 8_000_000 // values
	keepTable = 3 * time.Minute
)

// A Cache keeps the table that was looked at last: a page of it is followed by
// others.
type Cache struct {
	mu     sync.Mutex
	place  string
	object store.Object
	data   Data
	used   time.Time
}

// Open reads a table of a store, or finds it read. heavy has room for each thing
// that takes much memory.
func (t *Cache) Open(ctx context.Context, st store.Store, key string, heavy chan struct{}) (Data, error) {
	object, err := st.Stat(ctx, key)
	if err != nil {
		return Data{}, err
	}
	return t.get(st.String(), object, heavy, func() (Data, error) { return read(ctx, st, key) })
}

// Shown is a table that a notebook shows, by its name in it.
func (t *Cache) Shown(st store.Store, b *books.Book, name string, heavy chan struct{}) (d Data, code int, err error) {
	raw, code, err := b.Table(name)
	if err != nil {
		return d, 0, err
	}
	d, err = t.get(st.String()+"\x00"+name, b.Object(), heavy, func() (Data, error) { return resource(raw) })
	return d, code, err
}

// get finds a table, or has it read.
func (t *Cache) get(place string, object store.Object, heavy chan struct{}, read func() (Data, error)) (Data, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.used = time.Now()
	if t.place == place && t.object == object {
		return t.data, nil
	}
	t.place, t.object, t.data = "", store.Object{}, Data{}
	heavy <- struct{}{}
	defer func() { <-heavy }()
	d, err := read()
	if err == nil {
		t.place, t.object, t.data = place, object, d
	}
	return d, err
}

func read(ctx context.Context, st store.Store, key string) (Data, error) {
	text, err := books.Read(ctx, st, key, maxTable)
	if err != nil {
		return Data{}, err
	}
	file := bytes.NewReader(text)
	held, err := frame.Check(file, file.Size())
	if err == nil && held.Rows*int64(len(held.Names)) > maxCells {
		err = fmt.Errorf("%d rows of %d columns: %w", held.Rows, len(held.Names), books.ErrTooLarge)
	}
	var d Data
	if err == nil {
		d.Names, d.Rows, err = frame.ReadRows(file, file.Size())
	}
	if err != nil {
		return d, unit.WithHint(unit.Mistake(fmt.Errorf("this table cannot be explored: %w", err)), "store the file and open it with another program")
	}
	return d, nil
}

// Tidy gives up a table that nobody looks at any more.
func (t *Cache) Tidy() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Since(t.used) > keepTable {
		t.place, t.object, t.data = "", store.Object{}, Data{}
	}
}

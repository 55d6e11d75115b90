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
	t.mu.Lock()
	defer t.mu.Unlock()
	t.used = time.Now()
	if t.place == st.String() && t.object == object {
		return t.data, nil
	}
	t.place, t.object, t.data = "", store.Object{}, Data{}
	heavy <- struct{}{}
	defer func() { <-heavy }()
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
	t.place, t.object, t.data = st.String(), object, d
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

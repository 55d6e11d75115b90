package serve

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// counting is a store that counts which notebooks are read.
type counting struct {
	store.Store
	notebooks *atomic.Int64
}

func (c counting) Get(ctx context.Context, key string) ([]byte, error) {
	if strings.HasSuffix(key, ".ipynb") {
		c.notebooks.Add(1)
	}
	return c.Store.Get(ctx, key)
}

// A server that starts again reads only those notebooks whose cells it describes,
// and says the same; what it remembers may be deleted.
func TestCellsAreRemembered(t *testing.T) {
	dir, cells := t.TempDir(), filepath.Join(t.TempDir(), "cells")
	must(t, makeSweep(t, store.Dir(filepath.Join(dir, "x.sweep")), 20, func(int, sweep.RunState) outcome.Outcome { return outcome.Outcome{Status: outcome.Succeeded} }).Lease().Release())
	var read atomic.Int64
	ask := func() (string, int64) {
		a := &app.App{Warn: func(string) {}, OpenStore: func(ctx context.Context, where string) (store.Store, error) {
			st, err := store.Open(ctx, where)
			return counting{st, &read}, err
		}}
		s, err := New(t.Context(), Config{App: a, Roots: []string{dir}, Access: Access{Auth: None, Base: "/"}, Cells: cells})
		must(t, err)
		read.Store(0)
		for {
			_, _, body := get(s, "/api/v1/s/"+idOf(t, s)+"/cells")
			if !strings.Contains(body, `"pending"`) {
				return body, read.Load()
			}
		}
	}
	first, n := ask()
	if n < 40 || !strings.Contains(first, `"differences"`) {
		t.Fatalf("%d notebooks are read: %.500s", n, first)
	}
	if again, n := ask(); again != first || n > 12 {
		t.Errorf("%d notebooks are read again; the same page: %v", n, again == first)
	}
	must(t, os.RemoveAll(cells))
	if again, n := ask(); again != first || n < 40 {
		t.Errorf("%d notebooks are read without what it remembers; the same page: %v", n, again == first)
	}
}

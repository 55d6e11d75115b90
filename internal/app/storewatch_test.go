package app

import (
	"context"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// slowBucket answers only while it is there.
type slowBucket struct {
	store.Store
	away atomic.Bool
}

func (b *slowBucket) String() string { return "s3://b/x" }

func (b *slowBucket) Stat(ctx context.Context, _ string) (store.Object, error) {
	for b.away.Load() && ctx.Err() == nil {
		time.Sleep(time.Second)
	}
	if ctx.Err() != nil {
		return store.Object{}, ctx.Err()
	}
	return store.Object{}, fs.ErrNotExist
}

// People are told once that a bucket is away, and once that it is back.
func TestWatchStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &slowBucket{Store: store.Mem()}
		var words []string
		stop := watchStore(t.Context(), b, func(n sweep.Note) { words = append(words, n.Text) })
		time.Sleep(time.Minute)
		b.away.Store(true)
		time.Sleep(3 * time.Minute)
		b.away.Store(false)
		time.Sleep(time.Minute)
		stop()
		if got := strings.Join(words, "; "); got != "s3://b/x does not answer: fanout waits for it, for up to 4 min; s3://b/x answers again" {
			t.Errorf("%q", got)
		}
	})
}

// A directory is there.
func TestWatchStoreOfDirectory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := watchStore(t.Context(), store.Mem(), func(n sweep.Note) { t.Error(n.Text) })
		time.Sleep(time.Hour)
		stop()
	})
}

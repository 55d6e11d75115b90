package sweep

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"strings"

	"github.com/fanout-dev/fanout/internal/store"
)

// Collected lists the packs that earlier collects kept of what they read in
// notebooks. They are a cache: any of them may be gone at any time.
func (s *Sweep) Collected(ctx context.Context) iter.Seq2[store.Object, error] {
	return s.store.List(ctx, prefixCollected)
}

// KeepCollected stores a pack and returns its key. It is made of the digest, so
// that two collects at once do not disturb each other.
func (s *Sweep) KeepCollected(ctx context.Context, pack []byte) (key string, err error) {
	sum := sha256.Sum256(pack)
	key = prefixCollected + hex.EncodeToString(sum[:12]) + ".jsonl"
	return key, s.store.Put(ctx, key, pack, store.Cached)
}

// DropCollected removes a pack that others have made unnecessary.
func (s *Sweep) DropCollected(ctx context.Context, key string) error {
	return s.store.Delete(ctx, key)
}

// A Version tells one state of a stored notebook from another.
type Version struct {
	Size    int64 // bytes
	ModTime int64 // nanoseconds
}

// Versions are the notebooks that stand for runs, by run id.
func (s *Sweep) Versions(ctx context.Context) (map[string]Version, error) {
	versions := map[string]Version{}
	for o, err := range s.store.List(ctx, prefixRuns) {
		if err != nil {
			return nil, err
		}
		if id, ok := strings.CutSuffix(strings.TrimPrefix(o.Key, prefixRuns), ".ipynb"); ok {
			versions[id] = Version{o.Size, o.ModTime.UnixNano()}
		}
	}
	return versions, nil
}

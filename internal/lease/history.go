package lease

import (
	"cmp"
	"context"
	"encoding/json"
	"path"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/store"
)

// An Entry says who took the lease, or asked its holder to stop.
type Entry struct {
	Term   int  `json:"term"`
	Cancel bool `json:"cancel,omitempty"` // the holder was asked to stop
	Holder
}

// History is who took the lease and who asked its holders to stop, in the last n
// terms, oldest first. It is what they say of themselves: whoever may write to the
// store may write there. What cannot be read is left out.
func History(ctx context.Context, st store.Store, n int) ([]Entry, error) {
	newest, err := lastEpoch(ctx, st)
	if err != nil {
		return nil, err
	}
	var all []Entry
	for o, err := range st.List(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		name, cancel := strings.CutSuffix(path.Base(o.Key), ".cancel")
		term, ok, err := store.Number(o.Key, name)
		if !ok || err != nil || term <= newest-n {
			continue
		}
		e := Entry{Term: term, Cancel: cancel}
		if text, err := store.GetSmall(ctx, st, o.Key); err == nil && json.Unmarshal(text, &e.Holder) == nil {
			all = append(all, e)
		}
	}
	slices.SortStableFunc(all, func(a, b Entry) int { return cmp.Or(cmp.Compare(a.Term, b.Term), a.Since.Compare(b.Since)) })
	return all, nil
}

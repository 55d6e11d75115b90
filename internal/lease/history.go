package lease

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/store"
)

// An Entry says who took the lease, asked its holder to stop, or did something that needs
// no lease.
type Entry struct {
	Term   int  `json:"term"`             // 0 is of no term
	Cancel bool `json:"cancel,omitempty"` // the holder was asked to stop
	Holder
}

// deeds is where those are that need no lease, and maxDeeds how many are kept.
const (
	deeds    = "audit/"
	maxDeeds = 1000
	deedTime = "20060102T150405.000000000Z"
)

// Record leaves in the store who does what, by the Deed of the context, that needs no
// lease. The oldest records go.
func Record(ctx context.Context, st store.Store) error {
	text, err := signed(ctx)
	if err != nil {
		return err
	}
	for {
		err = st.Create(ctx, deeds+time.Now().UTC().Format(deedTime)+".json", text, store.Cached)
		if !errors.Is(err, fs.ErrExist) { // two at the same moment
			break
		}
	}
	if err != nil {
		return fmt.Errorf("say in %s who did this: %w", st, err)
	}
	keys, err := deedKeys(ctx, st)
	if err != nil || len(keys) <= maxDeeds {
		return nil // it is recorded
	}
	for _, key := range keys[:len(keys)-maxDeeds] {
		st.Delete(ctx, key)
	}
	return nil
}

// deedKeys are the keys of all records, oldest first.
func deedKeys(ctx context.Context, st store.Store) (keys []string, err error) {
	for o, err := range st.List(ctx, deeds) {
		if err != nil {
			return nil, err
		}
		name, is := strings.CutSuffix(strings.TrimPrefix(o.Key, deeds), ".json")
		if _, bad := time.Parse(deedTime, name); is && bad == nil {
			keys = append(keys, o.Key)
		}
	}
	slices.Sort(keys)
	return keys, nil
}

// recorded reads the last n records, oldest first.
func recorded(ctx context.Context, st store.Store, n int) (all []Entry, err error) {
	keys, err := deedKeys(ctx, st)
	for _, key := range keys[max(0, len(keys)-n):] {
		var e Entry
		if text, err := store.GetSmall(ctx, st, key); err == nil && json.Unmarshal(text, &e.Holder) == nil {
			all = append(all, e)
		}
	}
	return all, err
}

// History is who took the lease and who asked its holders to stop, in the last n
// terms, and the last n of those who did something without it, oldest first. It is what
// they say of themselves: whoever may write to the store may write there. What cannot be
// read is left out.
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
	more, err := recorded(ctx, st, n)
	return merge(all, more), err
}

// merge puts entries of no term where their time is among terms, whose order is their own.
func merge(terms, others []Entry) (all []Entry) {
	for _, e := range terms {
		for len(others) > 0 && others[0].Since.Before(e.Since) {
			all, others = append(all, others[0]), others[1:]
		}
		all = append(all, e)
	}
	return append(all, others...)
}

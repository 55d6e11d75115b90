package app

import (
	"context"
	"time"

	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// How often the bucket of a sweep is asked whether it is there, and how long it may
// take to answer before people are told.
const (
	askStoreEvery = 10 * time.Second
	storeAnswers  = 15 * time.Second
)

// watchStore tells people when the bucket of a sweep does not answer, and when it
// does again, until stop is called: what fanout does meanwhile is wait.
func watchStore(ctx context.Context, st store.Store, note func(sweep.Note)) (stop func()) {
	if !store.IsURL(st.String()) {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for away := false; ; {
			select {
			case <-ctx.Done():
				return
			case <-time.After(askStoreEvery):
			}
			answered := answers(ctx, st)
			if ctx.Err() != nil {
				return
			}
			switch {
			case !answered && !away:
				note(sweep.Note{Kind: sweep.NoteWord, Text: st.String() + " does not answer: fanout waits for it, for up to " + unit.Duration(store.Patience)})
			case answered && away:
				note(sweep.Note{Kind: sweep.NoteWord, Text: st.String() + " answers again"})
			}
			away = !answered
		}
	}()
	return func() { cancel(); <-done }
}

// answers reports whether the store says in time what is there.
func answers(ctx context.Context, st store.Store) bool {
	ctx, cancel := context.WithTimeout(ctx, storeAnswers)
	defer cancel()
	_, err := st.Stat(ctx, sweep.SummaryMarkdown)
	return err == nil || ctx.Err() == nil // there is no summary yet, or it is an answer of another kind
}

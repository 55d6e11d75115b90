// Package sweeptest makes sweeps of very many runs, for tests of those that read them.
package sweeptest

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/sweep/internal/journal"
	"github.com/fanout-dev/fanout/internal/sweep/internal/jsonl"
)

// logKey is that of a second writer in the first epoch.
const logKey = "log/000001/sweeptest.jsonl"

// An End is how a run ended, and the small scraps that it recorded. Where Outcome has no
// Start, End or Fingerprint, it gets those of a run of a second and a half that began a second
// after the one before it and is current.
type End struct {
	Outcome outcome.Outcome
	Scraps  map[string]json.RawMessage
}

// Fill writes what the log says of a first attempt at every run that end gives a status,
// all of it at once: 10,000 runs take a tenth of a second. There are no notebooks, so
// nothing that asks for those of these runs can be tested with it. s is planned; whoever
// opens its store afterwards knows what was filled in, and s itself does not.
func Fill(ctx context.Context, s *sweep.Sweep, end func(i int, st sweep.RunState) End) error {
	var records []journal.Record
	first := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i, st := range s.Runs() {
		e := end(i, st)
		if e.Outcome.Status == "" {
			continue
		}
		o := e.Outcome
		if o.Start.IsZero() {
			o.Start = first.Add(time.Duration(i) * time.Second)
		}
		if o.End.IsZero() {
			o.End = o.Start.Add(1500 * time.Millisecond)
		}
		if o.Fingerprint == (outcome.Fingerprint{}) {
			o.Fingerprint = s.Current(st.Run)
		}
		records = append(records,
			journal.Record{Began: &journal.Began{Run: st.Run.ID, Attempt: 1, At: o.Start, Host: "here"}},
			journal.Record{Ended: &journal.Ended{Run: st.Run.ID, Attempt: 1, Outcome: o, Scraps: journal.ScrapsOf(e.Scraps)}})
	}
	lines, err := jsonl.Encode(records)
	if err != nil {
		return fmt.Errorf("fill %s: %w", s.Where(), err)
	}
	log, err := s.Store().Append(ctx, logKey)
	if err != nil {
		return fmt.Errorf("fill %s: %w", s.Where(), err)
	}
	if _, err := log.Write(lines); err != nil {
		return fmt.Errorf("fill %s: %w", s.Where(), err)
	}
	return log.Close()
}

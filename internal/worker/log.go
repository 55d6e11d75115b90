package worker

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// ended is the last line of a log that is whole.
const ended = "the worker has ended\n"

// keepLog begins the log of the worker. A worker does not fail for its log.
func keepLog(ctx context.Context, s *sweep.Sweep, claim *sweep.Claim, o Options) (end func(error)) {
	d, err := claim.Diary(context.WithoutCancel(ctx))
	if err != nil {
		o.Say("the log of this worker is not kept: " + err.Error())
		return func(error) {}
	}
	o.Log(d)
	o.Say(fmt.Sprintf("fanout %s: shard %s of sweep %s, %s, %s", o.Version, claim.ID, s.Name(), s.Where(), o.name()))
	return func(err error) {
		if err != nil {
			fmt.Fprintln(d, unit.Complaint(err))
		}
		io.WriteString(d, ended)
		d.Close()
	}
}

// Logs passes on what the workers of the shards with these runs, or of all, have
// printed, as far as the sweep has it. It returns the shards of which it may lack
// something: their workers are at work, were killed, or are of an earlier version.
func Logs(ctx context.Context, s *sweep.Sweep, runs []string, show func(shard, text string)) (lacking []string, err error) {
	shards, err := s.ShardsOf(ctx, runs)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(shards, inOrder)
	for _, id := range shards {
		text, err := s.Stored(id).Diary(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the log of shard %s: %w", id, err)
		}
		if len(text) > 0 {
			show(id, string(text))
		}
		if !bytes.HasSuffix(text, []byte(ended)) {
			lacking = append(lacking, id)
		}
	}
	return lacking, nil
}

// words say for the log what happens to a run, named by its parameters.
func words(s *sweep.Sweep, n sweep.Note) string {
	switch {
	case n.Kind == sweep.NoteBegan:
		return n.Run + " began: " + s.RunName(n.Run)
	case n.Kind == sweep.NoteEnded && n.Outcome != nil:
		return strings.TrimSpace(n.Run + " " + n.Outcome.Status.Words() + " " + n.Outcome.Reason)
	case n.Kind == sweep.NoteWord:
		return n.Text
	}
	return ""
}

// inOrder compares ids of shards by lease and number.
func inOrder(a, b string) int {
	var of [2][2]int
	for i, id := range []string{a, b} {
		fmt.Sscanf(id, "%d-%d", &of[i][0], &of[i][1])
	}
	return slices.Compare(of[0][:], of[1][:])
}

package due_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/due"
	"github.com/fanout-dev/fanout/internal/fan/fantest"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

var parts = []string{"code", "files", "inputs"}

// sample has a run of every kind, in the order failed, canceled, timed out,
// succeeded, new, failed with other code, lost, stale, cut short.
func sample(t *testing.T) (*sweep.Sweep, []string) {
	t.Helper()
	s := fantest.NewSweep(t, store.Mem(), fantest.FakeMachine(), sweep.Settings{}, 9, fantest.Succeed)
	var ids []string
	for _, st := range s.Runs() {
		ids = append(ids, st.Run.ID)
	}
	end := func(i int, status outcome.Status, code string) {
		st, _ := s.Run(ids[i])
		a, err := s.Lease().Begin(t.Context(), ids[i], sweep.Began{})
		if err != nil {
			t.Fatal(err)
		}
		_, doc, err := s.TemplateOf(t.Context(), st.Run)
		if err != nil {
			t.Fatal(err)
		}
		f := s.Current(st.Run)
		f.Code += code
		if err := a.End(t.Context(), doc, outcome.Outcome{Status: status, Fingerprint: f}, nil); err != nil {
			t.Fatal(err)
		}
	}
	end(0, outcome.Failed, "")
	end(1, outcome.Canceled, "")
	end(2, outcome.TimedOut, "")
	end(3, outcome.Succeeded, "")
	end(5, outcome.Failed, "older")
	end(6, outcome.Lost, "")
	end(7, outcome.Succeeded, "older")
	if _, err := s.Lease().Begin(t.Context(), ids[8], sweep.Began{}); err != nil {
		t.Fatal(err)
	}
	return s, ids
}

func at(ids []string, places ...int) (out []string) {
	for _, i := range places {
		out = append(out, ids[i])
	}
	return out
}

func TestOf(t *testing.T) {
	s, ids := sample(t)
	for how, want := range map[due.Reprocess]struct {
		runs []string
		line string
	}{
		due.None:   {at(ids, 4, 8), "1 new, 7 kept, 1 cut short before"},
		due.Failed: {at(ids, 0, 1, 2, 4, 5, 6, 8), "1 new, 2 kept, 2 failed before, 1 timed out before, 1 canceled before, 1 lost before, 1 cut short before"},
		due.Stale:  {at(ids, 0, 1, 2, 4, 5, 6, 7, 8), "1 new, 1 kept, 2 failed before, 1 timed out before, 1 canceled before, 1 lost before, 1 cut short before, 1 stale (code)"},
		due.All:    {ids, "1 new, 2 failed before, 1 timed out before, 1 canceled before, 1 lost before, 1 cut short before, 1 stale (code), 1 to run again"},
	} {
		l := due.Of(s, how, parts)
		if d := cmp.Diff(want.runs, l.Runs); d != "" {
			t.Errorf("%s (-want +got):\n%s", how, d)
		}
		if l.String() != want.line {
			t.Errorf("%s: %s, want %s", how, l, want.line)
		}
	}
}

// New runs lead; what failed by itself and has not changed comes last, and is
// all that is known to fail.
func TestOrder(t *testing.T) {
	s, ids := sample(t)
	for how, want := range map[string][]string{
		"as-planned":   at(ids, 4, 1, 5, 6, 7, 8, 0, 2),
		"newest-first": at(ids, 8, 7, 6, 5, 4, 2, 1, 0),
	} {
		l := due.Of(s, due.Stale, parts)
		if err := l.Order(s, how); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, l.Runs); d != "" {
			t.Errorf("%s (-want +got):\n%s", how, d)
		}
		if d := cmp.Diff(map[string]bool{ids[0]: true, ids[2]: true}, l.Known()); d != "" {
			t.Errorf("known (-want +got):\n%s", d)
		}
	}
	l := due.Of(s, due.Stale, parts)
	if err := l.Order(s, "backwards"); err == nil {
		t.Error("an unknown order is taken")
	}
}

func TestAsked(t *testing.T) {
	s, ids := sample(t)
	l := due.Asked(s, at(ids, 3, 0), parts)
	if got := l.String(); got != "6 kept, 2 to run again, 1 new but not asked for" {
		t.Error(got)
	}
	for id, want := range map[string]string{ids[3]: "to run again", ids[0]: "failed before", ids[4]: "kept"} {
		if got := l.WhyOf(id); got != want {
			t.Errorf("%s: %s, want %s", id, got, want)
		}
	}
}

package runner

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/kernel"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
)

// TestVerdictTable says the truth table again, row by row, over every
// combination of what can be known.
func TestVerdictTable(t *testing.T) {
	startErr := errors.New("no kernel")
	exits := []*kernel.Exit{nil, {Signal: "killed", Code: -1}, {Signal: "killed", Code: -1, OOM: true, Reason: "limit"}, {Code: 0}}
	raises := []*notebook.Failure{nil, {Ename: "ValueError", Evalue: "x"}, {Ename: noStdin}}
	seen := map[string]int{}
	for _, stop := range []stop{notStopped, stopCancel, stopCell, stopRun, stopInput} {
		for _, start := range []error{nil, startErr} {
			for _, exit := range exits {
				for _, raised := range raises {
					for _, early := range []bool{false, true} {
						e := ending{start: start, stop: stop, exit: exit, raised: raised, early: early}
						status, kind := e.verdict()
						seen[fmt.Sprint(status, " ", kind)]++
						check := func(when bool, wantStatus outcome.Status, wantKind outcome.Kind) bool {
							if when && (status != wantStatus || kind != wantKind) {
								t.Errorf("%+v: %s %s, want %s %s", e, status, kind, wantStatus, wantKind)
							}
							return when
						}
						_ = check(stop == stopCancel, outcome.Canceled, outcome.Interrupted) ||
							check(stop == stopRun, outcome.TimedOut, outcome.RunTimeout) ||
							check(stop == stopCell, outcome.TimedOut, outcome.CellTimeout) ||
							check(start != nil, outcome.Failed, outcome.StartFailed) ||
							check(stop == stopInput, outcome.Failed, outcome.InputAsked) ||
							check(exit != nil && exit.OOM, outcome.Failed, outcome.OutOfMemory) ||
							check(exit != nil, outcome.Failed, outcome.KernelDied) ||
							check(raised != nil && raised.Ename == noStdin, outcome.Failed, outcome.InputAsked) ||
							check(raised != nil, outcome.Failed, outcome.Exception) ||
							check(e.early, outcome.Succeeded, outcome.EarlyExit) ||
							check(true, outcome.Succeeded, "")
						sentence := e.reason(kind, 3, Timeouts{Cell: time.Second, Run: time.Minute})
						if (sentence == "") != (kind == "") {
							t.Errorf("%+v: kind %q has the reason %q", e, kind, sentence)
						}
					}
				}
			}
		}
	}
	want := []string{"canceled interrupted", "failed exception", "failed input_asked", "failed kernel_died", "failed out_of_memory",
		"failed start_failed", "succeeded ", "succeeded early_exit", "timed_out cell_timeout", "timed_out run_timeout"}
	for _, w := range want {
		if seen[w] == 0 {
			t.Errorf("no ending is %s", w)
		}
	}
	if len(seen) != len(want) {
		t.Errorf("endings are %v, want %v", seen, want)
	}
}

func TestReason(t *testing.T) {
	limits := Timeouts{Start: time.Second, Cell: 10 * time.Minute, Run: time.Hour}
	for _, tc := range []struct {
		e    ending
		cell int
		want string
	}{
		{ending{stop: stopCancel}, 0, "stopped before its first cell"},
		{ending{stop: stopCancel}, 4, "stopped on request in cell 4"},
		{ending{stop: stopCell}, 2, "cell 2 took longer than 10m"},
		{ending{stop: stopRun}, 2, "the run took longer than 1h; it was in cell 2"},
		{ending{stop: stopInput}, 1, "cell 1 asked for input, and nobody can answer"},
		{ending{exit: &kernel.Exit{Code: -1, Signal: "killed"}}, 5, "the kernel died in cell 5: signal: killed"},
		{ending{raised: &notebook.Failure{Ename: "E", Evalue: "a\nb"}}, 3, "cell 3 raised E: a …"},
		{ending{start: errors.New("start kernel: no")}, 0, "start kernel: no"},
	} {
		_, kind := tc.e.verdict()
		if diff := cmp.Diff(tc.want, tc.e.reason(kind, tc.cell, limits)); diff != "" {
			t.Errorf("%s: %s", kind, diff)
		}
	}
	long := ending{raised: &notebook.Failure{Ename: "E", Evalue: strings.Repeat("é", 10_000)}}.reason(outcome.Exception, 1, limits)
	if len(long) > 600 || strings.ContainsRune(long, '\uFFFD') {
		t.Errorf("a long message is %d bytes", len(long))
	}
}

package progress

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// chained is the progress of three steps: runs are named by their step and a
// number.
func chained() *progress {
	return newProgress(Work{
		Runs: 9, Name: func(run string) string { return run },
		Step:  func(run string) string { step, _, _ := strings.Cut(run, " "); return step },
		Steps: []Step{{Name: "extract", Due: 5}, {Name: "report", Due: 4}, {Name: "world", Kept: 2}},
	})
}

func (p *progress) tell(kind sweep.NoteKind, status outcome.Status, runs ...string) {
	for _, run := range runs {
		n := sweep.Note{Kind: kind, Run: run}
		if status != "" {
			n.Outcome = &outcome.Outcome{Status: status}
		}
		p.note(n)
	}
}

// steps are the lines of the steps as the view has them.
func (p *progress) steps() []string { return p.view(200, 0)[2:][:len(p.stages)] }

// TestSteps: a line for each step says how its runs go, and for whom they wait.
func TestSteps(t *testing.T) {
	p := chained()
	check := func(counts string, want ...string) {
		t.Helper()
		if d := cmp.Diff(want, p.steps()); d != "" {
			t.Error(d)
		}
		if got := p.line(); !strings.HasPrefix(got, counts) {
			t.Errorf("it says %q, want %q", got, counts)
		}
	}
	check("0/9 done",
		"  extract  ····················     0/5",
		"  report   ····················     0/4",
		"  world                          2 kept")
	p.tell(sweep.NoteBegan, "", "extract 1", "extract 2", "extract 3", "extract 3")
	p.tell(sweep.NoteEnded, outcome.Succeeded, "extract 1")
	p.tell(sweep.NoteEnded, outcome.Failed, "extract 2")
	p.tell(sweep.NoteEnded, "", "extract 3") // it was put back
	p.tell(sweep.NoteBegan, "", "report 1")
	p.note(sweep.Note{Kind: sweep.NoteBlock, Run: "report 2", Text: "needs extract 9: failed"})
	for _, run := range []string{"report 3", "report 4"} {
		p.note(sweep.Note{Kind: sweep.NoteBlock, Run: run, Text: "needs extract 2: failed, KeyError"})
	}
	check("2/9 done, 1 running, 1 failed, 3 blocked",
		"  extract  ████▒▒▒▒············     2/5  1 failed",
		"  report   ░░░░░░░░░░░░░░░·····     0/4  1 running, 3 blocked: needs extract 2: failed, KeyError, and 1 other reason",
		"  world                          2 kept")

	// A retry replaces what it repeats, and a run that stood may become due.
	p.tell(sweep.NoteBegan, "", "extract 2")
	p.tell(sweep.NoteEnded, outcome.Succeeded, "extract 2", "extract 3", "extract 4", "extract 5")
	p.tell(sweep.NoteDue, "", "world 1")
	check("5/10 done, 1 running, 3 blocked",
		"  extract  ████████████████████  5/5",
		"  report   ░░░░░░░░░░░░░░░·····  0/4  1 running, 3 blocked: needs extract 2: failed, KeyError, and 1 other reason",
		"  world    ····················  0/1")
}

// TestManySteps: what is finished makes room, and a view is no higher than its
// terminal.
func TestManySteps(t *testing.T) {
	w := Work{Name: func(run string) string { return run }, Step: func(run string) string { return run }}
	for i := range 20 {
		w.Steps = append(w.Steps, Step{Name: string(rune('a' + i)), Due: 1})
	}
	p := newProgress(w)
	p.tell(sweep.NoteEnded, outcome.Succeeded, "a", "b")
	p.tell(sweep.NoteBegan, "", "c", "d", "e", "f", "g")
	view := p.view(80, 20)
	if len(view) > 19 || !strings.HasPrefix(view[2], "  c  ") || view[14] != "  … and 8 more steps" || view[len(view)-1] != "  … and 2 more" {
		t.Errorf("the view is\n%s", strings.Join(view, "\n"))
	}
}

// TestBar: what there is is seen, and only what is finished is full.
func TestBar(t *testing.T) {
	for _, c := range []struct {
		done, failed, blocked, total int
		want                         string
	}{
		{0, 0, 0, 9, "··········"},
		{8, 0, 0, 9, "████████··"},
		{9, 0, 0, 9, "██████████"},
		{18, 1, 0, 18, "█████████▒"},
		{999, 1, 0, 1000, "████████▒·"},
		{2, 1, 1, 1000, "▒░········"},
		{3, 2, 7, 10, "█▒▒░░░░░░░"},
		{3, 3, 0, 3, "▒▒▒▒▒▒▒▒▒▒"},
	} {
		if got := bar(c.done, c.failed, c.blocked, c.total, 10); got != c.want {
			t.Errorf("%+v is %s", c, got)
		}
	}
}

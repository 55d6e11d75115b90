package progress

import (
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// progress is the state that people see while runs execute: counts, rate, time
// left and what each slot does. It is fed with notes and read by painters.
type progress struct {
	mu      sync.Mutex
	total   int // runs of this invocation
	ended   map[outcome.Status]int
	settled map[string]outcome.Status
	slots   map[string]*slot // by run
	blocked int              // runs that cannot begin
	began   time.Time
	name    func(run string) string
	step    func(run string) string // nil without steps
	stages  []*stage
}

// slot is a run in progress.
type slot struct {
	run         string
	where       string // who executes it elsewhere
	attempt     int
	cell, cells int
	since       time.Time
}

func newProgress(w Work) *progress {
	return &progress{
		total: w.Runs, name: w.Name, step: w.Step, stages: newStages(w.Steps), began: time.Now(),
		ended: map[outcome.Status]int{}, settled: map[string]outcome.Status{}, slots: map[string]*slot{},
	}
}

func (p *progress) note(n sweep.Note) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch n.Kind {
	case sweep.NoteGrew:
		p.total += n.Runs
	case sweep.NoteDue:
		p.joined(n.Run)
	case sweep.NoteBlock:
		p.block(n.Run, n.Text)
	case sweep.NoteBegan:
		p.leave(n.Run)
		if s := p.stageOf(n.Run); s != nil {
			s.running++
		}
		p.slots[n.Run] = &slot{run: n.Run, where: n.Where, attempt: n.Attempt, since: time.Now()}
	case sweep.NoteCell:
		if s := p.slots[n.Run]; s != nil {
			s.cell, s.cells = n.Cell, n.Cells
		}
	case sweep.NoteEnded:
		p.leave(n.Run)
		if n.Outcome != nil {
			p.end(n.Run, n.Outcome.Status)
		}
	}
}

// leave says that a run executes no more.
func (p *progress) leave(run string) {
	if p.slots[run] == nil {
		return
	}
	delete(p.slots, run)
	if s := p.stageOf(run); s != nil {
		s.running--
	}
}

// end counts how a run ended, instead of how it ended before.
func (p *progress) end(run string, status outcome.Status) {
	all := []map[outcome.Status]int{p.ended}
	if s := p.stageOf(run); s != nil {
		all = append(all, s.ended)
	}
	was, again := p.settled[run]
	for _, ended := range all {
		if again {
			ended[was]--
		}
		ended[status]++
	}
	p.settled[run] = status
}

// line is the state in one line.
func (p *progress) line() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts()
}

func (p *progress) counts() string {
	done := len(p.settled)
	parts := []string{fmt.Sprintf("%d/%d done", done, p.total)}
	if n := len(p.slots); n > 0 {
		parts = append(parts, fmt.Sprintf("%d running", n))
	}
	for _, s := range outcome.Statuses() {
		if s != outcome.Succeeded && p.ended[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.ended[s], s.Words()))
		}
	}
	if p.blocked > 0 {
		parts = append(parts, fmt.Sprintf("%d blocked", p.blocked))
	}
	if done == 0 {
		return strings.Join(parts, ", ")
	}
	took := time.Since(p.began)
	parts = append(parts, rate(float64(done)/took.Seconds()))
	if left := p.total - done - p.blocked; left > 0 {
		parts = append(parts, "about "+unit.Duration(took/time.Duration(done)*time.Duration(left))+" left")
	}
	return strings.Join(parts, ", ")
}

// rate is in runs per second, minute or hour, whichever reads best.
func rate(perSecond float64) string {
	switch {
	case perSecond >= 1:
		return fmt.Sprintf("%.1f runs/s", perSecond)
	case perSecond*60 >= 1:
		return fmt.Sprintf("%.1f runs/min", perSecond*60)
	}
	return fmt.Sprintf("%.1f runs/h", perSecond*3600)
}

// maxSlots is how many slots the live view shows.
const maxSlots = 12

// view is the state in several lines of at most width columns, and of at most
// height where that is known.
func (p *progress) view(width, height int) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	lines := []string{bar(len(p.settled), p.failures(), p.blocked, p.total, min(width-2, 60)), p.counts()}
	lines = append(lines, p.stageLines(width)...)
	most := maxSlots
	if height > 0 {
		most = max(1, min(most, height-len(lines)-2))
	}
	slots := make([]*slot, 0, len(p.slots))
	for _, s := range p.slots {
		slots = append(slots, s)
	}
	sort.Slice(slots, func(i, j int) bool { return slots[i].since.Before(slots[j].since) })
	for i, s := range slots {
		if i == most {
			lines = append(lines, fmt.Sprintf("  … and %d more", len(slots)-most))
			break
		}
		lines = append(lines, p.slotLine(s))
	}
	return lines
}

func (p *progress) slotLine(s *slot) string {
	where := "starting a kernel"
	if s.cells > 0 {
		where = fmt.Sprintf("cell %d of %d", s.cell, s.cells)
	}
	again := ""
	if s.attempt > 1 {
		again = fmt.Sprintf(", attempt %d", s.attempt)
	}
	line := fmt.Sprintf("  %s  %s  %s%s", p.name(s.run), where, unit.Duration(time.Since(s.since)), again)
	if s.where != "" {
		line += "  " + s.where
	}
	return line
}

func (p *progress) failures() int {
	n := 0
	for s, k := range p.ended {
		if s != outcome.Succeeded {
			n += k
		}
	}
	return n
}

// bar draws how many of total are done, and how many of those failed, and how many
// are blocked. What there is has a column at least, and the bar is full when nothing
// is left.
func bar(done, failed, blocked, total, width int) string {
	if total == 0 || width < 4 {
		return ""
	}
	columns := func(n int) int {
		if n == 0 {
			return 0
		}
		return max(1, n*width/total)
	}
	bad, out := columns(failed), columns(blocked)
	good := width - bad - out
	if done+blocked < total {
		good = max(0, min((done-failed)*width/total, good-1))
	}
	return strings.Repeat("█", good) + strings.Repeat("▒", bad) + strings.Repeat("░", out) + strings.Repeat("·", width-good-bad-out)
}

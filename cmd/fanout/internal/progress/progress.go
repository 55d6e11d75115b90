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
	began   time.Time
	name    func(run string) string
}

// slot is a run in progress.
type slot struct {
	run         string
	where       string // who executes it elsewhere
	attempt     int
	cell, cells int
	since       time.Time
}

func newProgress(total int, name func(string) string) *progress {
	return &progress{
		total: total, name: name, began: time.Now(),
		ended: map[outcome.Status]int{}, settled: map[string]outcome.Status{}, slots: map[string]*slot{},
	}
}

func (p *progress) note(n sweep.Note) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch n.Kind {
	case sweep.NoteGrew:
		p.total += n.Runs
	case sweep.NoteBegan:
		p.slots[n.Run] = &slot{run: n.Run, where: n.Where, attempt: n.Attempt, since: time.Now()}
	case sweep.NoteCell:
		if s := p.slots[n.Run]; s != nil {
			s.cell, s.cells = n.Cell, n.Cells
		}
	case sweep.NoteEnded:
		delete(p.slots, n.Run)
		if n.Outcome == nil {
			return
		}
		if was, again := p.settled[n.Run]; again {
			p.ended[was]--
		}
		p.settled[n.Run] = n.Outcome.Status
		p.ended[n.Outcome.Status]++
	}
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
	if done == 0 {
		return strings.Join(parts, ", ")
	}
	took := time.Since(p.began)
	parts = append(parts, rate(float64(done)/took.Seconds()))
	if left := p.total - done; left > 0 {
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

// view is the state in several lines of at most width columns.
func (p *progress) view(width int) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	lines := []string{bar(len(p.settled), p.failures(), p.total, min(width-2, 60)), p.counts()}
	slots := make([]*slot, 0, len(p.slots))
	for _, s := range p.slots {
		slots = append(slots, s)
	}
	sort.Slice(slots, func(i, j int) bool { return slots[i].since.Before(slots[j].since) })
	for i, s := range slots {
		if i == maxSlots {
			lines = append(lines, fmt.Sprintf("  … and %d more", len(slots)-maxSlots))
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

// bar draws done and failed parts of total.
func bar(done, failed, total, width int) string {
	if total == 0 || width < 4 {
		return ""
	}
	good := (done - failed) * width / total
	bad := 0
	if failed > 0 {
		bad = max(1, failed*width/total)
	}
	good = min(good, width-bad)
	return strings.Repeat("█", good) + strings.Repeat("▒", bad) + strings.Repeat("·", width-good-bad)
}

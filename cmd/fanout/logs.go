package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// logsFlags say what of a sweep's output to print.
type logsFlags struct {
	follow, results, workers bool
	attempt                  int
	where                    string
}

func (c *cli) logsCommand() *cobra.Command {
	var f logsFlags
	cmd := &cobra.Command{
		Use:   "logs DIR.sweep [RUN…]",
		Short: "Print what the cells print, also while runs are made",
		Long: `Logs prints what the cells of runs printed, the tracebacks of those that failed,
and what their kernels printed outside the cells: of every run, or of those that
are named by their ids, by as many of their first characters as it takes. One
run that is named is printed as it is, several have the run's name before each
line. It reads the sweep alone, so it does not matter where the runs are made.

A line that is overwritten, as progress bars are, is printed once, as it ended.

` + whereHelp,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.logs(cmd.Context(), args[0], args[1:], f)
		},
	}
	fl := cmd.Flags()
	fl.BoolVarP(&f.follow, "follow", "f", false, "go on as runs print more, until they ended")
	fl.IntVar(&f.attempt, "attempt", 0, "this attempt at each run (default: the last)")
	fl.StringVar(&f.where, "where", "", "only runs for which this expression is true")
	fl.BoolVar(&f.results, "results", false, "also results and displays that have a text form")
	fl.BoolVar(&f.workers, "workers", false, "what the workers on a cluster said, while the cluster has it")
	fl.BoolVar(&c.json, "json", false, "one JSON object a line")
	return cmd
}

func (c *cli) logs(ctx context.Context, dir string, names []string, f logsFlags) error {
	if f.follow {
		if err := c.awaitPlan(ctx, dir); err != nil {
			return err
		}
	}
	s, err := c.app.OpenPlanned(ctx, dir)
	if err != nil {
		return err
	}
	named, err := query.Resolve(s, names)
	if err != nil {
		return err
	}
	if f.workers {
		return c.workerLogs(ctx, s, named, f)
	}
	keep, err := query.Filter(s, f.where)
	if err != nil {
		return fmt.Errorf("--where: %w", err)
	}
	t := &tail{cli: c, sweep: s, logsFlags: f, named: named, keep: keep, reels: map[string]*reel{}}
	if f.follow {
		err = t.follow(ctx)
	} else {
		err = t.round(ctx)
	}
	if ctx.Err() != nil {
		return errIncomplete // stopped by a signal, which is the exit code
	}
	if err == nil && t.lines == 0 {
		fmt.Fprintln(c.stderr, "nothing was printed")
	}
	return err
}

// awaitPlan waits until a sweep that is there is planned: a fanout that begins
// may not have come so far.
func (c *cli) awaitPlan(ctx context.Context, dir string) error {
	for told := false; ; told = true {
		s, err := c.app.Open(ctx, dir)
		if err != nil {
			return err
		}
		if _, planned := s.Head(); planned {
			return nil
		}
		if !told {
			fmt.Fprintln(c.stderr, "fanout: nothing is planned yet; waiting for it")
		}
		select {
		case <-ctx.Done():
			return errIncomplete
		case <-time.After(followEvery):
		}
	}
}

// tail prints what runs print.
type tail struct {
	*cli
	logsFlags
	sweep *sweep.Sweep
	named []string // run ids; none is all
	keep  func(sweep.RunState) (bool, error)
	reels map[string]*reel // by run
	again bool             // this is not the first round
	lines int              // printed
}

// reel is how far the output of a run has been printed.
type reel struct {
	attempt int
	ended   bool // and printed to its end
	known   store.Object
	shown   map[channel][]string // lines of the attempt
}

// channel is one stream of one cell.
type channel struct {
	cell   int
	stream string
}

// followEvery is how often a sweep is looked at.
const followEvery = time.Second

// follow prints what is new until nothing more can come.
func (t *tail) follow(ctx context.Context) error {
	f := t.sweep.Follow()
	for {
		if err := f.Read(ctx); err != nil {
			return err
		}
		quiet := t.quiet(ctx)
		if quiet { // what was written before it became so
			if err := f.Read(ctx); err != nil {
				return err
			}
		}
		if err := t.round(ctx); err != nil || quiet || t.over() {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(followEvery):
		}
	}
}

// quiet reports whether nobody is at work on the sweep: runs of this machine
// die with the fanout that makes them, those of workers do not.
func (t *tail) quiet(ctx context.Context) bool {
	if _, held := t.sweep.Held(ctx); held {
		return false
	}
	return !slices.ContainsFunc(t.sweep.Runs(), func(st sweep.RunState) bool {
		return t.wanted(st) && st.Began != nil && st.Began.Worker != ""
	})
}

// over reports whether every run that was named has ended.
func (t *tail) over() bool {
	for _, id := range t.named {
		st, _ := t.sweep.Run(id)
		if r := t.reels[id]; r == nil || !r.ended || t.attempt == 0 && r.attempt < st.Attempts {
			return false
		}
	}
	return len(t.named) > 0
}

func (t *tail) wanted(st sweep.RunState) bool {
	if len(t.named) > 0 {
		return slices.Contains(t.named, st.Run.ID)
	}
	return !st.Run.Unplanned
}

// round prints what is new of every run, in the order of the plan.
func (t *tail) round(ctx context.Context) error {
	for _, st := range t.sweep.Runs() {
		r, err := t.reel(st)
		if err != nil {
			return err
		}
		if r == nil {
			continue
		}
		if err := t.run(ctx, st, r); err != nil {
			return err
		}
	}
	t.again = true
	return nil
}

// reel finds how far a run has been printed; nil is not to be printed.
func (t *tail) reel(st sweep.RunState) (*reel, error) {
	if r := t.reels[st.Run.ID]; r != nil || !t.wanted(st) || st.Attempts == 0 {
		return r, nil
	}
	ok, err := t.keep(st)
	if err != nil || !ok {
		return nil, err
	}
	r := &reel{attempt: st.Attempts, shown: map[channel][]string{}}
	if t.again {
		r.attempt = 1 // all of them are new
	}
	if t.attempt > 0 {
		r.attempt = t.attempt
	}
	t.reels[st.Run.ID] = r
	return r, nil
}

// run prints what is new of a run, attempt by attempt.
func (t *tail) run(ctx context.Context, st sweep.RunState, r *reel) error {
	for {
		if !r.ended {
			if err := t.print(ctx, st, r); err != nil {
				return err
			}
		}
		if !r.ended || t.attempt > 0 || r.attempt >= st.Attempts {
			return nil
		}
		*r = reel{attempt: r.attempt + 1, shown: map[channel][]string{}}
		if !t.json {
			fmt.Fprintf(t.stderr, "fanout: %s: attempt %d\n", t.sweep.RunName(st.Run.ID), r.attempt)
		}
	}
}

// print prints what is new of one attempt.
func (t *tail) print(ctx context.Context, st sweep.RunState, r *reel) error {
	saved, err := t.sweep.Saved(ctx, st.Run.ID, r.attempt, r.known)
	if errors.Is(err, fs.ErrNotExist) {
		return t.missing(st, r)
	}
	if err != nil {
		return err
	}
	r.known, r.ended = saved.Object, saved.Ended
	if saved.Text != nil {
		doc, err := notebook.Decode(saved.Text)
		if err != nil {
			return fmt.Errorf("read %s: %w", saved.Object.Key, err)
		}
		open := t.logsFlags.follow && !saved.Ended
		t.printNew(st, r, linesOf(doc.Prints(t.results), open))
	}
	if !saved.Ended {
		return nil
	}
	r.shown = nil
	log, err := t.sweep.Store().Get(ctx, sweep.LogKey(st.Run.ID, r.attempt))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for line := range strings.Lines(string(log)) {
		t.say(st, r, channel{stream: "kernel"}, overtyped(line))
	}
	return err
}

// missing is an attempt without a notebook: it has just begun, was removed, or
// has never been.
func (t *tail) missing(st sweep.RunState, r *reel) error {
	switch {
	case st.Began != nil && st.Began.Attempt <= r.attempt:
		return nil
	case t.attempt > st.Attempts && len(t.named) > 0 && !t.logsFlags.follow:
		return unit.Mistake(unit.WithHint(fmt.Errorf("run %s has %s, there is no %d", st.Run.ID, unit.Plural(st.Attempts, "attempt"), t.attempt),
			"fanout show %s %s lists them", unit.Quote(unit.Path(t.sweep.Where())), st.Run.ID))
	}
	r.ended = t.attempt <= st.Attempts
	return nil
}

// printNew prints the lines that differ from those that were printed before,
// stream by stream: output is taken back where a cell clears it.
func (t *tail) printNew(st sweep.RunState, r *reel, lines []line) {
	now := map[channel][]string{}
	for _, l := range lines {
		now[l.channel] = append(now[l.channel], l.text)
	}
	at := map[channel]int{}
	for _, l := range lines {
		if at[l.channel] >= common(r.shown[l.channel], now[l.channel]) {
			t.say(st, r, l.channel, l.text)
		}
		at[l.channel]++
	}
	r.shown = now
}

// common is how many lines two texts begin with alike.
func common(a, b []string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// say prints one line of a run.
func (t *tail) say(st sweep.RunState, r *reel, ch channel, text string) {
	t.lines++
	switch {
	case t.json:
		enc := json.NewEncoder(t.stdout)
		enc.SetEscapeHTML(false)
		enc.Encode(event{Event: "log", Run: st.Run.ID, Attempt: r.attempt, Cell: ch.cell, Stream: ch.stream, Text: text})
	case len(t.named) == 1:
		fmt.Fprintln(t.stdout, printable(text))
	default:
		fmt.Fprintf(t.stdout, "%s: %s\n", t.sweep.RunName(st.Run.ID), printable(text))
	}
}

// line is a line that a cell printed.
type line struct {
	channel
	text string
}

// linesOf divides what cells printed into lines. While the attempt is open, a
// line that may still grow is left out.
func linesOf(prints []notebook.Print, open bool) []line {
	last := map[channel]int{} // which print is the last of its stream
	for i, p := range prints {
		last[channel{p.Cell, p.Stream}] = i
	}
	var lines []line
	for i, p := range prints {
		ch := channel{p.Cell, p.Stream}
		grows := open && last[ch] == i && p.Cell == prints[len(prints)-1].Cell
		for text := range strings.Lines(p.Text) {
			if grows && !strings.HasSuffix(text, "\n") {
				break
			}
			lines = append(lines, line{ch, overtyped(text)})
		}
	}
	return lines
}

// overtyped is what can be read of a line in the end: a carriage return begins
// it anew.
func overtyped(text string) string {
	text = strings.TrimRight(text, "\r\n")
	return text[strings.LastIndexByte(text, '\r')+1:]
}

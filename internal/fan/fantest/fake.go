package fantest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/fan"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// Fake is an executor without kernels, processes or files, which obeys the
// contract as the real ones do. A cell's source is a Deed; those that need a
// process or a file do nothing.
type Fake struct {
	Sweep  *sweep.Sweep
	Limit  fan.Limits
	Before func(ctx context.Context, run sweep.Run, attempt int) error // called before each attempt; may be nil
	CPU    time.Duration                                               // of each attempt
	Deed   func(run sweep.Run, attempt int, d Deed) Deed               // replaces a deed for one attempt; may be nil
}

// FakeMachine is the Fake for the suite.
func FakeMachine() Machine {
	cells := map[Deed]string{}
	for _, d := range []Deed{Succeed, Glue, Raise, Die, Hang, HangHard, ExitZero, WriteFile, Overwrite, Grandchild, Unicode, Large} {
		cells[d] = string(d)
	}
	return Machine{
		Name: "fake", Kernelspec: "fake", Language: "deeds", Cells: cells,
		New: func(_ *testing.T, s *sweep.Sweep) fan.Executor {
			return &Fake{Sweep: s, Limit: fan.Limits{PerShard: 1}}
		},
	}
}

// Limits returns Limit.
func (f *Fake) Limits() fan.Limits { return f.Limit }

// Execute executes the runs of the shard one after the other. A remote Fake stores
// the shard, leaves it when it is recalled, and closes it.
func (f *Fake) Execute(ctx context.Context, shard sweep.Shard, note func(sweep.Note)) error {
	if !f.Limit.Remote {
		return f.execute(ctx, shard, note)
	}
	if _, err := f.Sweep.Lease().PutShard(context.WithoutCancel(ctx), shard); err != nil {
		return err
	}
	return errors.Join(f.execute(ctx, shard, note), f.Sweep.Stored(shard.ID).Close(context.WithoutCancel(ctx)))
}

func (f *Fake) execute(ctx context.Context, shard sweep.Shard, note func(sweep.Note)) error {
	for _, id := range shard.Runs {
		recalled, _, err := f.Sweep.Stored(shard.ID).Recalled(context.WithoutCancel(ctx))
		if recalled || err != nil || ctx.Err() != nil {
			return err
		}
		st, _ := f.Sweep.Run(id)
		if err := f.attempt(ctx, st, note); err != nil {
			return err
		}
	}
	return nil
}

func (f *Fake) attempt(ctx context.Context, st sweep.RunState, note func(sweep.Note)) error {
	run := st.Run
	if f.Before != nil {
		if err := f.Before(ctx, run, st.Attempts+1); err != nil {
			return err
		}
	}
	a, err := f.Sweep.Lease().Begin(context.WithoutCancel(ctx), run.ID, sweep.Began{Host: "fake"})
	if err != nil {
		return err
	}
	note(sweep.Note{Kind: sweep.NoteBegan, Run: run.ID, Attempt: a.Attempt})
	_, doc, err := f.Sweep.TemplateOf(ctx, run)
	if err != nil {
		return err
	}
	var args []notebook.Argument
	for _, p := range run.Params {
		args = append(args, notebook.Argument{Name: p.Name, Value: p.Value.Any()})
	}
	if _, err := doc.Prepare(notebook.PrepareOptions{Args: args, Language: "python"}); err != nil {
		return err
	}
	o := f.walk(ctx, doc, run, a.Attempt, note)
	err = a.End(context.WithoutCancel(ctx), doc, o, nil)
	if errors.Is(err, sweep.ErrEnded) {
		return nil // what the sweep has counts
	}
	if err != nil {
		return err
	}
	note(sweep.Note{Kind: sweep.NoteEnded, Run: run.ID, Attempt: a.Attempt, Outcome: &o})
	return nil
}

// walk does the deeds of every cell until one ends the notebook.
func (f *Fake) walk(ctx context.Context, doc *notebook.Notebook, run sweep.Run, attempt int, note func(sweep.Note)) outcome.Outcome {
	o := outcome.Outcome{Status: outcome.Succeeded, Start: time.Now().UTC(), CPU: f.CPU, Fingerprint: f.Sweep.Current(run)}
	limits := f.Sweep.SettingsOf(run)
	for i, c := range doc.Cells {
		note(sweep.Note{Kind: sweep.NoteCell, Run: run.ID, Attempt: attempt, Cell: doc.CodeCell(i), Cells: doc.CodeCells()})
		d := Deed(strings.TrimSpace(c.Source))
		if f.Deed != nil {
			d = f.Deed(run, attempt, d)
		}
		doc.BeginCell(i, time.Now())
		end := f.do(ctx, d, c, run, limits)
		doc.EndCell(i, time.Now())
		if end.Status != "" {
			o.Status, o.Kind, o.Reason, o.Ename, o.Evalue = end.Status, end.Kind, end.Reason, end.Ename, end.Evalue
			if o.Status != outcome.Succeeded {
				o.Cell = doc.CodeCell(i)
			}
			break
		}
	}
	o.End = time.Now().UTC()
	return o
}

// do does one deed; an outcome with a status ends the notebook.
func (f *Fake) do(ctx context.Context, d Deed, c *notebook.Cell, run sweep.Run, limits sweep.Settings) outcome.Outcome {
	print := func(text string) {
		c.Outputs = append(c.Outputs, notebook.Output{Type: "stream", Name: "stdout", Text: text})
	}
	switch d {
	case Succeed:
		print("hello\n")
	case Overwrite:
		print(Beside + "\nmine\n" + Frozen + "\nmine\n")
	case Unicode:
		print(UnicodeText + "\n")
	case Large:
		print(strings.Repeat("x", 5_000_000))
	case Glue:
		x := run.Params[0].Value.String()
		c.Outputs = append(c.Outputs, scrapOf("y", x))
	case Raise:
		c.Outputs = append(c.Outputs, notebook.Output{Type: "error", Ename: "ValueError", Evalue: "no good", Traceback: []string{"ValueError: no good"}})
		return outcome.Outcome{Status: outcome.Failed, Kind: outcome.Exception, Reason: "ValueError: no good", Ename: "ValueError", Evalue: "no good"}
	case Die:
		return outcome.Outcome{Status: outcome.Failed, Kind: outcome.KernelDied, Reason: "the kernel died (signal: killed)"}
	case ExitZero:
		return outcome.Outcome{Status: outcome.Succeeded, Kind: outcome.EarlyExit}
	case Hang, HangHard:
		return hang(ctx, limits)
	}
	return outcome.Outcome{}
}

// hang waits for a limit or the end of the context.
func hang(ctx context.Context, limits sweep.Settings) outcome.Outcome {
	cell, run := after(limits.CellTimeout), after(limits.RunTimeout)
	select {
	case <-ctx.Done():
		kind := outcome.Interrupted
		if k, ok := context.Cause(ctx).(interface{ ReasonKind() outcome.Kind }); ok {
			kind = k.ReasonKind()
		}
		return outcome.Outcome{Status: outcome.Canceled, Kind: kind, Reason: "canceled"}
	case <-cell:
		return outcome.Outcome{Status: outcome.TimedOut, Kind: outcome.CellTimeout, Reason: "the cell took too long"}
	case <-run:
		return outcome.Outcome{Status: outcome.TimedOut, Kind: outcome.RunTimeout, Reason: "the run took too long"}
	}
}

// after is a timer that never fires for a limit of zero.
func after(d time.Duration) <-chan time.Time {
	if d == 0 {
		return nil
	}
	return time.After(d)
}

// scrapOf is the output of a glued value, in scrapbook's JSON form.
func scrapOf(name, value string) notebook.Output {
	text := json.RawMessage(fmt.Sprintf(`{"name":%q,"data":%s,"encoder":"json","version":1}`, name, value))
	return notebook.Output{
		Type:     "display_data",
		Data:     map[string]json.RawMessage{"application/scrapbook.scrap.json+json": text},
		Metadata: map[string]any{"scrapbook": map[string]any{"name": name, "data": true, "display": false}},
	}
}

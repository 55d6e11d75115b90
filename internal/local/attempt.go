package local

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"time"

	"github.com/fanout-dev/fanout/internal/kernel"
	"github.com/fanout-dev/fanout/internal/local/internal/exit"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/runner"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

// attempt executes one attempt at a run, from its record to its end.
func (e *executor) attempt(ctx context.Context, st sweep.RunState, notes exit.Notes) error {
	run := st.Run
	template, doc, err := e.sweep.TemplateOf(ctx, run)
	if err != nil {
		return fmt.Errorf("execute run %s: %w", run.ID, err)
	}
	workdir, err := e.kernels.workdir(run, template, st.Attempts+1)
	if err != nil {
		return fmt.Errorf("execute run %s: %w", run.ID, err)
	}
	defer e.kernels.release(workdir)
	upstream := e.sweep.Current(run).Upstream
	fed, refused, err := e.feed(ctx, run, workdir)
	if err != nil {
		return fmt.Errorf("execute run %s: %w", run.ID, err)
	}
	began, err := e.exit.Begin(ctx, e.sweep.Lease(), run.ID, sweep.Began{Host: e.machine.host, Boot: e.machine.boot, Place: e.place})
	if err != nil {
		return err
	}
	a := &attempt{
		Attempt: began, executor: e, run: run, template: template, workdir: workdir, notes: notes,
		before: st, ctx: context.WithoutCancel(ctx), upstream: upstream, fed: fed, load: e.machine.load(),
	}
	a.note(sweep.Note{Kind: sweep.NoteBegan})
	if refused != nil {
		return a.unprepared(doc, refused)
	}
	return a.execute(ctx, doc)
}

// feed gives a run what it needs of others.
func (e *executor) feed(ctx context.Context, run sweep.Run, w *workdir) (args []value.Binding, refused, err error) {
	if e.o.Feed == nil || len(e.sweep.Needed(run.ID)) == 0 {
		return nil, nil, nil
	}
	if waits := e.sweep.Waits(run.ID); waits != "" {
		return nil, errors.New(waits), nil // it was begun by hand, or the sweep has changed
	}
	w.fed = true
	return e.o.Feed(ctx, e.sweep, run, w.dir)
}

// An attempt is one running try at a run. It is the runner's sink.
type attempt struct {
	*exit.Attempt
	*executor
	run      sweep.Run
	template sweep.Template
	workdir  *workdir
	notes    exit.Notes
	before   sweep.RunState
	load     float64         // of the machine as it began
	upstream string          // digest of what it is fed
	fed      []value.Binding // parameters computed from that
	ctx      context.Context // outlives the run's: the outcome is recorded in any case
}

func (a *attempt) note(n sweep.Note) {
	n.Run, n.Attempt = a.run.ID, a.Number()
	a.notes.Note(n)
}

// execute prepares the document, executes it and records the outcome.
func (a *attempt) execute(ctx context.Context, doc *notebook.Notebook) error {
	recipe := a.kernels.recipe
	warnings, err := doc.Prepare(notebook.PrepareOptions{
		Args: arguments(a.run, a.fed, recipe), InputPath: a.template.Path, OutputPath: sweep.RunKey(a.run.ID),
		Kernel: a.kernels.name(a.run),
	})
	for _, w := range warnings {
		a.remark(a.notes, a.run.ID, w)
	}
	if err != nil {
		return a.unprepared(doc, err)
	}
	_, err = runner.Run(ctx, runner.Task{
		Doc: doc, Launch: a.launch, Timeout: a.limits(a.sweep().SettingsOf(a.run)), Grace: a.o.Grace,
		MaxCellOutput: a.o.MaxCellOutput, MaxOutput: a.o.MaxOutput, Mask: a.exit.Mask(), SaveEvery: a.o.Save,
		On: a.event,
	}, a)
	return err
}

func (a *attempt) sweep() *sweep.Sweep { return a.executor.sweep }

// unprepared ends an attempt whose parameters the template's language cannot
// express.
func (a *attempt) unprepared(doc *notebook.Notebook, err error) error {
	now := time.Now().UTC()
	return a.End(doc, runner.Result{Began: true, Outcome: outcome.Outcome{
		Status: outcome.Failed, Kind: outcome.StartFailed, Reason: "prepare the notebook: " + unit.Cut(err.Error(), maxUnprepared),
		Start: now, End: now, Kernel: "cold",
	}})
}

// maxUnprepared is how many characters of why a notebook cannot be prepared are
// worth reading.
const maxUnprepared = 1000

// arguments are the run's parameters, those that it was fed, and its secrets.
func arguments(run sweep.Run, fed []value.Binding, recipe sweep.Recipe) []notebook.Argument {
	var args []notebook.Argument
	for _, p := range slices.Concat(run.Params, fed) {
		args = append(args, notebook.Argument{Name: p.Name, Value: p.Value.Any()})
	}
	for _, s := range recipe.Secrets {
		if !s.For(run) {
			continue
		}
		args = append(args, notebook.Argument{Name: s.Param, Secret: s.Env})
	}
	return args
}

// launch starts the kernel and records by which mark its processes are found.
func (a *attempt) launch(ctx context.Context) (*kernel.Kernel, error) {
	k, remarks, err := a.kernels.launch(ctx, a.workdir)
	if err != nil {
		return nil, err
	}
	for _, w := range remarks {
		a.remark(a.notes, a.run.ID, w)
	}
	if err := a.Started(k.ID()); err != nil {
		k.Kill()
		k.Close(0)
		return nil, err
	}
	a.kernels.ahead()
	return k, nil
}

func (a *attempt) event(ev runner.Event) {
	switch {
	case ev.Kind == runner.EventCell:
		a.note(sweep.Note{Kind: sweep.NoteCell, Cell: ev.Cell, Cells: ev.Cells})
	case ev.Kind == runner.EventKernel && ev.Text != "":
		a.note(sweep.Note{Kind: sweep.NoteWord, Text: ev.Text})
	}
}

// Save implements runner.Sink.
func (a *attempt) Save(doc []byte) error { return a.Part(a.ctx, doc) }

// Log implements runner.Sink.
func (a *attempt) Log(stream string, text []byte) error {
	a.note(sweep.Note{Kind: sweep.NoteLog, Stream: stream, Text: string(text)})
	return nil
}

// End implements runner.Sink. An attempt that was stopped before its first cell
// does not count.
func (a *attempt) End(doc *notebook.Notebook, r runner.Result) error {
	if r.Status == outcome.Canceled && !r.Began {
		return a.Abandon()
	}
	o := a.outcome(r)
	unkept, err := a.keep(o)
	if o.Unkept = unkept; unkept != "" {
		a.note(sweep.Note{Kind: sweep.NoteWord, Text: a.sweep().RunName(a.run.ID) + ": " + unkept})
	}
	if err == nil {
		err = a.Attempt.End(a.ctx, doc, o, a.log())
	}
	if errors.Is(err, sweep.ErrEnded) {
		return nil // what the sweep has counts
	}
	if err != nil {
		return err
	}
	a.medians.add(o)
	a.note(sweep.Note{Kind: sweep.NoteEnded, Outcome: &o})
	return nil
}

func (a *attempt) outcome(r runner.Result) outcome.Outcome {
	o := r.Outcome
	o.Fingerprint, o.Provenance = a.sweep().Current(a.run), a.provenance
	o.Fingerprint.Upstream = a.upstream
	o.Host, o.Node, o.Load = a.machine.host, a.machine.node, a.load
	if o.Status == outcome.Succeeded {
		o.Cell = 0
	}
	if o.Kind == outcome.OutOfMemory && a.o.Memory != "" && a.sweep().SettingsOf(a.run).Memory == 0 {
		o.Reason += ": " + a.o.Memory
	}
	return o
}

// maxLog bounds, in bytes, what is kept of a kernel's log. More is read, so that a
// secret is whole where the log is cut.
const maxLog, moreLog = 4 << 20, 64 << 10

// log returns the end of what the kernel's process wrote outside its cells.
func (a *attempt) log() []byte {
	f := a.workdir.log
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return nil
	}
	from := max(0, info.Size()-maxLog-moreLog)
	b, err := io.ReadAll(io.NewSectionReader(f, from, maxLog+moreLog))
	if err != nil && len(b) == 0 {
		return nil
	}
	if cut := len(b) - maxLog; cut > 0 {
		b = []byte(a.exit.Text(string(b)))
		b = b[max(0, len(b)-maxLog):]
		from = info.Size() - int64(len(b))
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			b = b[i+1:]
		}
		b = append([]byte(fmt.Sprintf("[the first %s are not kept]\n", unit.Bytes(from))), b...)
	}
	return b
}

// leftBehind says, once, that files are gone with the working directory, and how to
// keep them; and which files runs share in spite of a folder of their own.
func (a *attempt) leftBehind(files []string) {
	if len(files) > 0 && a.left.CompareAndSwap(false, true) {
		a.remark(a.notes, a.run.ID, "files that runs write are gone with their working directories, such as "+
			unit.List(files[:min(len(files), 3)])+"; to keep them: "+keepLine(files))
	}
	for _, f := range a.workdir.shared() {
		a.remark(a.notes, a.run.ID, f+" was written to, and all runs share it: it is too large to be copied for each of them")
	}
}

// keepLine is what to write in the sweep file to keep the files.
func keepLine(files []string) string {
	var patterns []string
	for _, f := range files {
		p := path.Base(f)
		if ext := path.Ext(p); ext != "" {
			p = "*" + ext
		}
		if !slices.Contains(patterns, p) {
			patterns = append(patterns, p)
		}
	}
	list, _ := json.Marshal(patterns[:min(len(patterns), 3)]) // strings
	return "keep: " + string(list)
}

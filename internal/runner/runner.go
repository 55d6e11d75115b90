// Package runner executes one notebook in one kernel.
//
// In go a document that is ready to be executed, a way to start its kernel,
// and limits; out come the document with its outputs, through a Sink, and a
// Result that describes how it went. The cells that nbclient would execute are
// executed, in order, up to the first error that no tag allows.
//
// It promises that a run ends: within its limits, or within the grace period
// after its context does; that the kernel is gone then; that the document is
// valid at every moment, and what the sink has of it is never more than a few
// seconds old; that the secrets of Task.Mask appear in nothing that goes
// to the sink or is returned; and that output beyond the caps is cut, with a mark.
//
// It knows nothing of sweeps, attempts or files.
package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/fanout-dev/fanout/internal/kernel"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/secret"
)

// A Task is one run: what, on which kernel, and how far.
type Task struct {
	Doc     *notebook.Notebook                                // prepared; owned by Run until it returns
	Launch  func(ctx context.Context) (*kernel.Kernel, error) // a new kernel each time; Run closes it
	Timeout Timeouts
	Grace   time.Duration // from the end of the context, or of a limit, to the end of the run; 0 is 10 s

	MaxCellOutput int64 // bytes of output kept per cell; 0 is 100 MiB
	MaxOutput     int64 // and per run; 0 is 500 MiB

	Mask      *secret.Mask  // of what must not be written
	SaveEvery time.Duration // between saves of a changing document; 0 is 2 s

	On func(Event) // may be nil; called in order, from one goroutine
}

const (
	defaultGrace      = 10 * time.Second
	defaultCellOutput = 100 << 20
	defaultRunOutput  = 500 << 20
)

// EventKind is the kind of an Event.
type EventKind string

// The kinds of events.
const (
	EventKernel EventKind = "kernel" // the kernel is ready; Text says so if it took more than one attempt
	EventCell   EventKind = "cell"   // code cell Cell of Cells begins
)

// An Event reports progress to people.
type Event struct {
	Kind  EventKind
	Cell  int // from 1, among code cells
	Cells int
	Text  string
}

// A Sink takes the document, the log and the end of a run. Save and Log may be
// called concurrently with each other, but not with End.
type Sink interface {
	// Save takes the document as it is now, encoded. A failing Save is tried
	// again with the next one.
	Save(doc []byte) error
	// Log takes what a cell printed: stream is stdout, stderr, or display for
	// the plain text of what was shown.
	Log(stream string, text []byte) error
	// End takes the final document and the result, once.
	End(doc *notebook.Notebook, r Result) error
}

// A Result is how a run went. Its Fingerprint and Provenance are empty: they
// are not the runner's to know.
type Result struct {
	outcome.Outcome
	Began bool // a cell was sent to the kernel
}

// Run executes a notebook. Whatever the notebook does is a Result; an error means
// that the sink failed. When ctx ends the run is canceled; a cause of ctx with a method
// ReasonKind() outcome.Kind names the kind.
func Run(ctx context.Context, t Task, s Sink) (Result, error) {
	w := newWalk(t, s, func(ctx context.Context) (session, error) {
		k, err := t.Launch(ctx)
		if err != nil {
			return nil, err
		}
		return k, nil
	})
	return w.run(ctx)
}

// A session is a kernel as the walk sees it. *kernel.Kernel is one.
type session interface {
	Execute(ctx context.Context, code string, o kernel.ExecuteOptions, on func(kernel.Message)) (kernel.Reply, error)
	UpdateComm(comm string, state json.RawMessage) (id string, err error)
	Drain(d time.Duration, on func(kernel.Message))
	Interrupt() error
	Terminate()
	Kill()
	Transport() (name, why string)
	Close(grace time.Duration) kernel.Exit
	Info() kernel.Info
	StartTook() time.Duration
	Warm() bool
	Prefix() []kernel.PrefixCell
}

// A walk is one Run.
type walk struct {
	Task
	sink   Sink
	launch func(ctx context.Context) (session, error)

	mu    sync.Mutex // guards the document, with fold, against the saver
	fold  *fold
	saver *saver

	kernel session
	guard  *guard
	end    ending
	number int  // of the current cell; 0 before the first
	shared int  // cells that were done before the kernel was forked
	total  int  // code cells
	quit   bool // the kernel was told to quit, successfully
	bash   bool // the kernel is bash_kernel, and shell its shell
	shell  shell
	ended  bool // by the last cell, or by one that none may follow
	result Result
	errs   error // of the sink's log
}

func newWalk(t Task, s Sink, launch func(context.Context) (session, error)) *walk {
	orDefault := func(n *int64, d int64) {
		if *n <= 0 {
			*n = d
		}
	}
	orDefault(&t.MaxCellOutput, defaultCellOutput)
	orDefault(&t.MaxOutput, defaultRunOutput)
	if t.Grace <= 0 {
		t.Grace = defaultGrace
	}
	w := &walk{Task: t, sink: s, launch: launch}
	w.result.Kernel = "cold"
	w.fold = newFold(t.Doc, t.Mask, caps{t.MaxCellOutput, t.MaxOutput})
	w.total = t.Doc.CodeCells()
	return w
}

func (w *walk) run(ctx context.Context) (Result, error) {
	began := time.Now()
	w.Doc.BeginRun(began)
	w.saver = startSaver(w.SaveEvery, w.save)
	if w.start(ctx) {
		late := make(chan struct{})
		if w.Timeout.Run > 0 {
			t := time.AfterFunc(w.Timeout.Run, func() { close(late) })
			defer t.Stop()
		}
		w.guard = &guard{kernel: w.kernel, grace: w.Grace, run: late, asked: make(chan struct{}, 1)}
		w.cells(ctx)
		w.close()
	}
	w.saver.close()
	w.conclude(ctx, began)
	if err := w.sink.End(w.Doc, w.result); err != nil {
		return w.result, errors.Join(err, w.errs)
	}
	return w.result, w.errs
}

// A start that fails is retried and not counted as an attempt: kernels that start
// at the same time may lose a race.
const (
	startTries = 3
	startPause = 200 * time.Millisecond
)

// start starts a kernel.
func (w *walk) start(ctx context.Context) bool {
	for try := 1; ; try++ {
		k, err := w.launchOnce(ctx)
		if err == nil {
			w.started(k, try)
			return true
		}
		if ctx.Err() != nil {
			w.end.stop = stopCancel
			return false
		}
		if !again(err, try) {
			w.end.start = err
			return false
		}
		wait(ctx.Done(), startPause<<(try-1))
	}
}

// launchOnce starts a kernel within the limit of one start.
func (w *walk) launchOnce(ctx context.Context) (session, error) {
	if w.Timeout.Start > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, w.Timeout.Start)
		defer cancel()
	}
	return w.launch(ctx)
}

// again reports whether starting a kernel is worth another try. One that took too
// long gets one more.
func again(err error, try int) bool {
	var e *kernel.StartError
	if errors.Is(err, context.DeadlineExceeded) {
		return try < 2
	}
	return errors.As(err, &e) && try < startTries
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (w *walk) started(k session, try int) {
	w.kernel = k
	w.result.KernelStart = k.StartTook()
	w.bash = k.Info().Implementation == "bash_kernel"
	if k.Warm() {
		w.result.Kernel = "warm"
		if name, _ := k.Transport(); name != "pipe" {
			w.result.Kernel = "warm zmq"
		}
	}
	w.mu.Lock()
	_ = w.Doc.SetLanguageInfo(w.Mask.JSON(k.Info().LanguageInfo)) // the template's stays if the kernel has none
	w.mu.Unlock()
	e := Event{Kind: EventKernel, Cells: w.total}
	if try > 1 {
		e.Text = fmt.Sprintf("the kernel started on attempt %d", try)
	}
	w.notify(e)
}

func (w *walk) notify(e Event) {
	if w.On != nil {
		w.On(e)
	}
}

// cells walks the document.
func (w *walk) cells(ctx context.Context) {
	for i, c := range w.Doc.Cells {
		if !executed(c) {
			w.pass(i)
			continue
		}
		w.number = w.Doc.CodeCell(i)
		if w.end.stop = w.due(ctx); w.end.stop != notStopped {
			return
		}
		if done := w.kernel.Prefix(); w.shared < len(done) {
			w.recall(i, done[w.shared])
			w.shared++
			continue
		}
		if !w.cell(ctx, i, c) {
			return
		}
	}
	w.ended = true
}

// executed reports whether a cell is sent to the kernel at all.
func executed(c *notebook.Cell) bool {
	return c.Type == "code" && strings.TrimSpace(c.Source) != "" && !c.HasTag("skip-execution")
}

// Prefix returns the sources of the cells that depend on no parameter: those
// above the cell tagged "parameters". It is empty when there is no such cell.
func Prefix(doc *notebook.Notebook) []string {
	var sources []string
	for _, c := range doc.Cells {
		switch {
		case c.HasTag("parameters"):
			return sources
		case c.HasTag("raises-exception"):
			return nil // what it leaves behind is not known to be the same
		case executed(c):
			sources = append(sources, c.Source)
		}
	}
	return nil
}

// recall gives a cell the outputs from its execution for all runs.
func (w *walk) recall(i int, done kernel.PrefixCell) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.Doc.BeginCell(i, done.Reply.Sent)
	c := w.fold.begin(i)
	c.Note("shared_prefix", true)
	for _, m := range done.Messages {
		w.fold.message(m)
	}
	w.fold.release(c)
	w.fold.take() // this run has not printed it
	w.Doc.EndCell(i, done.Reply.Idle)
	w.saver.touch()
}

// pass records a cell that is not executed.
func (w *walk) pass(i int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	w.Doc.BeginCell(i, now)
	w.Doc.EndCell(i, now)
}

// due returns why the next cell must not begin, if it must not.
func (w *walk) due(ctx context.Context) stop {
	switch {
	case ctx.Err() != nil:
		return stopCancel
	case isClosed(w.guard.run):
		return stopRun
	}
	return notStopped
}

// cell executes one cell and reports whether the next one may follow.
func (w *walk) cell(ctx context.Context, i int, c *notebook.Cell) bool {
	w.mu.Lock()
	w.tell()
	w.result.Began = true
	w.shell = shell{}
	w.Doc.BeginCell(i, time.Now())
	w.fold.begin(i)
	w.mu.Unlock()
	w.saver.touch()
	w.notify(Event{Kind: EventCell, Cell: w.number, Cells: w.total})

	allowed := c.HasTag("raises-exception")
	release := w.guard.watch(ctx, w.Timeout.Cell)
	reply, err := w.kernel.Execute(context.WithoutCancel(ctx), c.Source, kernel.ExecuteOptions{StopOnError: !allowed}, w.take)
	w.end.stop = release()

	w.mu.Lock()
	defer w.mu.Unlock()
	next := w.judge(reply, err, allowed)
	switch {
	case w.quit:
		w.Doc.QuitCell(i)
	case !next:
		w.Doc.FailCell(i) // SystemExit(0) too, as papermill has it
	}
	w.ended = !next
	w.Doc.EndCell(i, time.Now())
	w.saver.touch()
	return next
}

// tell tells the kernel what its Output widgets took since it was last told.
func (w *walk) tell() {
	for _, u := range w.fold.widgets.updates() {
		// A kernel that is gone says so when it is sent the cell.
		if id, err := w.kernel.UpdateComm(u.comm, u.state); err == nil {
			w.fold.told(id)
		}
	}
}

// take receives one message of the kernel.
func (w *walk) take(m kernel.Message) {
	if m.Header.MsgType == "input_request" {
		select {
		case w.guard.asked <- struct{}{}:
		default:
		}
		return
	}
	w.mu.Lock()
	if w.bash {
		m = w.shell.read(m)
	}
	w.fold.message(m)
	text, changed := w.fold.take()
	w.mu.Unlock()
	if changed {
		w.saver.touch()
	}
	w.log(text)
}

func (w *walk) log(text []printed) {
	for _, h := range text {
		if err := w.sink.Log(h.stream, []byte(h.text)); err != nil && w.errs == nil {
			w.errs = fmt.Errorf("log what a cell printed: %w", err)
		}
	}
}

// judge reports whether the next cell may follow and otherwise records why not. A
// run that fails gets an error output with the reason.
func (w *walk) judge(reply kernel.Reply, err error, allowed bool) bool {
	cell := w.fold.current
	w.fold.release(cell)
	var dead *kernel.DeadError
	if errors.As(err, &dead) && w.end.stop == notStopped {
		w.end.exit = &dead.Exit
	}
	switch {
	case w.end.stop == stopCancel:
		return false
	case w.end.stop != notStopped || w.end.exit != nil:
		if !cell.errored || w.end.exit != nil {
			w.fold.fail(cell, w.mishap())
		}
		return false
	case err == nil && (reply.Status == "ok" || allowed):
		status, quits := quits(reply.Content, w.kernel.Info().Implementation)
		if w.shell.ended {
			status, quits = w.shell.status, true
		}
		if quits && !harmless(status) {
			w.fold.fail(cell, exitOutput(status))
			return allowed
		}
		w.quit, w.end.early = quits, quits
		return !quits
	}
	if !cell.errored {
		w.fold.fail(cell, w.missingError(reply, err))
	}
	w.end.early = reply.Ename == "SystemExit" && harmless(reply.Evalue)
	return false
}

// mishap is the error output of a cell that did not finish.
func (w *walk) mishap() notebook.Output {
	ename := map[stop]string{stopCell: "CellTimeoutError", stopRun: "RunTimeoutError", stopInput: noStdin, notStopped: "DeadKernelError"}[w.end.stop]
	_, kind := w.end.verdict()
	text := w.end.reason(kind, w.number, w.Timeout)
	return notebook.Output{Type: "error", Ename: ename, Evalue: text, Traceback: []string{ename + ": " + text}}
}

// missingError is the error output of a cell whose kernel replied with an error and
// sent none, as for a magic that does not exist.
func (w *walk) missingError(reply kernel.Reply, err error) notebook.Output {
	o := notebook.Output{Type: "error", Ename: reply.Ename, Evalue: reply.Evalue, Traceback: reply.Traceback}
	if o.Ename == "" {
		o.Ename = "CellExecutionError"
	}
	switch {
	case err != nil:
		o.Evalue = err.Error()
	case reply.Status == "aborted":
		o.Evalue = "the kernel did not execute the cell"
	case o.Evalue == "":
		o.Evalue = "the kernel replied with an error and no details"
	}
	if len(o.Traceback) == 0 {
		o.Traceback = []string{o.Ename + ": " + o.Evalue}
	}
	return o
}

// close ends the kernel. After a stop three quarters of the grace period may have
// passed already.
func (w *walk) close() {
	w.kernel.Drain(0, w.take)
	grace := w.Grace
	if w.end.stop != notStopped {
		grace = w.Grace / 8
	}
	x := w.kernel.Close(grace)
	w.kernel.Drain(0, w.take) // some kernels report idle before all output is sent
	w.result.CPU, w.result.PeakRSS = x.CPU, x.PeakRSS
}

// conclude fills in the result.
func (w *walk) conclude(ctx context.Context, began time.Time) {
	w.fold.finish()
	text, _ := w.fold.take()
	w.log(text)
	f, failed := w.Doc.Failure()
	if failed && w.end.stop == notStopped && w.end.exit == nil {
		w.end.raised = &f
	}
	r := &w.result
	r.Status, r.Kind = w.end.verdict()
	if r.Kind != "" && r.Kind != outcome.StartFailed {
		r.Cell = w.number
	}
	if w.end.raised != nil {
		r.Cell, r.Ename, r.Evalue = w.Doc.CodeCell(f.Cell), f.Ename, f.Evalue
	}
	r.Reason = w.end.reason(r.Kind, r.Cell, w.Timeout)
	r.Kind = named(ctx, r.Kind)
	if w.ended {
		w.Doc.EndRun(time.Now()) // otherwise cells are left that it would mark as completed
	}
	if failed && r.Status != outcome.Succeeded && r.Status != outcome.Canceled {
		w.Doc.MarkFailure(f)
	}
	r.Start, r.End = began.Round(0).UTC(), began.Add(time.Since(began)).Round(0).UTC()
	w.result = secret.Pass(w.Mask, w.result)
}

// named is the kind that the cause of the context gives an interruption.
func named(ctx context.Context, kind outcome.Kind) outcome.Kind {
	var cause interface{ ReasonKind() outcome.Kind }
	if kind == outcome.Interrupted && errors.As(context.Cause(ctx), &cause) {
		return cause.ReasonKind()
	}
	return kind
}

// save gives the sink the document as it is now.
func (w *walk) save() {
	w.mu.Lock()
	w.fold.settle()
	b := w.Doc.Encode()
	w.mu.Unlock()
	_ = w.sink.Save(b) // tried again; what matters is End
}

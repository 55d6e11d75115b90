// Package local executes the runs of a sweep on this machine: it is the
// fan.Executor that needs only a kernel.
//
// In go shards of a sweep whose lease this process holds; out come ended
// attempts in the sweep, and notes for people. Each attempt has its own kernel,
// working directory, environment and process group.
//
// It promises the executor's contract: whatever a notebook does is an
// outcome; when Execute has returned no process, socket or file that a run made is
// left; Recover ends what an earlier controller left
// running before the same run starts again. The working directory of this
// process never changes.
//
// It neither decides what runs when nor retries.
package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fanout-dev/fanout/internal/local/internal/exit"
	"github.com/fanout-dev/fanout/internal/runner"
	"github.com/fanout-dev/fanout/internal/scratch"
	"github.com/fanout-dev/fanout/internal/secret"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/value"
)

// Options are how runs are executed on this machine.
type Options struct {
	Jobs    int           // concurrent runs; 0 is the number of cores that we may use
	Queue   []string      // run ids in the order in which they will probably be executed: the next kernel is started ahead of time
	Warm    string        // "off" starts every kernel cold, "zmq" warm with ZeroMQ's sockets, "" leaves it to the sweep
	Grace   time.Duration // between the end of a context or limit and the end of the run; 0 is 10 s
	Save    time.Duration // between saves of a running notebook; 0 is 2 s
	Python  string        // virtual environment or interpreter instead of the sweep's
	Version string        // of fanout, recorded with every attempt
	Environ []string      // environment to derive the kernels' from; nil is this process's
	Scratch string        // place of the working directories; "" is that for temporary files
	Feed    Feeder        // what gives runs what they need; nil where none needs any
	Turn    Turn          // when this machine, which others share, takes one more run; nil: always
	Memory  string        // what to say of the memory that runs have when it runs out and the sweep file sets none

	MaxCellOutput, MaxOutput int64 // bytes; 0 is the runner's default
}

// A Feeder writes what a run needs of others into its working directory and
// returns the parameters that it is passed besides its own. Refused is why it
// cannot be fed, with which the attempt fails; err is of the sweep or the machine.
type Feeder func(ctx context.Context, s *sweep.Sweep, run sweep.Run, dir string) (args []value.Binding, refused, err error)

// A Turn waits until one more run may begin, and returns what to call when it has
// ended. waits is told, if it takes long, why.
type Turn func(ctx context.Context, waits func(why string)) (done func(), err error)

// NodeVariable is the environment variable that says how a cluster calls the
// computer.
const NodeVariable = "FANOUT_NODE"

// A machine is the computer that executes runs.
type machine struct {
	host, boot string
	node       string // as the cluster calls it
	cores      int
}

// An Executor executes runs of one sweep. Its methods may be called concurrently.
// All that it says goes through its exit: nothing else of it can be reached.
type Executor struct {
	in   *executor
	exit exit.Exit
}

// An executor is an Executor inside.
type executor struct {
	sweep   *sweep.Sweep
	o       Options
	machine machine
	place   string          // of the sweep
	scratch *scratch.Folder // temporary folder of this executor
	temps   *scratch.Folder // for those of the runs: the same, unless its path is too long for sockets
	modules string          // folder of the modules that notebooks may import
	exit    exit.Exit
	kernels *kernels
	memory  *gate
	medians *medians

	provenance string // key of what is recorded with every attempt

	mu      sync.Mutex
	remarks map[string]bool // made already

	left atomic.Bool // it was remarked that files are not kept
}

// New prepares this machine for the sweep, whose lease the caller holds. A secret
// that is missing from the environment, or too short to be masked, is an error.
// The caller closes the Executor.
func New(ctx context.Context, s *sweep.Sweep, o Options) (*Executor, error) {
	if o.Jobs <= 0 {
		o.Jobs = runtime.GOMAXPROCS(0) // a control group may allow less than all cores
	}
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	head, ok := s.Head()
	if !ok {
		return nil, errors.New("execute runs: the sweep was never planned")
	}
	secrets, err := secretValues(head.Recipe.Secrets, o.Environ)
	if err != nil {
		return nil, err
	}
	out, err := exit.New(secrets)
	if err != nil {
		return nil, err
	}
	in, err := newExecutor(ctx, s, o, head.Recipe, out)
	if err != nil {
		return nil, out.Error(err)
	}
	return &Executor{in, out}, nil
}

func newExecutor(ctx context.Context, s *sweep.Sweep, o Options, recipe sweep.Recipe, out exit.Exit) (*executor, error) {
	folder, temps, err := makeFolders(o.Scratch)
	if err != nil {
		return nil, fmt.Errorf("create a folder for working directories: %w", err)
	}
	e := &executor{
		sweep: s, o: o, machine: thisMachine(), place: placeOf(s), scratch: folder, temps: temps, modules: filepath.Join(folder.Path, "modules"), exit: out,
		memory: newGate(), medians: newMedians(s.All()), remarks: map[string]bool{},
	}
	if err := writeModules(e.modules); err != nil {
		return nil, errors.Join(fmt.Errorf("create a folder for modules: %w", err), e.removeFolders())
	}
	if e.provenance, err = e.provenanceOf(ctx); err != nil {
		return nil, errors.Join(err, e.removeFolders())
	}
	e.kernels = newKernels(ctx, e, recipe)
	return e, nil
}

// secretValues reads the secrets from the environment and checks that they can be
// masked.
func secretValues(secrets []sweep.Secret, environ []string) ([]string, error) {
	var values []string
	for _, s := range secrets {
		v, ok := lookup(environ, s.Env)
		if !ok {
			return nil, &secretError{s, errors.New("it is not set")}
		}
		if err := secret.Check(v); err != nil {
			return nil, &secretError{s, err}
		}
		values = append(values, v)
	}
	return values, nil
}

// secretError reports a secret that cannot be used.
type secretError struct {
	secret sweep.Secret
	err    error
}

func (e *secretError) Error() string {
	return fmt.Sprintf("read parameter %s from the environment variable %s: %v", e.secret.Param, e.secret.Env, e.err)
}
func (e *secretError) Unwrap() error { return e.err }

// Hint says what to do about it.
func (e *secretError) Hint() string {
	return fmt.Sprintf("set %s to a value of six characters or more before you start fanout", e.secret.Env)
}

// Jobs is how many runs this machine executes at once.
func (e *Executor) Jobs() int { return e.in.o.Jobs }

// Close releases what several runs share: warm servers, kernels started ahead of
// time, unpacked files.
func (e *Executor) Close() error {
	e.in.kernels.close()
	return e.exit.Error(e.in.removeFolders())
}

// makeFolders creates the folder of an executor in a place, and one for temporary
// files of runs: sockets are made in it, whose paths have to be short.
func makeFolders(place string) (folder, temps *scratch.Folder, err error) {
	if folder, err = scratch.Make(place, "fanout-"); err != nil || tempFits(folder.Path) || place == "" {
		return folder, folder, err
	}
	if temps, err = scratch.Make("", "fanout-"); err != nil {
		err = errors.Join(err, folder.Remove())
	}
	return folder, temps, err
}

func (e *executor) removeFolders() error {
	if e.temps == e.scratch {
		return e.scratch.Remove()
	}
	return errors.Join(e.scratch.Remove(), e.temps.Remove())
}

// Execute executes the runs of a shard, one after the other. See fan.Executor.
func (e *Executor) Execute(ctx context.Context, shard sweep.Shard, note func(sweep.Note)) error {
	return e.exit.Error(e.in.execute(ctx, shard, e.exit.Notes(note)))
}

// Preflight checks before a run which of the modules that the templates import
// its kernel lacks: all of them at once, where the notebook would name only the
// first. It knows only Python.
func (e *Executor) Preflight(ctx context.Context, run string) error {
	return e.exit.Error(e.in.preflight(ctx, run))
}

func (e *executor) execute(ctx context.Context, shard sweep.Shard, notes exit.Notes) error {
	for _, id := range shard.Runs {
		if ctx.Err() != nil {
			return nil
		}
		st, ok := e.sweep.Run(id)
		if !ok {
			return fmt.Errorf("execute run %s: it was never planned", id)
		}
		if err := e.inTurn(ctx, st, notes); err != nil {
			return err
		}
	}
	return nil
}

// inTurn executes a run when the machine has room for it.
func (e *executor) inTurn(ctx context.Context, st sweep.RunState, notes exit.Notes) error {
	if e.o.Turn != nil {
		done, err := e.o.Turn(ctx, func(why string) { e.remark(notes, st.Run.ID, why) })
		if ctx.Err() != nil {
			return nil // canceled while it waited
		} else if err != nil {
			return err
		}
		defer done()
	}
	if err := e.memory.enter(ctx, e.sweep.SettingsOf(st.Run).Memory); err != nil {
		return nil // canceled while it waited
	}
	defer e.memory.leave()
	return e.attempt(ctx, st, notes)
}

// remark passes a text on to people, once.
func (e *executor) remark(notes exit.Notes, run, text string) {
	e.mu.Lock()
	known := e.remarks[text]
	e.remarks[text] = true
	e.mu.Unlock()
	if !known {
		notes.Note(sweep.Note{Kind: sweep.NoteWord, Run: run, Text: text})
	}
}

// limits resolves the timeouts of a run: of a duration and a percentage the
// smaller one counts.
func (e *executor) limits(s sweep.Settings) runner.Timeouts {
	return runner.Timeouts{
		Start: s.StartTimeout,
		Cell:  smaller(s.CellTimeout, e.medians.percent(s.CellPercent)),
		Run:   smaller(s.RunTimeout, e.medians.percent(s.RunPercent)),
	}
}

// smaller returns the smaller limit; zero is no limit.
func smaller(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

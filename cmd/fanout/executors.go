package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/fanout-dev/fanout/cmd/fanout/internal/fed"
	"github.com/fanout-dev/fanout/cmd/fanout/internal/frugal"
	"github.com/fanout-dev/fanout/cmd/fanout/internal/observe"
	"github.com/fanout-dev/fanout/cmd/fanout/internal/patience"
	"github.com/fanout-dev/fanout/cmd/fanout/internal/settings"
	"github.com/fanout-dev/fanout/cmd/fanout/internal/timetable"
	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/fan"
	"github.com/fanout-dev/fanout/internal/feed"
	"github.com/fanout-dev/fanout/internal/local"
	"github.com/fanout-dev/fanout/internal/nomad"
	"github.com/fanout-dev/fanout/internal/nomad/inside"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/turns"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
	"github.com/fanout-dev/fanout/internal/worker"
)

// What the command's other files know of the executors.
type (
	single        = local.Single
	nomadOptions  = nomad.Options
	payload       = nomad.Payload
	probe         = nomad.Probe
	workerLog     = nomad.WorkerLog
	nomadSchedule = nomad.Schedule
	schedules     = nomad.Schedules
)

var (
	lookHere      = local.Look
	lookAtCluster = nomad.Doctor
	readPayload   = nomad.ReadPayload
	newSchedules  = nomad.NewSchedules
	thisFiring    = nomad.ThisFiring
	asked         = nomad.Asked
)

// asFiring is the firing that a cluster knows of a schedule, if it knows one.
func asFiring(v nomadSchedule) *timetable.Firing {
	f := v.Last
	if f == nil {
		return nil
	}
	out := &timetable.Firing{ID: f.ID, Due: timetable.In(f.At, v.Zone), State: f.State, Reason: f.Reason}
	if f.State == "ended" && f.Code >= 0 {
		out.Code = &f.Code
	}
	return out
}

// madeBy says for the history of a schedule what makes this firing.
func madeBy() string { return "Nomad, " + inside.WorkerName() }

// A place is where runs can execute, by the name that --on has for it.
type place struct {
	name    string
	remote  bool // kernels start elsewhere
	connect func(machines, context.Context, *sweep.Sweep) (app.Machine, error)
	doctor  func(c *cli, ctx context.Context, kernel, dir string) error
}

// places lists the executors, the default first.
func places() []place {
	return []place{
		{name: "local", connect: machines.connectHere, doctor: (*cli).doctor},
		{name: "nomad", remote: true, connect: machines.connectNomad, doctor: (*cli).doctorOnNomad},
	}
}

// placeWords are the names of all places: "local or nomad".
func placeWords() string {
	var names []string
	for _, p := range places() {
		names = append(names, p.name)
	}
	return unit.Either(names)
}

// place is the one that this invocation asks for.
func (c *cli) place() (place, error) {
	on := c.settings.GetString("on")
	for _, p := range places() {
		if p.name == on || on == "" {
			return p, nil
		}
	}
	return place{}, unit.Mistake(fmt.Errorf("--on %q: want %s", on, placeWords()))
}

// machines are where this invocation executes runs. This file is the only one
// that knows which there are.
type machines struct{ *cli }

var _ app.Machines = machines{}

// Check reports, before anything is written, that no kernel could start. A
// cluster has its own kernels, which its first worker looks for.
func (m machines) Check(templates []app.Template) error {
	if p, err := m.place(); err != nil || p.remote {
		return err
	}
	for _, t := range templates {
		python := t.Python
		if set := m.settings.GetString("python"); set != "" {
			python = set
		}
		if err := local.FindKernel(t.Kernel, python, m.kernelEnv()); err != nil {
			return unit.Mistake(fmt.Errorf("template %s: %w", t.Path, err))
		}
	}
	return nil
}

// Connect registers the sweep with the cluster, if that is where its runs are
// to execute.
func (m machines) Connect(ctx context.Context, s *sweep.Sweep) (app.Machine, error) {
	p, err := m.place()
	if err != nil {
		return nil, err
	}
	return p.connect(m, ctx, s)
}

func (m machines) connectHere(_ context.Context, s *sweep.Sweep) (app.Machine, error) {
	return &thisMachine{cli: m.cli, sweep: s}, nil
}

func (m machines) connectNomad(ctx context.Context, s *sweep.Sweep) (app.Machine, error) {
	o, err := m.jobOptions(s)
	if err != nil {
		return nil, unit.Mistake(err)
	}
	if err := store.Probe(ctx, s.Store()); err != nil {
		return nil, err
	}
	frugal.Control()
	e, err := nomad.New(ctx, s, o)
	if err != nil {
		return nil, err
	}
	return nomadMachine{nomadExecutor{e, s}}, nil
}

// Attach stops what workers have of the sweep, if they have any of it. It starts
// nothing here: the sweep may be somebody else's.
func (m machines) Attach(ctx context.Context, s *sweep.Sweep) (app.Machine, error) {
	open, err := s.OpenShards(ctx)
	switch {
	case err != nil:
		return nil, err
	case len(open) == 0:
		return &stoppingMachine{thisMachine{cli: m.cli, sweep: s}}, nil
	}
	e, err := m.attach(ctx, s)
	if err != nil {
		return nil, err
	}
	return nomadMachine{nomadExecutor{e, s}}, e.Cancel(ctx)
}

// attach finds the cluster that executes a sweep. The files that the sweep names
// are not read: nothing is registered.
func (c *cli) attach(ctx context.Context, s *sweep.Sweep) (*nomad.Executor, error) {
	o, err := c.nomadOptions(s.Spec().Nomad, s.Where(), nil)
	if err != nil {
		return nil, unit.Mistake(err)
	}
	return nomad.Attach(ctx, s, o)
}

// ExecuteSingle executes a notebook on this machine.
func (m machines) ExecuteSingle(ctx context.Context, doc *notebook.Notebook, o app.Single) (outcome.Status, string, error) {
	o.Python = cmp.Or(m.settings.GetString("python"), o.Python)
	return m.executeSingle(ctx, doc, local.Single{
		Kernel: o.Kernel, Python: o.Python, Dir: o.Dir, Recipe: o.Recipe, StartTimeout: time.Minute, SaveEvery: time.Minute, Save: o.Save, End: o.Save,
	})
}

func (c *cli) onNomad() bool { return c.settings.GetString("on") == "nomad" }

// thisMachine executes runs with kernels here.
type thisMachine struct {
	*cli
	sweep *sweep.Sweep
	made  *local.Executor
	line  *turns.Line // nil where the machine is not shared
}

func (m *thisMachine) Executor(ctx context.Context, queue []string) (fan.Executor, error) {
	if err := app.CheckLocal(ctx, m.sweep); err != nil {
		return nil, err
	}
	o := m.localOptions(queue)
	if jobs := m.settings.GetInt("machine_jobs"); jobs != 0 {
		line, err := turns.Join("", m.sweep.Name(), jobs, m.settings.GetFloat64("weight"))
		if err != nil {
			return nil, unit.Mistake(err)
		}
		m.line, o.Turn = line, line.Wait
	}
	e, err := local.New(ctx, m.sweep, o)
	if err != nil {
		return nil, unit.Mistake(err)
	}
	m.made = e
	return localExecutor{e}, nil
}

func (m *thisMachine) Close() (err error) {
	if m.made != nil {
		err = m.made.Close()
	}
	if m.line != nil {
		err = errors.Join(err, m.line.Close())
	}
	return err
}

// stoppingMachine ends what an earlier process left on this machine.
type stoppingMachine struct{ thisMachine }

func (m *stoppingMachine) Executor(ctx context.Context, _ []string) (fan.Executor, error) {
	return stopper{m.sweep}, app.CheckLocal(ctx, m.sweep)
}

// stopper executes nothing.
type stopper struct{ sweep *sweep.Sweep }

func (stopper) Execute(context.Context, sweep.Shard, func(sweep.Note)) error { return nil }
func (stopper) Limits() fan.Limits                                           { return fan.Limits{PerShard: 1} }
func (x stopper) Recover(ctx context.Context, orphans []sweep.Began) error {
	return local.Recover(ctx, x.sweep, orphans)
}

var _ fan.Recoverer = stopper{}

// nomadMachine executes runs in Nomad's batch jobs.
type nomadMachine struct{ nomadExecutor }

func (m nomadMachine) Executor(context.Context, []string) (fan.Executor, error) {
	return m.nomadExecutor, nil
}

// localExecutor fits internal/local to the seam: machines know nothing of
// package fan.
type localExecutor struct{ *local.Executor }

// Limits is what this machine can take.
func (e localExecutor) Limits() fan.Limits {
	return fan.Limits{Parallel: e.Jobs(), PerShard: 1}
}

var _ fan.Recoverer = localExecutor{}

// nomadExecutor fits internal/nomad to the seam.
type nomadExecutor struct {
	*nomad.Executor
	sweep *sweep.Sweep
}

// Limits is what the cluster is asked for at once.
func (e nomadExecutor) Limits() fan.Limits {
	return fan.Limits{Parallel: e.Parallel(), PerShard: e.PerShard(), Remote: true}
}

// Recover ends what an earlier fanout left here; what it left on the cluster is
// executed again.
func (e nomadExecutor) Recover(ctx context.Context, orphans []sweep.Began) error {
	return local.Recover(ctx, e.sweep, orphans)
}

var (
	_ fan.Recoverer = nomadExecutor{}
	_ fan.Classer   = nomadExecutor{}
)

// executeSingle executes a notebook that belongs to no sweep on this machine.
func (c *cli) executeSingle(ctx context.Context, doc *notebook.Notebook, o local.Single) (outcome.Status, string, error) {
	o.Environ, o.Grace = c.kernelEnv(), c.settings.GetDuration("grace")
	status, reason, err := local.ExecuteSingle(ctx, doc, o)
	if local.IsMissingKernel(err) {
		err = unit.Mistake(err)
	}
	return status, reason, err
}

// workerOptions are how the runs of a shard are executed on this machine for a
// controller elsewhere.
func (c *cli) workerOptions(s *sweep.Sweep) worker.Options {
	start := func(ctx context.Context, runs []string) (worker.Machine, error) {
		if err := c.app.LimitRuns(s); err != nil {
			return nil, err
		}
		o := c.localOptions(runs)
		o.Scratch, o.Memory = inside.WorkFolder(), inside.Memory()
		return local.New(ctx, s, o)
	}
	return worker.Options{
		Name: inside.WorkerName(), Version: version(), Start: start, Note: c.observer.Runs(s, func(sweep.Note) {}),
		Say: func(line string) { c.stderr.Println(line) }, Log: func(w io.Writer) { c.stderr = unit.NewPrinter(io.MultiWriter(c.stderr.Data(), w)) },
	}
}

// fedAgain feeds a notebook what a run was fed.
func (c *cli) fedAgain() fed.Source {
	return fed.Source{Open: c.app.OpenPlanned, Feed: feed.Feed, Folder: feed.Folder}
}

func (c *cli) localOptions(queue []string) local.Options {
	return local.Options{
		Jobs: c.settings.GetInt("jobs"), Queue: queue, Warm: c.warm(), Grace: c.settings.GetDuration("grace"),
		Feed: feed.Feed, Python: c.settings.GetString("python"), Version: version(), Environ: c.kernelEnv(), MaxCellOutput: int64(c.settings.GetSizeInBytes("output_cap")),
	}
}

// jobOptions are how the runs of a sweep execute on a cluster.
func (c *cli) jobOptions(s *sweep.Sweep) (nomad.Options, error) {
	return c.nomadOptions(s.Spec().Nomad, s.Where(), s.Resolve)
}

// nomadOptions are the `nomad:` of a sweep file, if there is one, over that of
// the settings, for a sweep that is kept at where. resolve finds the files that
// they name; without it none is read.
func (c *cli) nomadOptions(own []value.Binding, where string, resolve func(string) string) (nomad.Options, error) {
	set, err := c.settings.Nomad(own)
	if err != nil {
		return nomad.Options{}, err
	}
	o := nomad.Options{
		Command: set.GetString("command"), Image: set.GetString("image"), Driver: set.GetString("driver"),
		Artifact: set.GetString("artifact"), EnvFrom: set.GetString("env_from"), Env: c.workerEnv(),
		Region: set.GetString("region"), Namespace: set.GetString("namespace"), NodePool: set.GetString("node_pool"),
		Datacenters: set.GetStringSlice("datacenters"), Class: set.GetString("class"), Grace: c.settings.GetDuration("grace"), Say: patience.Sayer(c.stderr, c.painting.Load),
	}
	for key, n := range map[string]*int{"priority": &o.Priority, "max_parallel": &o.Parallel, "runs_per_job": &o.PerShard, "class_parallel": &o.ClassParallel} {
		text := set.GetString(key)
		if text == "" || text == "auto" && key == "runs_per_job" {
			continue
		}
		if *n, err = settings.Count(text); err != nil {
			return o, fmt.Errorf("nomad: %s: %w", key, err)
		}
	}
	if o.Dir, err = store.Absolute(where); err != nil {
		return o, err
	}
	o.Parallel = cmp.Or(o.Parallel, c.settings.GetInt("jobs"))
	o.Env[settings.Variable("jobs")] = "1"
	if n := set.GetString("runs_at_once"); n != "" {
		if _, err := settings.Count(n); err != nil {
			return o, fmt.Errorf("nomad: runs_at_once: %w", err)
		}
		o.Env[settings.Variable("jobs")] = n
	}
	if python := set.GetString("python"); python != "" {
		o.Env[settings.Variable("python")] = python
	}
	if text := set.GetString("lost_after"); text != "" {
		if o.LostAfter, err = time.ParseDuration(text); err != nil || o.LostAfter < time.Second {
			return o, fmt.Errorf("nomad: lost_after %q: want a duration such as 2m", text)
		}
	}
	if file := set.GetString("job"); file != "" && resolve != nil {
		o.JobFile = file
		if o.Job, err = os.ReadFile(resolve(file)); err != nil {
			return o, fmt.Errorf("nomad: read job: %w", err)
		}
	}
	if o.Command == "" && o.Job == nil && o.Image == "" && o.Artifact == "" {
		o.Command, err = os.Executable() // a client on this machine finds it there
	}
	return o, err
}

// workerEnv passes the settings of this invocation on to the workers.
func (c *cli) workerEnv() map[string]string {
	env := map[string]string{}
	for _, key := range []string{"timeout", "grace", "warm", "output_cap", "jupyter_path", "python"} {
		if v := c.settings.GetString(key); v != "" {
			env[settings.Variable(key)] = v
		}
	}
	if logs := observe.ForWorkers(c.settings.GetString("log_output")); logs != "" {
		env[settings.Variable("log_output")] = logs
	}
	return env
}

// warm is "off" or "zmq", or empty to leave it to the sweep file.
func (c *cli) warm() string {
	if how := c.settings.GetString("warm"); how == "off" || how == "zmq" {
		return how
	}
	return ""
}

// kernelEnv is the environment that kernels are found and started in.
func (c *cli) kernelEnv() []string {
	env := os.Environ()
	if more := c.settings.GetString("jupyter_path"); more != "" {
		if have := os.Getenv("JUPYTER_PATH"); have != "" {
			more += string(os.PathListSeparator) + have
		}
		env = append(env, "JUPYTER_PATH="+more)
	}
	return env
}

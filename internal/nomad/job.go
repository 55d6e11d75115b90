package nomad

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/templates"
)

// registerAll registers the sweep's parameterized jobs, one per class, and asks
// for each whether a shard would fit anywhere.
func (e *Executor) registerAll(ctx context.Context) error {
	for _, c := range e.planned() {
		if err := e.register(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// planned lists the classes of the planned runs, in a fixed order.
func (e *Executor) planned() []*class {
	by := map[string]*class{}
	for _, st := range e.sweep.Runs() {
		if !st.Run.Unplanned {
			c := e.classOf(st.Run)
			by[c.id] = c
		}
	}
	var all []*class
	for _, id := range slices.Sorted(maps.Keys(by)) {
		all = append(all, by[id])
	}
	return all
}

func (e *Executor) register(ctx context.Context, c *class) error {
	obstacles, err := e.put(ctx, c)
	if obstacles != "" {
		e.remarks = append(e.remarks, "no node has room for a shard now: "+obstacles)
	}
	return err
}

// put registers the job of a class. obstacles are why no node would run a shard;
// it is empty if one would, or if the token may not ask.
func (e *Executor) put(ctx context.Context, c *class) (obstacles string, err error) {
	job, err := e.parse(ctx, templates.NomadJob())
	if err != nil {
		return "", err
	}
	task, err := e.workerTask(job)
	if err != nil {
		return "", err
	}
	e.configure(job, task, c)
	for raced := true; raced; raced = conflicted(err) && ctx.Err() == nil {
		index, taken := e.currentIndex(ctx, c)
		if taken != nil {
			return "", taken
		}
		err = e.retry(ctx, "register job "+c.id, func() error {
			_, _, err := e.client.Jobs().RegisterOpts(job, &api.RegisterOptions{EnforceIndex: true, ModifyIndex: index}, c.place.write(ctx, ""))
			return err
		})
	}
	if err != nil {
		return "", err
	}
	plan, _, err := e.client.Jobs().Plan(job, false, c.place.write(ctx, ""))
	if err != nil {
		return "", nil // not every token may plan; dispatching shows it as well
	}
	for _, m := range plan.FailedTGAllocs {
		obstacles = obstaclesOf(m)
	}
	return obstacles, nil
}

// metaWhere is the meta key of a job with the sweep that it belongs to.
const metaWhere = "fanout_sweep"

// conflicted reports whether a job was registered by somebody else since it was
// read.
func conflicted(err error) bool {
	return err != nil && strings.Contains(err.Error(), api.RegisterEnforceIndexErrPrefix)
}

// currentIndex returns the index at which the job may be replaced. It refuses to
// take a job from a copy of the sweep elsewhere that still uses it.
func (e *Executor) currentIndex(ctx context.Context, c *class) (index uint64, err error) {
	var job *api.Job
	err = e.retry(ctx, "look for job "+c.id, func() (err error) {
		job, _, err = e.client.Jobs().Info(c.id, c.place.query(ctx))
		if missing(err) {
			job, err = nil, nil
		}
		return err
	})
	if err != nil || job == nil {
		return 0, err
	}
	stopped := job.Stop != nil && *job.Stop
	if where := job.Meta[metaWhere]; !stopped && where != "" && where != e.o.Dir {
		return 0, &takenError{c.id, where}
	}
	return *job.JobModifyIndex, nil
}

// takenError reports a job that another copy of the sweep uses.
type takenError struct{ job, where string }

func (e *takenError) Error() string {
	return fmt.Sprintf("register job %s: the sweep at %s uses it, and is the same sweep", e.job, e.where)
}

// Hint says what to do about it.
func (e *takenError) Hint() string {
	return fmt.Sprintf("if the sweep was moved, or its copy is no longer used: nomad job stop %s", e.job)
}

func (e *Executor) jobFile() string {
	if e.o.Job == nil {
		return "job"
	}
	return e.o.JobFile
}

// specError reports a mistake in the job specification.
func (e *Executor) specError(err error) error {
	return unit.Mistake(unit.WithHint(fmt.Errorf("%s: %w", e.jobFile(), err), "docs/nomad.md shows the specification that fanout uses by default"))
}

// parse has the server parse the specification, the user's or else ours: only the
// server knows all of HCL.
func (e *Executor) parse(ctx context.Context, ours []byte) (job *api.Job, err error) {
	text := e.o.Job
	if text == nil {
		text = ours
	}
	err = e.retry(ctx, "parse the job", func() (err error) {
		job, err = e.client.Jobs().ParseHCLOpts(&api.JobsParseRequest{JobHCL: string(text)})
		return err
	})
	if statusOf(err) != http.StatusBadRequest {
		return job, err // not about the specification
	}
	if e.o.Job != nil {
		err = errors.New(strings.ReplaceAll(err.Error(), "input.hcl", e.o.JobFile))
	}
	return nil, e.specError(err)
}

// workerTask checks what fanout relies on and returns the task of the worker.
func (e *Executor) workerTask(job *api.Job) (*api.Task, error) {
	if job.Periodic != nil {
		return nil, e.specError(errors.New("the job is periodic; fanout dispatches it itself"))
	}
	return e.taskOf(job, "worker")
}

// taskOf returns the task of a batch job that has this name, or is its only one.
func (e *Executor) taskOf(job *api.Job, name string) (*api.Task, error) {
	task, err := onlyTask(job, name)
	if err != nil {
		return nil, e.specError(err)
	}
	return task, nil
}

func onlyTask(job *api.Job, name string) (*api.Task, error) {
	switch {
	case job.Type != nil && *job.Type != api.JobTypeBatch:
		return nil, fmt.Errorf("the job is of type %s, want batch", *job.Type)
	case len(job.TaskGroups) != 1:
		return nil, fmt.Errorf("the job has %d groups, want one", len(job.TaskGroups))
	case job.TaskGroups[0].Count != nil && *job.TaskGroups[0].Count != 1:
		return nil, fmt.Errorf("the group has count %d, want 1", *job.TaskGroups[0].Count)
	}
	tasks := job.TaskGroups[0].Tasks
	for _, t := range tasks {
		if t.Name == name || len(tasks) == 1 {
			return t, nil
		}
	}
	return nil, fmt.Errorf("the group has several tasks and none is called %s", name)
}

// disconnectedFor is how long Nomad waits for a disconnected node before it starts
// a second allocation beside one that may be alive. fanout gives a shard up
// sooner, when its worker is silent, and ensures that no run is executed twice.
const disconnectedFor = 24 * time.Hour

// payloadFile is where Nomad puts the payload of a dispatch.
const payloadFile = "shard.json"

// configure sets what fanout decides.
func (e *Executor) configure(job *api.Job, task *api.Task, c *class) {
	job.ID, job.Name = &c.id, &c.id
	job.SetMeta(metaWhere, e.o.Dir)
	job.Type = ptr(api.JobTypeBatch)
	job.ParameterizedJob = &api.ParameterizedJobConfig{Payload: "required", MetaRequired: []string{"shard"}}
	c.put(job)
	neverRestart(job)
	for _, t := range job.TaskGroups[0].Tasks {
		t.DispatchPayload = nil
	}
	task.DispatchPayload = &api.DispatchPayloadConfig{File: payloadFile}
	e.program(task)
	task.Config["args"] = []string{"worker", "--payload", "${NOMAD_TASK_DIR}/" + payloadFile}
	e.environment(task)
	c.resources(task)
	e.stopGracefully(task)
}

// stopGracefully gives a stopped task time to record how far it came.
func (e *Executor) stopGracefully(task *api.Task) {
	task.KillSignal = "SIGTERM"
	task.KillTimeout = ptr(max(e.o.Grace+10*time.Second, 30*time.Second))
}

// neverRestart keeps Nomad from restarting a task: fanout decides about retries.
func neverRestart(job *api.Job) {
	group := job.TaskGroups[0]
	job.Reschedule = nil
	group.RestartPolicy = &api.RestartPolicy{Attempts: ptr(0), Mode: ptr("fail")}
	group.ReschedulePolicy = &api.ReschedulePolicy{Attempts: ptr(0), Unlimited: ptr(false)}
	group.Disconnect = &api.DisconnectStrategy{LostAfter: ptr(disconnectedFor), Replace: ptr(false)}
	for _, t := range group.Tasks {
		t.RestartPolicy = nil
	}
}

// program sets what the task runs, and how.
func (e *Executor) program(task *api.Task) {
	if task.Config == nil {
		task.Config = map[string]any{}
	}
	if e.o.Image != "" {
		task.Config["image"] = e.o.Image
		if e.o.Job == nil {
			task.Driver = "docker"
		}
	}
	if e.o.Driver != "" {
		task.Driver = e.o.Driver
	}
	if e.o.Artifact != "" {
		task.Artifacts = append(task.Artifacts, &api.TaskArtifact{GetterSource: &e.o.Artifact})
		if e.o.Job == nil {
			task.Config["command"] = "local/fanout"
		}
	}
	if e.o.Command != "" {
		task.Config["command"] = e.o.Command
	}
}

// put sets where the job runs.
func (c *class) put(job *api.Job) {
	if c.Region != "" {
		job.Region = &c.Region
	}
	if c.Namespace != "" {
		job.Namespace = &c.Namespace
	}
	if c.NodePool != "" {
		job.NodePool = &c.NodePool
	}
	if len(c.Datacenters) > 0 {
		job.Datacenters = c.Datacenters
	}
	if c.Priority > 0 {
		job.Priority = &c.Priority
	}
	job.Constraints = append(job.Constraints, c.Constraints...)
}

// environment gives the worker its settings, and secrets by the name of a
// Nomad variable: their values never pass through a job or a payload.
func (e *Executor) environment(task *api.Task) {
	if task.Env == nil {
		task.Env = map[string]string{}
	}
	maps.Copy(task.Env, e.o.Env)
	if e.o.EnvFrom == "" {
		return
	}
	text := fmt.Sprintf("{{ with nomadVar %q }}{{ range .Tuples }}{{ .K }}={{ .V | toJSON }}\n{{ end }}{{ end }}", e.o.EnvFrom)
	task.Templates = append(task.Templates, &api.Template{EmbeddedTmpl: &text, DestPath: ptr("secrets/fanout.env"), Envvars: ptr(true)})
}

// resources sets what an allocation asks for, where the sweep says so.
func (c *class) resources(task *api.Task) {
	if task.Resources == nil {
		task.Resources = &api.Resources{}
	}
	if c.cpu > 0 {
		task.Resources.CPU = &c.cpu
	}
	if c.memory > 0 {
		task.Resources.MemoryMB = ptr(int((c.memory + 1<<20 - 1) >> 20))
	}
}

func ptr[T any](v T) *T { return &v }

package nomad

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/fanout-dev/fanout/templates"
)

// register makes the sweep's parameterized job out of its specification and
// asks whether a shard would fit anywhere.
func (e *Executor) register(ctx context.Context) error {
	job, err := e.parse(ctx)
	if err != nil {
		return err
	}
	task, err := e.shape(job)
	if err != nil {
		return &specError{e.jobFile(), err}
	}
	e.equip(job, task)
	err = e.retry(ctx, "register job "+e.parent, func() error {
		_, _, err := e.client.Jobs().RegisterOpts(job, nil, e.write("").WithContext(ctx))
		return err
	})
	if err != nil {
		return err
	}
	plan, _, err := e.client.Jobs().Plan(job, false, e.write(""))
	if err != nil {
		return nil // not every token may plan; dispatching tells as well
	}
	for _, m := range plan.FailedTGAllocs {
		return &specError{e.jobFile(), fmt.Errorf("no node would take a shard: %s", obstacles(m))}
	}
	return nil
}

func (e *Executor) jobFile() string {
	if e.o.Job == nil {
		return "job"
	}
	return e.o.JobFile
}

// specError is a job specification that cannot be used as it is.
type specError struct {
	file string
	err  error
}

func (e *specError) Error() string { return fmt.Sprintf("%s: %v", e.file, e.err) }
func (e *specError) Unwrap() error { return e.err }

// Hint says what to do about it.
func (e *specError) Hint() string {
	return "docs/nomad.md has the specification that fanout uses by itself"
}

// parse lets the server read the specification: its HCL is no business of
// ours.
func (e *Executor) parse(ctx context.Context) (job *api.Job, err error) {
	text := e.o.Job
	if text == nil {
		text = templates.NomadJob()
	}
	err = e.retry(ctx, "parse the job", func() (err error) {
		job, err = e.client.Jobs().ParseHCLOpts(&api.JobsParseRequest{JobHCL: string(text)})
		return err
	})
	if err == nil || e.o.Job == nil {
		return job, err
	}
	return nil, errors.New(strings.ReplaceAll(err.Error(), "input.hcl", e.o.JobFile))
}

// shape checks what fanout relies on and returns the task that is the worker:
// the one that is called so, or the only one.
func (e *Executor) shape(job *api.Job) (*api.Task, error) {
	switch {
	case job.Type != nil && *job.Type != api.JobTypeBatch:
		return nil, fmt.Errorf("the job is of type %s, want batch", *job.Type)
	case job.Periodic != nil:
		return nil, errors.New("the job is periodic; fanout dispatches it itself")
	case len(job.TaskGroups) != 1:
		return nil, fmt.Errorf("the job has %d groups, want one", len(job.TaskGroups))
	case job.TaskGroups[0].Count != nil && *job.TaskGroups[0].Count != 1:
		return nil, fmt.Errorf("the group has count %d, want 1", *job.TaskGroups[0].Count)
	}
	tasks := job.TaskGroups[0].Tasks
	for _, t := range tasks {
		if t.Name == "worker" || len(tasks) == 1 {
			return t, nil
		}
	}
	return nil, errors.New("the group has several tasks and none is called worker")
}

// lostAfter is how long a node may be away before its shards are given up. A
// shorter time lets Nomad start a second allocation beside a living one.
const lostAfter = 6 * time.Hour

// payloadFile is where Nomad puts what the worker is told.
const payloadFile = "shard.json"

// equip sets what is fanout's to decide.
func (e *Executor) equip(job *api.Job, task *api.Task) {
	group := job.TaskGroups[0]
	job.ID, job.Name = &e.parent, &e.parent
	job.Type = ptr(api.JobTypeBatch)
	job.ParameterizedJob = &api.ParameterizedJobConfig{Payload: "required", MetaRequired: []string{"shard"}}
	e.place(job)
	job.Reschedule = nil
	group.RestartPolicy = &api.RestartPolicy{Attempts: ptr(0), Mode: ptr("fail")}
	group.ReschedulePolicy = &api.ReschedulePolicy{Attempts: ptr(0), Unlimited: ptr(false)}
	group.Disconnect = &api.DisconnectStrategy{LostAfter: ptr(lostAfter), Replace: ptr(false)}
	for _, t := range group.Tasks {
		t.RestartPolicy, t.DispatchPayload = nil, nil
	}
	task.DispatchPayload = &api.DispatchPayloadConfig{File: payloadFile}
	if task.Config == nil {
		task.Config = map[string]any{}
	}
	if e.o.Command != "" {
		task.Config["command"] = e.o.Command
	}
	if e.o.Image != "" {
		task.Config["image"] = e.o.Image
	}
	task.Config["args"] = []string{"worker", "--payload", "${NOMAD_TASK_DIR}/" + payloadFile}
	e.environment(task)
	e.resources(task)
	task.KillSignal = "SIGTERM"
	task.KillTimeout = ptr(max(e.o.Grace+10*time.Second, 30*time.Second))
}

func (e *Executor) place(job *api.Job) {
	if e.o.Region != "" {
		job.Region = &e.o.Region
	}
	if e.o.Namespace != "" {
		job.Namespace = &e.o.Namespace
	}
	if e.o.NodePool != "" {
		job.NodePool = &e.o.NodePool
	}
	if len(e.o.Datacenters) > 0 {
		job.Datacenters = e.o.Datacenters
	}
	if e.o.Priority > 0 {
		job.Priority = &e.o.Priority
	}
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

func (e *Executor) resources(task *api.Task) {
	if task.Resources == nil {
		task.Resources = &api.Resources{}
	}
	if e.o.CPU > 0 {
		task.Resources.CPU = &e.o.CPU
	}
	if e.o.Memory > 0 {
		task.Resources.MemoryMB = ptr(int((e.o.Memory + 1<<20 - 1) >> 20))
	}
}

func ptr[T any](v T) *T { return &v }

package nomad

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"

	"github.com/fanout-dev/fanout/internal/nomad/internal/about"
	"github.com/fanout-dev/fanout/internal/nomad/internal/answer"
	"github.com/fanout-dev/fanout/internal/nomad/internal/jobs"
	"github.com/fanout-dev/fanout/internal/nomad/internal/jobspec"
	"github.com/fanout-dev/fanout/internal/nomad/internal/quota"
	"github.com/fanout-dev/fanout/internal/nomad/internal/reason"
	"github.com/fanout-dev/fanout/templates"
)

// planned lists the classes of the planned runs, in a fixed order.
func (e *Executor) planned() []*class {
	by := map[string]*class{}
	for st := range e.sweep.All() {
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
		e.say("no node has room for a shard now: " + obstacles)
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
	c.driver = task.Driver
	for n, raced := 0, true; raced; raced = answer.Conflicted(err) && ctx.Err() == nil && n < maxRaces {
		n++
		index, taken := e.currentIndex(ctx, c)
		if taken != nil {
			return "", taken
		}
		err = e.retry(ctx, c.place, "register job "+c.id, func(ctx context.Context) error {
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
	return reason.Obstacles(slices.Collect(maps.Values(plan.FailedTGAllocs)), task.Driver), nil
}

// maxRaces is how often a job is registered that others change meanwhile.
const maxRaces = 20

// currentIndex returns the index at which the job may be replaced. It refuses to
// take a job from a copy of the sweep elsewhere that still uses it.
func (e *Executor) currentIndex(ctx context.Context, c *class) (index uint64, err error) {
	var job *api.Job
	err = e.retry(ctx, c.place, "look for job "+c.id, func(ctx context.Context) (err error) {
		job, _, err = e.client.Jobs().Info(c.id, c.place.query(ctx))
		if answer.Missing(err) {
			job, err = nil, nil
		}
		return err
	})
	if err != nil || job == nil {
		return 0, err
	}
	stopped := job.Stop != nil && *job.Stop
	if where := job.Meta[about.Where]; !stopped && where != "" && where != e.o.Dir {
		return 0, &takenError{c.id, where}
	}
	if job.JobModifyIndex == nil {
		return 0, fmt.Errorf("look for job %s: the answer has no index", c.id)
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

// parse has the server parse the specification, the user's or else ours: only the
// server knows all of HCL.
func (e *Executor) parse(ctx context.Context, ours []byte) (job *api.Job, err error) {
	text := e.o.Job
	if text == nil {
		text = ours
	}
	err = e.retry(ctx, place{}, "parse the job", func(ctx context.Context) (err error) {
		job, err = jobs.Parse(ctx, e.client, string(text))
		return err
	})
	if answer.Status(err) != http.StatusBadRequest {
		return job, err // not about the specification
	}
	if e.o.Job != nil {
		err = errors.New(strings.ReplaceAll(err.Error(), "input.hcl", e.o.JobFile))
	}
	return nil, e.spec().Mistake(err)
}

// workerTask checks what fanout relies on and returns the task of the worker.
func (e *Executor) workerTask(job *api.Job) (*api.Task, error) {
	if job.Periodic != nil {
		return nil, e.spec().Mistake(errors.New("the job is periodic; fanout dispatches it itself"))
	}
	return e.spec().Task(job, "worker")
}

// payloadFile is where Nomad puts the payload of a dispatch.
const payloadFile = "shard.json"

// configure sets what fanout decides.
func (e *Executor) configure(job *api.Job, task *api.Task, c *class) {
	job.ID, job.Name = &c.id, &c.id
	about.Job(job, e.o.Dir, e.sweep)
	if e.o.Class != "" {
		job.SetMeta(quota.Meta, e.o.Class)
	}
	job.Type = ptr(api.JobTypeBatch)
	c.Put(job)
	jobspec.NeverRestart(job)
	for _, t := range job.TaskGroups[0].Tasks {
		t.DispatchPayload = nil
	}
	task.DispatchPayload = &api.DispatchPayloadConfig{File: payloadFile}
	e.spec().Equip(task, "worker", "--payload", "${NOMAD_TASK_DIR}/"+payloadFile)
	c.resources(task)
}

// spec is what the options say of jobs.
func (e *Executor) spec() jobspec.Spec {
	o := e.o
	s := jobspec.Spec{Command: o.Command, Driver: o.Driver, Image: o.Image, Artifact: o.Artifact, Env: o.Env, EnvFrom: o.EnvFrom, Grace: o.Grace}
	if o.Job != nil {
		s.Own, s.File = true, o.JobFile
	}
	return s
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

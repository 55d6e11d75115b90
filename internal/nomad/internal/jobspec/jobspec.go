// Package jobspec composes the jobs that run fanout: it checks a specification, the
// user's or fanout's own, for what fanout relies on, and sets what fanout decides
// about its task. It asks no cluster.
package jobspec

import (
	"fmt"
	"maps"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/fanout-dev/fanout/internal/unit"
)

// A Spec is what the user says of the task that runs fanout. See nomad.Options.
type Spec struct {
	Own  bool   // the specification is the user's
	File string // and its name

	Command, Driver, Image, Artifact string
	Env                              map[string]string
	EnvFrom                          string
	Grace                            time.Duration
}

// Mistake reports a mistake in the specification.
func (s Spec) Mistake(err error) error {
	file := "job"
	if s.Own {
		file = s.File
	}
	return unit.Mistake(unit.WithHint(fmt.Errorf("%s: %w", file, err), "docs/nomad.md shows the specification that fanout uses by default"))
}

// Task returns the task of a batch job that has this name, or is its only one.
func (s Spec) Task(job *api.Job, name string) (*api.Task, error) {
	task, err := onlyTask(job, name)
	if err != nil {
		return nil, s.Mistake(err)
	}
	return task, nil
}

func onlyTask(job *api.Job, name string) (*api.Task, error) {
	switch {
	case job.Type != nil && *job.Type != api.JobTypeBatch:
		return nil, fmt.Errorf("the job is of type %s, want batch", *job.Type)
	case len(job.TaskGroups) != 1 || job.TaskGroups[0] == nil:
		return nil, fmt.Errorf("the job has %d groups, want one", len(job.TaskGroups))
	case job.TaskGroups[0].Count != nil && *job.TaskGroups[0].Count != 1:
		return nil, fmt.Errorf("the group has count %d, want 1", *job.TaskGroups[0].Count)
	}
	tasks := job.TaskGroups[0].Tasks
	for _, t := range tasks {
		if t != nil && (t.Name == name || len(tasks) == 1) {
			return t, nil
		}
	}
	return nil, fmt.Errorf("the group has several tasks and none is called %s", name)
}

// disconnectedFor is how long Nomad waits for a disconnected node before it starts
// a second allocation beside one that may be alive. fanout gives a shard up
// sooner, when its worker is silent, and ensures that no run is executed twice.
const disconnectedFor = 24 * time.Hour

// Equip makes a task run fanout with these arguments.
func (s Spec) Equip(task *api.Task, args ...string) {
	s.Program(task)
	task.Config["args"] = args
	s.environment(task)
	s.stopGracefully(task)
}

// stopGracefully gives a stopped task time to record how far it came.
func (s Spec) stopGracefully(task *api.Task) {
	task.KillSignal = "SIGTERM"
	task.KillTimeout = ptr(max(s.Grace+10*time.Second, 30*time.Second))
}

// NeverRestart keeps Nomad from restarting a task: fanout decides about retries.
func NeverRestart(job *api.Job) {
	group := job.TaskGroups[0]
	job.Reschedule = nil
	group.RestartPolicy = &api.RestartPolicy{Attempts: ptr(0), Mode: ptr("fail")}
	group.ReschedulePolicy = &api.ReschedulePolicy{Attempts: ptr(0), Unlimited: ptr(false)}
	group.Disconnect = &api.DisconnectStrategy{LostAfter: ptr(disconnectedFor), Replace: ptr(false)}
	for _, t := range group.Tasks {
		t.RestartPolicy = nil
	}
}

// Program sets what the task runs, and how.
func (s Spec) Program(task *api.Task) {
	if task.Config == nil {
		task.Config = map[string]any{}
	}
	if s.Image != "" {
		task.Config["image"] = s.Image
		if !s.Own {
			task.Driver = "docker"
		}
	}
	if s.Driver != "" {
		task.Driver = s.Driver
	}
	if s.Artifact != "" {
		task.Artifacts = append(task.Artifacts, &api.TaskArtifact{GetterSource: &s.Artifact})
		if !s.Own {
			task.Config["command"] = "local/fanout"
		}
	}
	if s.Command != "" {
		task.Config["command"] = s.Command
	}
}

// environment gives the worker its settings, and secrets by the name of a
// Nomad variable: their values never pass through a job or a payload.
func (s Spec) environment(task *api.Task) {
	if task.Env == nil {
		task.Env = map[string]string{}
	}
	task.Env["FANOUT_NODE"] = "${node.unique.name}"
	maps.Copy(task.Env, s.Env)
	if s.EnvFrom == "" {
		return
	}
	text := fmt.Sprintf("{{ with nomadVar %q }}{{ range .Tuples }}{{ .K }}={{ .V | toJSON }}\n{{ end }}{{ end }}", s.EnvFrom)
	// By default it could be read by everybody on the client who learns the allocation's id.
	task.Templates = append(task.Templates, &api.Template{EmbeddedTmpl: &text, DestPath: ptr("secrets/fanout.env"), Envvars: ptr(true), Perms: ptr("600")})
}

func ptr[T any](v T) *T { return &v }

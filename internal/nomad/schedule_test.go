package nomad

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"

	"github.com/fanout-dev/fanout/internal/cron"
	"github.com/fanout-dev/fanout/internal/nomad/nomadtest"
)

// A firing of Nomad is due when package cron says, over both changes of the clocks:
// a schedule that moves to a cluster or away from one has the same dates.
func TestNomadFiresWhenCronSays(t *testing.T) {
	crons := []string{"30 2 * * *", "0 0 * * *", "15 */6 * * MON-FRI"}
	for _, zone := range []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Asia/Kathmandu"} {
		p := periodic(crons, zone)
		loc, err := p.GetLocation()
		if err != nil {
			t.Fatal(err)
		}
		at := time.Date(2026, 1, 1, 0, 0, 0, 0, loc)
		for at.Year() < 2027 {
			want, err := p.Next(at)
			if err != nil {
				t.Fatal(err)
			}
			got, err := cron.Next(crons, zone, at)
			if err != nil || !got.Equal(want) || got.Format(time.RFC3339) != want.Format(time.RFC3339) {
				t.Fatalf("%s after %s: %s, %v, want %s", zone, at, got, err, want)
			}
			at = want
		}
	}
}

func batch(tasks ...*api.Task) *api.Job {
	return &api.Job{Type: ptr(api.JobTypeBatch), TaskGroups: []*api.TaskGroup{{Tasks: tasks}}}
}

// TestScheduleShape refuses specifications that cannot be a schedule.
func TestScheduleShape(t *testing.T) {
	task := &api.Task{Name: "mine"}
	for want, job := range map[string]*api.Job{
		"of type service":             {Type: ptr(api.JobTypeService)},
		"the job is already periodic": {Periodic: &api.PeriodicConfig{}},
		"the job is parameterized":    {ParameterizedJob: &api.ParameterizedJobConfig{}},
		"has 0 groups":                {},
		"has count 2":                 {TaskGroups: []*api.TaskGroup{{Count: ptr(2)}}},
		"none is called fanout":       batch(task, &api.Task{Name: "other"}),
	} {
		if _, err := (&Schedules{Executor: &Executor{}}).runTask(job); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for _, job := range []*api.Job{batch(task), batch(&api.Task{Name: "side"}, &api.Task{Name: "fanout"})} {
		if got, err := (&Schedules{Executor: &Executor{}}).runTask(job); err != nil || got.Name == "side" {
			t.Errorf("%v, %v", got, err)
		}
	}
}

// TestScheduleEquip leaves what the user wrote and decides what fanout must.
func TestScheduleEquip(t *testing.T) {
	t.Setenv("NOMAD_ADDR", "http://127.0.0.1:1")
	t.Setenv("NOMAD_TOKEN", "a-secret")
	all, err := NewSchedules(Options{Command: "/opt/fanout", EnvFrom: "nomad/jobs/x", Env: map[string]string{"FANOUT_JOBS": "3"}, Priority: 70})
	if err != nil {
		t.Fatal(err)
	}
	task := &api.Task{Name: "fanout", Driver: "exec", RestartPolicy: &api.RestartPolicy{Attempts: ptr(9)}, Env: map[string]string{"MINE": "1"}}
	job := batch(task)
	job.Meta = map[string]string{"team": "risk"}
	in := Schedule{ID: "fanout-schedule-x-1", Sweep: "x", Store: "/data/x.sweep", Crons: []string{"0 2 * * *"}, Zone: "Europe/Berlin", Args: []string{"schedule", "fire"}}
	all.configure(job, task, in)
	if d := cmp.Diff(map[string]string{"MINE": "1", "FANOUT_JOBS": "3", "NOMAD_ADDR": "http://127.0.0.1:1", "FANOUT_NODE": "${node.unique.name}"}, task.Env); d != "" {
		t.Errorf("environment (-want +got):\n%s", d)
	}
	if d := cmp.Diff(map[string]string{"team": "risk", "fanout_sweep": "x", "fanout_store": "/data/x.sweep"}, job.Meta); d != "" {
		t.Errorf("meta (-want +got):\n%s", d)
	}
	p, group := job.Periodic, job.TaskGroups[0]
	if !*p.ProhibitOverlap || *p.TimeZone != "Europe/Berlin" || p.Specs[0] != "0 2 * * *" || *job.Priority != 70 {
		t.Errorf("%+v", p)
	}
	if task.RestartPolicy != nil || *group.RestartPolicy.Attempts != 0 || *group.ReschedulePolicy.Attempts != 0 || *group.ReschedulePolicy.Unlimited || *group.Disconnect.Replace {
		t.Error("the job may be made twice")
	}
	if task.Driver != "exec" || task.Config["command"] != "/opt/fanout" || len(task.Templates) != 1 {
		t.Errorf("%+v", task)
	}
	task.Env["NOMAD_ADDR"] = "http://10.0.0.1:4646"
	if all.configure(job, task, in); task.Env["NOMAD_ADDR"] != "http://10.0.0.1:4646" {
		t.Errorf("the user's address became %s", task.Env["NOMAD_ADDR"])
	}
}

// A token that may not purge stops the schedule: it fires no more.
func TestRemoveWithoutPurge(t *testing.T) {
	s := nomadtest.New(t)
	t.Setenv("NOMAD_ADDR", s.URL)
	s.NoPurge()
	all, err := NewSchedules(Options{Command: "/opt/fanout"})
	if err != nil {
		t.Fatal(err)
	}
	in := Schedule{Sweep: "x", Store: "/data/x.sweep", Crons: []string{"0 2 * * *"}, Zone: "UTC"}
	if _, err := all.Put(t.Context(), &in); err != nil {
		t.Fatal(err)
	}
	if _, err := all.Remove(t.Context(), in.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := all.Force(t.Context(), in.ID); err == nil {
		t.Error("it still fires")
	}
	left, err := all.List(t.Context())
	if err != nil || len(left) > 1 || len(left) == 1 && !(left[0].Stopped && left[0].Next.IsZero()) {
		t.Errorf("%+v, %v", left, err)
	}
}

// A schedule that somebody broke is a problem of its line; the others are listed.
func TestListWithABrokenSchedule(t *testing.T) {
	s := nomadtest.New(t)
	t.Setenv("NOMAD_ADDR", s.URL)
	all, err := NewSchedules(Options{Command: "/opt/fanout"})
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{}
	for _, name := range []string{"a", "b", "c"} {
		in := Schedule{Sweep: name, Store: "/data/" + name + ".sweep", Crons: []string{"0 2 * * *"}, Zone: "UTC"}
		if _, err := all.Put(t.Context(), &in); err != nil {
			t.Fatal(err)
		}
		ids[name] = in.ID
	}
	job, err := all.info(t.Context(), ids["b"])
	if err != nil {
		t.Fatal(err)
	}
	job.Periodic.Specs = []string{"99 * * * *"}
	if _, _, err := all.client.Jobs().Register(job, nil); err != nil {
		t.Fatal(err)
	}
	found, err := all.List(t.Context())
	if err != nil || len(found) != 3 {
		t.Fatalf("%+v, %v", found, err)
	}
	for _, v := range found {
		if broken := v.Sweep == "b"; broken != strings.Contains(v.Problem, "99 * * * *") || broken != v.Next.IsZero() || v.ID != ids[v.Sweep] {
			t.Errorf("%+v", v)
		}
	}
}

package nomad

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/fanout-dev/fanout/templates"
)

// Schedules are periodic jobs, each of which makes one sweep grow: a firing
// runs `fanout run` for the time it was to fire at.
type Schedules struct {
	client *api.Client
	o      Options
}

// NewSchedules reaches the cluster that the environment and the options name.
func NewSchedules(o Options) (*Schedules, error) {
	client, err := connect(o)
	return &Schedules{client, o}, err
}

// A Schedule says when which sweep is made.
type Schedule struct {
	ID    string // of its job
	Sweep string // its name
	Store string // where it is
	Crons []string
	Zone  string   // that the crons are in
	Args  []string // of the fanout command that a firing is; not read back

	Stopped bool
	Next    time.Time // in Zone; zero when it fires no more
	Last    *Firing   // nil when Nomad knows of none
}

// A Firing is one run of a schedule's job.
type Firing struct {
	ID     string    // of its job
	At     time.Time // when it was to fire
	State  string    // waiting, running, ended or forgotten
	Code   int       // exit code of fanout, when it ended
	Reason string    // why it ended without one
}

// The keys of a schedule's job by which it is known again.
const (
	metaSweep = "fanout_sweep"
	metaStore = "fanout_store"
)

// firingMark divides the id of a schedule's job from the time of a firing.
const firingMark = api.JobPeriodicLaunchSuffix

// FiringTime is when the firing with this job id was to fire. Nomad names it
// in NOMAD_JOB_ID.
func FiringTime(job string) (time.Time, error) {
	_, digits, found := strings.Cut(job, firingMark)
	unix, err := strconv.ParseInt(digits, 10, 64)
	if !found || err != nil {
		return time.Time{}, fmt.Errorf("job %q is no firing of a schedule", job)
	}
	return time.Unix(unix, 0), nil
}

// NextFiring is when crons fire for the first time after a moment, in the zone;
// zero is never. It is what Nomad computes: a time that a change of the clocks
// leaves out does not fire, one that comes twice fires twice.
func NextFiring(crons []string, zone string, after time.Time) (time.Time, error) {
	p := periodic(crons, zone)
	loc, err := p.GetLocation()
	if err != nil {
		return time.Time{}, fmt.Errorf("time zone %q: there is no such zone", zone)
	}
	var first time.Time
	for _, spec := range crons {
		next, err := periodic([]string{spec}, zone).Next(after.In(loc))
		if err != nil {
			return time.Time{}, fmt.Errorf("cron %q: %s", spec, lastPart(err.Error()))
		}
		if first.IsZero() || !next.IsZero() && next.Before(first) {
			first = next
		}
	}
	return first, nil
}

// lastPart is what a chain of words about one mistake ends with.
func lastPart(text string) string {
	parts := strings.Split(text, ": ")
	if n := len(parts); n > 1 && strings.HasPrefix(parts[n-1], "'") {
		return strings.Join(parts[n-2:], ": ")
	}
	return parts[len(parts)-1]
}

func periodic(crons []string, zone string) *api.PeriodicConfig {
	return &api.PeriodicConfig{
		Enabled: ptr(true), Specs: crons, SpecType: ptr(api.PeriodicSpecCron), ProhibitOverlap: ptr(true), TimeZone: &zone,
	}
}

// Put registers a schedule, in place of the one that the sweep has, and fills
// in its id and its next firing. replaced says that there was one.
func (s *Schedules) Put(ctx context.Context, in *Schedule) (replaced bool, err error) {
	in.ID = parentID("schedule-"+in.Sweep, in.Store)
	if in.Next, err = NextFiring(in.Crons, in.Zone, time.Now()); err != nil {
		return false, err
	}
	job, err := s.parse()
	if err != nil {
		return false, err
	}
	task, err := s.shape(job)
	if err != nil {
		return false, &specError{s.file(), err}
	}
	s.equip(job, task, *in)
	before, err := s.info(ctx, in.ID)
	if err != nil && !isNotFound(err) {
		return false, explain("look for schedule "+in.ID, err)
	}
	_, _, err = s.client.Jobs().RegisterOpts(job, nil, s.write(ctx))
	return before != nil, explain("register schedule "+in.ID, err)
}

func (s *Schedules) file() string {
	if s.o.Job == nil {
		return "job"
	}
	return s.o.JobFile
}

// parse lets the server read the specification.
func (s *Schedules) parse() (*api.Job, error) {
	text := s.o.Job
	if text == nil {
		text = templates.NomadSchedule()
	}
	job, err := s.client.Jobs().ParseHCLOpts(&api.JobsParseRequest{JobHCL: string(text)})
	if err == nil {
		return job, nil
	}
	err = explain("parse the job", err)
	if s.o.Job != nil {
		err = &specError{s.o.JobFile, errors.New(strings.ReplaceAll(err.Error(), "input.hcl", s.o.JobFile))}
	}
	return nil, err
}

// shape checks what fanout relies on and returns the task that is fanout: the
// one that is called so, or the only one.
func (s *Schedules) shape(job *api.Job) (*api.Task, error) {
	switch {
	case job.Type != nil && *job.Type != api.JobTypeBatch:
		return nil, fmt.Errorf("the job is of type %s, want batch", *job.Type)
	case job.Periodic != nil:
		return nil, errors.New("the job is periodic; --cron and --tz say when it fires")
	case job.ParameterizedJob != nil:
		return nil, errors.New("the job is parameterized; a schedule has no parameters")
	case len(job.TaskGroups) != 1:
		return nil, fmt.Errorf("the job has %d groups, want one", len(job.TaskGroups))
	case job.TaskGroups[0].Count != nil && *job.TaskGroups[0].Count != 1:
		return nil, fmt.Errorf("the group has count %d, want 1", *job.TaskGroups[0].Count)
	}
	tasks := job.TaskGroups[0].Tasks
	for _, t := range tasks {
		if t.Name == "fanout" || len(tasks) == 1 {
			return t, nil
		}
	}
	return nil, errors.New("the group has several tasks and none is called fanout")
}

// equip sets what is fanout's to decide.
func (s *Schedules) equip(job *api.Job, task *api.Task, in Schedule) {
	e := &Executor{o: s.o}
	e.place(job)
	job.ID, job.Name = &in.ID, &in.ID
	job.Type = ptr(api.JobTypeBatch)
	job.Periodic = periodic(in.Crons, in.Zone)
	if job.Meta == nil {
		job.Meta = map[string]string{}
	}
	job.Meta[metaSweep], job.Meta[metaStore] = in.Sweep, in.Store
	job.Reschedule = nil
	group := job.TaskGroups[0]
	group.RestartPolicy = &api.RestartPolicy{Attempts: ptr(0), Mode: ptr("fail")}
	group.ReschedulePolicy = &api.ReschedulePolicy{Attempts: ptr(0), Unlimited: ptr(false)}
	group.Disconnect = &api.DisconnectStrategy{LostAfter: ptr(lostAfter), Replace: ptr(false)}
	for _, t := range group.Tasks {
		t.RestartPolicy = nil
	}
	if task.Config == nil {
		task.Config = map[string]any{}
	}
	if s.o.Command != "" {
		task.Config["command"] = s.o.Command
	}
	if s.o.Image != "" {
		task.Config["image"] = s.o.Image
	}
	task.Config["args"] = in.Args
	e.environment(task)
	if task.Env["NOMAD_ADDR"] == "" {
		task.Env["NOMAD_ADDR"] = s.client.Address()
	}
	task.KillSignal = "SIGTERM"
	task.KillTimeout = ptr(max(s.o.Grace+10*time.Second, 30*time.Second))
}

// List returns every schedule in the namespace.
func (s *Schedules) List(ctx context.Context) ([]Schedule, error) {
	jobs, err := s.jobs(ctx, "fanout-schedule-")
	if err != nil {
		return nil, err
	}
	var all []Schedule
	for _, j := range jobs {
		if !j.Periodic || j.Meta[metaStore] == "" || strings.Contains(j.ID, firingMark) {
			continue
		}
		v, err := s.read(ctx, j)
		if err != nil {
			return nil, err
		}
		if last := newest(firingsOf(jobs, j.ID)); last != nil {
			if v.Last, err = s.firing(ctx, last); err != nil {
				return nil, err
			}
		}
		all = append(all, v)
	}
	return all, nil
}

// read asks for what a listing does not say of a schedule.
func (s *Schedules) read(ctx context.Context, j *api.JobListStub) (Schedule, error) {
	v := Schedule{ID: j.ID, Sweep: j.Meta[metaSweep], Store: j.Meta[metaStore], Stopped: j.Stop}
	job, err := s.info(ctx, j.ID)
	if err != nil {
		return v, explain("read schedule "+j.ID, err)
	}
	if p := job.Periodic; p != nil {
		v.Crons = p.Specs
		if p.TimeZone != nil {
			v.Zone = *p.TimeZone
		}
	}
	if !v.Stopped {
		v.Next, err = NextFiring(v.Crons, v.Zone, time.Now())
	}
	return v, err
}

// Remove takes a schedule away and returns the firings that go on.
func (s *Schedules) Remove(ctx context.Context, id string) (running []string, err error) {
	jobs, err := s.jobs(ctx, id+firingMark)
	if err != nil {
		return nil, err
	}
	for _, j := range firingsOf(jobs, id) {
		f, err := s.firing(ctx, j)
		if err != nil {
			return nil, err
		}
		if f.State == "running" || f.State == "waiting" {
			running = append(running, f.ID)
		}
	}
	_, _, err = s.client.Jobs().DeregisterOpts(id, &api.DeregisterOptions{Purge: true}, s.write(ctx))
	if statusOf(err) == http.StatusForbidden {
		return running, &clusterError{explain("remove schedule "+id, err), "NOMAD_TOKEN needs purge-job in the namespace, beside what fanout run needs"}
	}
	return running, explain("remove schedule "+id, err)
}

// findFiring is how long a firing that was forced may take to be seen.
const findFiring = 10 * time.Second

// Force fires a schedule now, whether or not a firing is running, and returns
// the id of the firing's job. Nomad does not name it: it is the newest. Two in
// one second are one.
func (s *Schedules) Force(ctx context.Context, id string) (string, error) {
	began := time.Now().Truncate(time.Second)
	if _, _, err := s.client.Jobs().PeriodicForce(id, s.write(ctx)); err != nil {
		return "", explain("fire schedule "+id, err)
	}
	for {
		jobs, err := s.jobs(ctx, id+firingMark)
		if err != nil {
			return "", err
		}
		// The server's clock may be behind ours.
		if j := newest(firingsOf(jobs, id)); j != nil && (time.Since(began) > findFiring/2 || !timeOf(j).Before(began)) {
			return j.ID, nil
		}
		if time.Since(began) > findFiring {
			return "", fmt.Errorf("fire schedule %s: Nomad has accepted it, and no job of it is to be seen", id)
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// firingsOf are the firings of a schedule among jobs.
func firingsOf(jobs []*api.JobListStub, id string) []*api.JobListStub {
	return slices.DeleteFunc(slices.Clone(jobs), func(j *api.JobListStub) bool { return !strings.HasPrefix(j.ID, id+firingMark) })
}

func newest(firings []*api.JobListStub) *api.JobListStub {
	if len(firings) == 0 {
		return nil
	}
	return slices.MaxFunc(firings, func(a, b *api.JobListStub) int { return timeOf(a).Compare(timeOf(b)) })
}

func timeOf(j *api.JobListStub) time.Time {
	t, _ := FiringTime(j.ID)
	return t
}

// firing asks how a firing goes or went.
func (s *Schedules) firing(ctx context.Context, j *api.JobListStub) (*Firing, error) {
	f := &Firing{ID: j.ID, At: timeOf(j)}
	allocs, _, err := s.client.Jobs().Allocations(j.ID, true, s.query(ctx))
	if err != nil {
		return nil, explain("read how "+j.ID+" went", err)
	}
	a := terminal(allocs)
	switch {
	case a != nil:
		f.State = "ended"
		f.Code, f.Reason = exitOf(a)
	case len(allocs) > 0:
		f.State = "running"
	case j.Stop || j.Status == "dead":
		f.State = "forgotten"
	default:
		f.State = "waiting"
	}
	return f, nil
}

// exitOf is the exit code that a firing's task ended with, or why there is
// none.
func exitOf(a *api.AllocationListStub) (code int, why string) {
	ended := false
	for _, t := range a.TaskStates {
		for _, ev := range t.Events {
			if ev.Type == api.TaskTerminated {
				ended, code = true, max(code, ev.ExitCode)
			}
		}
	}
	if ended {
		return code, ""
	}
	return -1, reason(a)
}

func (s *Schedules) jobs(ctx context.Context, prefix string) ([]*api.JobListStub, error) {
	q := s.query(ctx)
	q.Prefix = prefix
	jobs, _, err := s.client.Jobs().ListOptions(&api.JobListOptions{Fields: &api.JobListFields{Meta: true}}, q)
	return jobs, explain("list jobs", err)
}

func (s *Schedules) info(ctx context.Context, id string) (*api.Job, error) {
	job, _, err := s.client.Jobs().Info(id, s.query(ctx))
	return job, err
}

func isNotFound(err error) bool { return statusOf(err) == http.StatusNotFound }

func (s *Schedules) write(ctx context.Context) *api.WriteOptions {
	return (&api.WriteOptions{Region: s.o.Region, Namespace: s.o.Namespace}).WithContext(ctx)
}

func (s *Schedules) query(ctx context.Context) *api.QueryOptions {
	return (&api.QueryOptions{Region: s.o.Region, Namespace: s.o.Namespace}).WithContext(ctx)
}

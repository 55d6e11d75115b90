package nomad

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/fanout-dev/fanout/internal/cron"
	"github.com/fanout-dev/fanout/internal/nomad/internal/alloc"
	"github.com/fanout-dev/fanout/internal/nomad/internal/answer"
	"github.com/fanout-dev/fanout/internal/nomad/internal/jobs"
	"github.com/fanout-dev/fanout/internal/nomad/internal/jobspec"
	"github.com/fanout-dev/fanout/internal/nomad/internal/reason"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/templates"
)

// Schedules are periodic jobs, each of which extends one sweep: a firing executes
// `fanout run` for the time at which it was due.
type Schedules struct {
	*Executor // of no sweep
	place     place
}

// askLimit is how long all questions to a cluster about schedules may take together:
// it may be one that is slow to answer each.
const askLimit = 2 * time.Minute

// asking is ctx for all of that, and tells people what is waited for if it takes long.
func (e *Executor) asking(ctx context.Context, p place) (context.Context, func()) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	told := time.AfterFunc(awayAfter, func() { e.say(fmt.Sprintf("fanout waits for answers of %s, for up to %s", p, unit.Duration(askLimit))) })
	return ctx, func() { told.Stop(); cancel() }
}

// NewSchedules returns the schedules of the cluster that the environment and the
// options name.
func NewSchedules(o Options) (*Schedules, error) {
	e, err := withoutSweep(o)
	return &Schedules{e, place{o.Region, o.Namespace}}, err
}

// A Schedule is which sweep is run when.
type Schedule struct {
	ID    string // of its job
	Sweep string // its name
	Store string // where it is
	Crons []string
	Zone  string   // of the crons
	Args  []string // of the fanout command of a firing; not read back

	Stopped bool
	Next    time.Time // in Zone; zero when it no longer fires
	Last    *Firing   // the one that runs, or else the latest; nil when Nomad knows none
	Problem string    // why the rest is not known
}

// A Firing is one run of a schedule's job.
type Firing struct {
	ID     string    // of its job
	At     time.Time // when it was due
	State  string    // waiting, running, ended or forgotten
	Code   int       // exit code of fanout, when it ended
	Reason string    // why it ended without one, or could not finish
}

// The meta keys by which a schedule's job is recognized.
const (
	metaSweep = "fanout_sweep"
	metaStore = "fanout_store"
)

// FiringTime returns when the firing with this job id was due. Nomad passes the
// id in NOMAD_JOB_ID.
func FiringTime(id string) (time.Time, error) { return jobs.FiringTime(id) }

// Put registers a schedule and fills in its id and its next firing. replaced
// reports whether the sweep had one already.
func (s *Schedules) Put(ctx context.Context, in *Schedule) (replaced bool, err error) {
	ctx, cancel := s.asking(ctx, s.place)
	defer cancel()
	in.ID = jobspec.ScheduleID(in.Sweep, in.Store)
	if in.Next, err = cron.Next(in.Crons, in.Zone, time.Now()); err != nil {
		return false, err
	}
	job, err := s.parse(ctx, templates.NomadSchedule())
	if err != nil {
		return false, err
	}
	task, err := s.runTask(job)
	if err != nil {
		return false, err
	}
	if err := s.configure(job, task, *in); err != nil {
		return false, err
	}
	before, err := s.info(ctx, in.ID)
	if err != nil && !answer.Missing(err) {
		return false, answer.Explain("look for schedule "+in.ID, err)
	}
	_, _, err = s.client.Jobs().RegisterOpts(job, nil, s.place.write(ctx, ""))
	return before != nil, answer.Explain("register schedule "+in.ID, err)
}

// runTask checks what fanout relies on and returns the task that runs fanout.
func (s *Schedules) runTask(job *api.Job) (*api.Task, error) {
	switch {
	case job.Periodic != nil:
		return nil, s.spec().Mistake(errors.New("the job is already periodic; --cron and --tz set when it fires"))
	case job.ParameterizedJob != nil:
		return nil, s.spec().Mistake(errors.New("the job is parameterized; a schedule has no parameters"))
	}
	return s.spec().Task(job, "fanout")
}

// configure sets what fanout decides.
func (s *Schedules) configure(job *api.Job, task *api.Task, in Schedule) error {
	c, err := s.newClass(classKey{}, classKey{})
	if err != nil {
		return err
	}
	c.Put(job)
	job.ID, job.Name = &in.ID, &in.ID
	job.Type = ptr(api.JobTypeBatch)
	job.Periodic = periodic(in.Crons, in.Zone)
	job.SetMeta(metaSweep, in.Sweep).SetMeta(metaStore, in.Store)
	jobspec.NeverRestart(job)
	s.spec().Equip(task, in.Args...)
	if task.Env["NOMAD_ADDR"] == "" {
		task.Env["NOMAD_ADDR"] = s.client.Address()
	}
	return nil
}

// periodic is what a job says of when it fires.
func periodic(crons []string, zone string) *api.PeriodicConfig {
	return &api.PeriodicConfig{Enabled: ptr(true), Specs: crons, SpecType: ptr(api.PeriodicSpecCron), ProhibitOverlap: ptr(true), TimeZone: &zone}
}

// List returns every schedule in the namespace.
func (s *Schedules) List(ctx context.Context) ([]Schedule, error) {
	ctx, cancel := s.asking(ctx, s.place)
	defer cancel()
	all, err := s.jobs(ctx, "fanout-schedule-")
	if err != nil {
		return nil, err
	}
	var found []Schedule
	for _, j := range all {
		if !j.Periodic || j.Meta[metaStore] == "" || jobs.IsFiring(j.ID) {
			continue
		}
		v, err := s.read(ctx, j)
		if last := jobs.Current(jobs.Firings(all, j.ID)); err == nil && last != nil {
			v.Last, err = s.firing(ctx, last)
		}
		if err != nil {
			v.Problem = err.Error()
		}
		found = append(found, v)
	}
	return found, nil
}

// read asks for what a listing of jobs leaves out.
func (s *Schedules) read(ctx context.Context, j *api.JobListStub) (Schedule, error) {
	v := Schedule{ID: j.ID, Sweep: j.Meta[metaSweep], Store: j.Meta[metaStore], Stopped: j.Stop}
	job, err := s.info(ctx, j.ID)
	if err != nil {
		return v, answer.Explain("read schedule "+j.ID, err)
	}
	if p := job.Periodic; p != nil {
		v.Crons = p.Specs
		if p.TimeZone != nil {
			v.Zone = *p.TimeZone
		}
	}
	if !v.Stopped {
		v.Next, err = cron.Next(v.Crons, v.Zone, time.Now())
	}
	return v, err
}

// Remove removes a schedule and returns the ids of firings that keep running.
func (s *Schedules) Remove(ctx context.Context, id string) (running []string, err error) {
	ctx, cancel := s.asking(ctx, s.place)
	defer cancel()
	all, err := s.jobs(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, j := range jobs.Firings(all, id) {
		f, err := s.firing(ctx, j)
		if err != nil {
			return nil, err
		}
		if f.State == "running" || f.State == "waiting" {
			running = append(running, f.ID)
		}
	}
	_, _, err = s.client.Jobs().DeregisterOpts(id, &api.DeregisterOptions{Purge: true}, s.place.write(ctx, ""))
	if answer.Status(err) == http.StatusForbidden { // stopped it fires no more, and Nomad collects it
		_, _, err = s.client.Jobs().Deregister(id, false, s.place.write(ctx, ""))
	}
	return running, answer.Explain("remove schedule "+id, err)
}

// findFiring is how long a forced firing may take to appear.
const findFiring = 10 * time.Second

// Force fires a schedule now, even while a firing is running, and returns the id
// of the firing's job: Nomad does not return it, so it is the newest. Two within
// one second are one.
func (s *Schedules) Force(ctx context.Context, id string) (string, error) {
	ctx, cancel := s.asking(ctx, s.place)
	defer cancel()
	began := time.Now().Truncate(time.Second)
	if _, _, err := s.client.Jobs().PeriodicForce(id, s.place.write(ctx, "")); err != nil {
		return "", answer.Explain("fire schedule "+id, err)
	}
	for {
		all, err := s.jobs(ctx, id)
		if err != nil {
			return "", err
		}
		// The server's clock may be behind ours.
		if j := jobs.Newest(jobs.Firings(all, id)); j != nil && (time.Since(began) > findFiring/2 || !jobs.TimeOf(j).Before(began)) {
			return j.ID, nil
		}
		if time.Since(began) > findFiring {
			return "", fmt.Errorf("fire schedule %s: Nomad accepted the request, but no job has appeared", id)
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// firing asks for the state of a firing.
func (s *Schedules) firing(ctx context.Context, j *api.JobListStub) (*Firing, error) {
	f := &Firing{ID: j.ID, At: jobs.TimeOf(j)}
	allocs, _, err := s.client.Jobs().Allocations(j.ID, true, s.place.query(ctx))
	if err != nil {
		return nil, answer.Explain("read how "+j.ID+" went", err)
	}
	var known []alloc.Alloc
	for _, a := range allocs {
		known = append(known, alloc.Of(a))
	}
	a := alloc.Terminal(known)
	switch {
	case a != nil:
		f.State = "ended"
		i := slices.IndexFunc(known, func(k alloc.Alloc) bool { return k.ID == a.ID })
		if f.Code = reason.ExitCode(allocs[i]); f.Code < 0 || f.Code == 1 {
			f.Reason = s.whyEnded(ctx, s.place, *a, false)
		}
	case len(allocs) > 0:
		f.State = "running"
	case j.Stop || j.Status == "dead":
		f.State = "forgotten"
	default:
		f.State = "waiting"
	}
	return f, nil
}

func (s *Schedules) jobs(ctx context.Context, prefix string) ([]*api.JobListStub, error) {
	all, err := jobs.List(s.client, prefix, s.place.query(ctx))
	return all, answer.Explain("list jobs", err)
}

func (s *Schedules) info(ctx context.Context, id string) (*api.Job, error) {
	job, _, err := s.client.Jobs().Info(id, s.place.query(ctx))
	return job, err
}

// Package jobs asks a cluster for jobs, and says what their ids mean.
//
// A server may be broken, or another than one thinks: jobs that nobody asked for are
// left out, so that nothing is done to them.
package jobs

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

// Prefix is the beginning of the ids of all jobs of fanout.
const Prefix = "fanout-"

// List lists the jobs whose ids begin with a prefix, with their meta keys.
func List(client *api.Client, prefix string, q *api.QueryOptions) ([]*api.JobListStub, error) {
	q.Prefix = prefix
	all, _, err := client.Jobs().ListOptions(&api.JobListOptions{Fields: &api.JobListFields{Meta: true}}, q)
	return slices.DeleteFunc(all, func(j *api.JobListStub) bool { return !strings.HasPrefix(j.ID, prefix) }), err
}

// Parse has the server parse a specification: only the server knows all of HCL.
func Parse(ctx context.Context, client *api.Client, text string) (*api.Job, error) {
	var job api.Job
	_, err := client.Raw().Write("/v1/jobs/parse", &api.JobsParseRequest{JobHCL: text}, &job, (&api.WriteOptions{}).WithContext(ctx))
	return &job, err
}

// dispatched is between the id of a parameterized job and what tells its children
// apart.
const dispatched = api.JobDispatchLaunchSuffix

// IsChild reports whether a job was dispatched from a parameterized one.
func IsChild(id string) bool { return strings.Contains(id, dispatched) }

// ChildOf is an error unless a job was dispatched from this one: what is not is
// somebody else's, and neither followed nor stopped.
func ChildOf(parent, id string) error {
	if rest, is := strings.CutPrefix(id, parent+dispatched); !is || rest == "" {
		return fmt.Errorf("the server says that it dispatched %.200q, which is no job of %s: the server is broken, or not Nomad", id, parent)
	}
	return nil
}

// firingMark separates the id of a schedule's job from the time of a firing.
const firingMark = api.JobPeriodicLaunchSuffix

// maxUnix is the last second of the year 9999, after which times have no text.
const maxUnix = 253402300799

// FiringTime returns when the firing with this job id was due. Nomad passes the
// id in NOMAD_JOB_ID.
func FiringTime(id string) (time.Time, error) {
	_, digits, found := strings.Cut(id, firingMark)
	unix, err := strconv.ParseInt(digits, 10, 64)
	if !found || err != nil || unix < 0 || unix > maxUnix {
		return time.Time{}, fmt.Errorf("job %.200q is not a firing of a schedule", id)
	}
	return time.Unix(unix, 0), nil
}

// IsFiring reports whether a job is a firing of a schedule.
func IsFiring(id string) bool { return strings.Contains(id, firingMark) }

// Firings selects the firings of a schedule.
func Firings(all []*api.JobListStub, schedule string) []*api.JobListStub {
	return slices.DeleteFunc(slices.Clone(all), func(j *api.JobListStub) bool { return !strings.HasPrefix(j.ID, schedule+firingMark) })
}

// Newest is the newest of some firings; nil if there are none.
func Newest(firings []*api.JobListStub) *api.JobListStub {
	if len(firings) == 0 {
		return nil
	}
	return slices.MaxFunc(firings, func(a, b *api.JobListStub) int { return TimeOf(a).Compare(TimeOf(b)) })
}

// Current is the newest firing that has not ended, or else the newest.
func Current(firings []*api.JobListStub) *api.JobListStub {
	alive := slices.DeleteFunc(slices.Clone(firings), func(j *api.JobListStub) bool { return j.Stop || j.Status == "dead" })
	if j := Newest(alive); j != nil {
		return j
	}
	return Newest(firings)
}

// TimeOf is when a firing was due.
func TimeOf(j *api.JobListStub) time.Time {
	t, _ := FiringTime(j.ID)
	return t
}

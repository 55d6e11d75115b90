// Package rights asks a cluster what a token may do, without doing it.
package rights

import (
	"context"
	"net/http"

	"github.com/hashicorp/nomad/api"

	"github.com/fanout-dev/fanout/internal/nomad/internal/answer"
	"github.com/fanout-dev/fanout/internal/nomad/internal/client"
	asked "github.com/fanout-dev/fanout/internal/nomad/internal/jobs"
)

// nothing is the id of a job that does not exist.
const nothing = "fanout-no-such-job"

// Lacks names the rights of a firing that a token does not have in a namespace of a
// region; empty are those of the environment. Nomad checks rights before it looks for
// the job, so requests about none change nothing.
func Lacks(ctx context.Context, token, region, namespace string) (names []string) {
	config := api.DefaultConfig()
	config.SecretID = token
	if region != "" {
		config.Region = region
	}
	if namespace != "" {
		config.Namespace = namespace
	}
	c, err := client.New(config)
	if err != nil {
		return nil
	}
	jobs, id := c.Jobs(), nothing
	job := &api.Job{ID: &id, Name: &id, Type: new(api.JobTypeBatch), TaskGroups: []*api.TaskGroup{api.NewTaskGroup("none", 1).AddTask(api.NewTask("none", "raw_exec").SetConfig("command", "true"))}}
	if region != "" {
		job.Region = &region
	}
	if namespace != "" {
		job.Namespace = &namespace
	}
	write, query := (&api.WriteOptions{}).WithContext(ctx), (&api.QueryOptions{}).WithContext(ctx)
	for _, right := range []struct {
		name string
		ask  func() error
	}{
		{"parse-job", func() error {
			_, err := asked.Parse(ctx, c, `job "none" {}`)
			return err
		}},
		{"register-job", func() error { _, _, err := jobs.EnforceRegister(job, 1, write); return err }},
		{"dispatch-job", func() error {
			_, _, err := jobs.Dispatch(id, nil, nil, "", write)
			return err
		}},
		{"deregister-job", func() error { _, _, err := jobs.Deregister(id, false, write); return err }},
		{"list-jobs", func() error { _, _, err := jobs.List(query); return err }},
		{"read-job", func() error { _, _, err := jobs.Info(id, query); return err }},
	} {
		err := right.ask()
		if answer.Status(err) == http.StatusForbidden {
			names = append(names, right.name)
		}
	}
	return names
}

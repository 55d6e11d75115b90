package jobspec

import (
	"testing"

	"github.com/hashicorp/nomad/api"
)

// What env_from names is read by the agent alone: the file that Nomad writes it to is
// nobody else's, and no value is in the job.
func TestSecretsAreTheAgents(t *testing.T) {
	task := &api.Task{}
	Spec{EnvFrom: "nomad/jobs"}.environment(task)
	if len(task.Templates) != 1 || task.Templates[0].Perms == nil || *task.Templates[0].Perms != "600" {
		t.Errorf("%+v", task.Templates)
	}
	if len(task.Env) != 1 {
		t.Errorf("%v", task.Env)
	}
}

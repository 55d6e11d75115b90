package nomad

import (
	"testing"

	"github.com/hashicorp/nomad/api"

	"github.com/fanout-dev/fanout/internal/lease"
	"github.com/fanout-dev/fanout/internal/nomad/nomadtest"
)

// The job says in Nomad's own pages whose sweep of which notebooks it executes.
func TestJobMeta(t *testing.T) {
	server := nomadtest.New(t)
	t.Setenv("NOMAD_ADDR", server.URL)
	s := oneRun(t)
	e, err := New(t.Context(), s, Options{Dir: "d", Command: "fanout", Parallel: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	client, err := api.NewClient(&api.Config{Address: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	registered := server.Jobs("")
	if len(registered) == 0 {
		t.Fatal("no job was registered")
	}
	job, _, err := client.Jobs().Info(registered[0], nil)
	if err != nil {
		t.Fatal(err)
	}
	head, _ := s.Head()
	for key, want := range map[string]string{"fanout_sweep": "d", "fanout_name": s.Name(), "fanout_user": lease.Me().User, "fanout_templates": head.Notebooks()[0]} {
		if got := job.Meta[key]; got != want || want == "" {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
}

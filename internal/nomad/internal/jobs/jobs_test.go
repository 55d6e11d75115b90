package jobs

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/hashicorp/nomad/api"
)

// When a firing was due is in its id; what has no text as a time is none.
func TestFiringTime(t *testing.T) {
	if at, err := FiringTime("fanout-schedule-x-0badcafe/periodic-1774830600"); err != nil || at.Unix() != 1774830600 {
		t.Errorf("%s, %v", at, err)
	}
	for _, id := range []string{"", "fanout-x/dispatch-1774830600-deadbeef", "x/periodic-", "x/periodic-soon", "x/periodic--1", "x/periodic-253402300800", "x/periodic-9223372036854775807"} {
		if at, err := FiringTime(id); err == nil {
			t.Errorf("%q: %s, want an error", id, at)
		}
	}
}

// The firing to show is the one that has not ended, though a later one has.
func TestCurrentFiring(t *testing.T) {
	at := func(unix, status string) *api.JobListStub {
		return &api.JobListStub{ID: "s" + firingMark + unix, Status: status}
	}
	for name, c := range map[string]struct {
		firings []*api.JobListStub
		want    string
	}{
		"none":            {nil, ""},
		"all have ended":  {[]*api.JobListStub{at("100", "dead"), at("300", "dead"), at("200", "dead")}, "300"},
		"an earlier runs": {[]*api.JobListStub{at("100", "running"), at("300", "dead"), at("200", "dead")}, "100"},
		"one waits":       {[]*api.JobListStub{at("100", "dead"), at("200", "pending")}, "200"},
		"two run":         {[]*api.JobListStub{at("200", "running"), at("100", "running")}, "200"},
		"one was stopped": {[]*api.JobListStub{{ID: "s" + firingMark + "100", Status: "pending", Stop: true}, at("200", "dead")}, "200"},
	} {
		got := Current(c.firings)
		if got == nil && c.want != "" || got != nil && got.ID != "s"+firingMark+c.want {
			t.Errorf("%s: %+v, want %s", name, got, c.want)
		}
	}
}

// Only what was dispatched from a job is its child.
func TestChildOf(t *testing.T) {
	for id, is := range map[string]bool{
		"p/dispatch-1-a": true, "p/dispatch-shard-x-1-a": true,
		"": false, "p": false, "p/dispatch-": false, "q/dispatch-1-a": false, "p2/dispatch-1-a": false, "p/../q/dispatch-1-a": false, "p/periodic-1": false,
	} {
		if err := ChildOf("p", id); (err == nil) != is {
			t.Errorf("%q: %v", id, err)
		}
	}
}

// A server that lists what nobody asked for is not believed.
func TestListOfOthers(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `[{"ID":"payroll"},{"ID":"fanout-x/dispatch-1"},{"ID":"../fanout-x"},{"ID":"fanout-x"},{"ID":""}]`)
	}))
	defer server.Close()
	c, err := api.NewClient(&api.Config{Address: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	all, err := List(c, "fanout-x", &api.QueryOptions{})
	if err != nil || len(all) != 2 || all[0].ID != "fanout-x" || all[1].ID != "fanout-x/dispatch-1" {
		t.Errorf("%v, %v", all, err)
	}
}

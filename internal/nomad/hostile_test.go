package nomad

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/nomad/internal/alloc"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// A server that answers everything in one way, such as lists of nothing and objects
// without what is in them, is an error or has no jobs: no panic, and no waiting.
func TestAnswersOfAnotherServer(t *testing.T) {
	task := `{"Name":"w","TaskStates":{"worker":null,"other":{"Events":[null,{"Type":"Terminated"}]}}}`
	for _, body := range []string{
		"", "null", "[]", "{}", "[null]", "[{}]", "true", "garbage", `{"a":`, "[[[[",
		`{"TaskGroups":[null]}`, `{"TaskGroups":[{"Tasks":[null]}]}`, `{"TaskGroups":[{"Tasks":[{"Name":"worker"}]}]}`, `{"TaskGroups":[{"Tasks":[{"Name":"fanout"}]}]}`,
		`[{"ID":"fanout-schedule-a","Periodic":true,"Meta":{"fanout_store":"\u001b[31m"}}, null]`,
		`[{"ID":"fanout-schedule-a/periodic-99999999999999999999"},{"ID":"fanout-schedule-a/periodic--1"}]`,
		`[` + strings.Replace(task, "{", `{"ID":"a","ClientStatus":"complete",`, 1) + `,null]`, task,
		`{"FailedTGAllocs":{"w":null}}`, `[{"FailedTGAllocs":{"w":null}},null]`, `{"Events":[null,{"Payload":{"Allocation":null}}]}`,
	} {
		for _, code := range []int{200, 400, 500} {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(code)
				io.WriteString(w, body)
			}))
			t.Setenv("NOMAD_ADDR", server.URL)
			ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
			askEverything(ctx, t)
			if ctx.Err() != nil {
				t.Errorf("%d %s: it waits", code, body)
			}
			stop()
			server.Close()
		}
	}
}

// askEverything asks a cluster all that fanout ever asks.
func askEverything(ctx context.Context, t *testing.T) {
	o := Options{Dir: "d", Command: "fanout", EnvFrom: "v", Parallel: 1, retryFor: time.Millisecond, poll: time.Millisecond, Grace: time.Millisecond, margin: time.Millisecond}
	all, err := NewSchedules(o)
	if err != nil {
		t.Fatal(err)
	}
	all.List(ctx)
	all.Warnings(ctx)
	all.Put(ctx, &Schedule{Sweep: "s", Store: "d", Crons: []string{"0 2 1 1 *"}, Zone: "UTC"})
	all.Remove(ctx, "fanout-schedule-a")
	all.whyEnded(ctx, place{}, alloc.Alloc{ID: "a"}, true)
	s := oneRun(t)
	e, err := New(ctx, s, o)
	if err != nil {
		e, err = withoutSweep(o)
		if err != nil {
			t.Fatal(err)
		}
		e.sweep, e.prefix, e.classes = s, prefixOf(s), map[classKey]*class{}
		e.makeSites()
	}
	e.WorkerLogs(ctx, func(string) bool { return true }, func(WorkerLog) {})
	e.Cancel(ctx)
	c, err := e.newClass(classKey{}, classKey{})
	if err != nil {
		t.Fatal(err)
	}
	m := &monitor{Executor: e, class: c, child: "a", watch: &watcher{e: e, children: map[string]*child{}}, note: func(sweep.Note) {}}
	m.refresh(ctx)
	m.info(ctx)
	m.noneReady(ctx)
	m.reportWaiting(ctx)
	m.watch.list(ctx)
}

package nomad

import (
	"context"
	"errors"
	"io"
	"log"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/fanout-dev/fanout/internal/nomad/internal/alloc"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
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

// recorder answers everything in one way, and remembers what is asked of which job.
func recorder(t *testing.T, answer func(r *http.Request) string) (asked func() []string) {
	t.Helper()
	var mu sync.Mutex
	var all []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		all = append(all, r.Method+" "+r.URL.Path)
		mu.Unlock()
		io.WriteString(w, answer(r))
	}))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	t.Setenv("NOMAD_ADDR", server.URL)
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}
}

// A server that lists the jobs of others, and names one of them as what it has
// dispatched, does not make fanout stop or follow it.
func TestJobsOfOthers(t *testing.T) {
	asked := recorder(t, func(r *http.Request) string {
		switch {
		case strings.HasSuffix(r.URL.Path, "/dispatch"):
			return `{"DispatchedJobID":"payroll"}`
		case r.URL.Path == "/v1/jobs":
			return `[{"ID":"payroll","Status":"dead","Meta":{"fanout_sweep":"d","shard":"s"}},{"ID":"payroll/dispatch-1","Meta":{"fanout_sweep":"d","shard":"s"}}]`
		}
		return "{}"
	})
	s := oneRun(t)
	e, err := Attach(t.Context(), s, Options{Dir: "d", Parallel: 1})
	if err != nil {
		t.Fatal(err)
	}
	if len(e.left) > 0 {
		t.Errorf("it found %v", e.left)
	}
	c := e.planned()[0]
	if child, err := e.dispatch(t.Context(), c, sweep.Shard{ID: "s"}, nil); child != "" || err == nil || !strings.Contains(err.Error(), `it dispatched "payroll", which is no job of `+c.id) {
		t.Errorf("dispatched %q, %v", child, err)
	}
	if err := errors.Join(e.Cancel(t.Context()), e.Close()); err != nil {
		t.Error(err)
	}
	d := &doctor{Executor: e, class: c, registered: true}
	d.clean(t.Context())
	for _, a := range asked() {
		if strings.Contains(a, "payroll") {
			t.Error(a)
		}
	}
}

// A server that always says that somebody else has changed the job is an error.
func TestRacesForEver(t *testing.T) {
	n := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/jobs/parse":
			io.WriteString(w, `{"TaskGroups":[{"Tasks":[{"Name":"worker","Driver":"raw_exec"}]}]}`)
		case "/v1/jobs":
			if r.Method == http.MethodPut {
				n++
				http.Error(w, api.RegisterEnforceIndexErrPrefix+" 7", http.StatusInternalServerError)
				return
			}
			io.WriteString(w, "[]")
		default:
			http.Error(w, "job not found", http.StatusNotFound)
		}
	}))
	defer server.Close()
	t.Setenv("NOMAD_ADDR", server.URL)
	e, err := New(t.Context(), oneRun(t), Options{Dir: "d", Command: "fanout", Parallel: 1})
	if err == nil {
		t.Fatal(e.Close())
	}
	if n != maxRaces {
		t.Errorf("%d requests, %v", n, err)
	}
}

// Of allocations that a server makes up, few are remembered, and only of jobs that are
// followed.
func TestInventedAllocations(t *testing.T) {
	w := &watcher{children: map[string]*child{}}
	w.follow("mine")
	for i := range 100_000 {
		w.learn("other", alloc.Alloc{ID: strconv.Itoa(i), Status: "complete"})
		w.learn("mine", alloc.Alloc{ID: strconv.Itoa(i), Status: "running", Modified: math.MaxUint64})
		w.learn("mine", alloc.Alloc{ID: strconv.Itoa(i), Status: "complete", Modified: 1}) // the index goes backwards
	}
	if got := w.look("mine"); len(got) != maxAllocs || got[0].Status != "running" || len(w.children) != 1 {
		t.Errorf("%d allocations of %d jobs, the first %+v", len(got), len(w.children), got[0])
	}
}

// What is wrong with an answer is said in a sentence.
func TestWordsOfBadAnswers(t *testing.T) {
	for body, want := range map[string]string{
		"":                          "the answer is empty",
		`[{"ID":`:                   "the answer breaks off",
		"sorry":                     "the answer is not Nomad's",
		`{"ID":"a"}`:                "the answer is not Nomad's",
		"<!doctype html><p>Sign in": "the answer is a page of HTML",
		`[{"ID":"a"},null]`:         "has an entry that is null",
	} {
		recorder(t, func(*http.Request) string { return body })
		_, err := Attach(t.Context(), oneRun(t), Options{Dir: "d", Parallel: 1})
		if err == nil || !strings.HasPrefix(err.Error(), "list jobs: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", body, err)
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

// A server that repeats the token it was sent does not get it into what people read.
func TestServersThatRepeatTheToken(t *testing.T) {
	t.Setenv("NOMAD_TOKEN", "0b8e9d2c-token-of-a-person")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "no such token: "+r.Header.Get("X-Nomad-Token"), http.StatusForbidden)
	}))
	defer server.Close()
	t.Setenv("NOMAD_ADDR", server.URL)
	_, err := Attach(t.Context(), oneRun(t), Options{Dir: "d", Parallel: 1})
	if err == nil || !strings.Contains(err.Error(), "Nomad says 403: no such token: [secret]") || strings.Contains(err.Error(), "of-a-person") {
		t.Error(err)
	}
}

// Whoever connects to a cluster that refuses or does not answer is told within seconds
// what is waited for, and for how long at most.
func TestToldWhileConnecting(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("region") == "eu" {
			<-r.Context().Done()
		}
		http.Error(w, "too many", http.StatusTooManyRequests)
	}))
	defer server.Close()
	t.Setenv("NOMAD_ADDR", server.URL)
	said := make(chan string, 10)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan error, 1)
	s := twoRegions(t)
	go func() {
		e, err := New(ctx, s, Options{Dir: "d", Command: "fanout", Parallel: 1, Say: func(text string) bool { said <- text; return true }})
		if err == nil {
			err = errors.Join(errors.New("it is connected"), e.Close())
		}
		done <- err
	}()
	texts := []string{<-said, <-said}
	slices.Sort(texts)
	want := []string{"region eu does not answer: its runs wait, for up to 5 min", "region us does not answer (Nomad says 429: too many): its runs wait, for up to 5 min"}
	if !slices.Equal(texts, want) {
		t.Errorf("%q, want %q", texts, want)
	}
	stop()
	if err := <-done; err == nil || strings.Contains(err.Error(), "it is connected") {
		t.Error(err)
	}
}

// A cluster that cannot be trusted, or is spoken to in the wrong way, is an error at once
// that names the setting.
func TestUntrustedClusters(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	for address, want := range map[string]string{server.URL: "NOMAD_CACERT names a file", strings.Replace(server.URL, "https:", "http:", 1): "NOMAD_ADDR has to begin with https://"} {
		t.Setenv("NOMAD_ADDR", address)
		_, err := Attach(t.Context(), oneRun(t), Options{Dir: "d", Parallel: 1})
		if err == nil || !strings.Contains(unit.HintOf(err), want) {
			t.Errorf("%s: %v (%s)", address, err, unit.HintOf(err))
		}
	}
}

// Whoever asks about schedules, or for the logs of workers, is told what is waited for
// if the cluster hangs, and how long at most; nobody is told that runs wait.
func TestToldWhileAsking(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer server.Close()
	defer server.CloseClientConnections()
	t.Setenv("NOMAD_ADDR", server.URL)
	said := make(chan string, 10)
	o := Options{Dir: "d", Parallel: 1, Say: func(text string) bool { said <- text; return true }}
	all, err := NewSchedules(o)
	if err != nil {
		t.Fatal(err)
	}
	s := oneRun(t)
	for want, ask := range map[string]func(context.Context) error{
		"fanout waits for answers of Nomad, for up to 2 min":          func(ctx context.Context) error { _, err := all.List(ctx); return err },
		"Nomad does not answer: fanout waits for it, for up to 5 min": func(ctx context.Context) error { _, err := Attach(ctx, s, o); return err },
	} {
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- ask(ctx) }()
		if text := <-said; text != want {
			t.Errorf("%q, want %q", text, want)
		}
		stop()
		if err := <-done; err == nil {
			t.Error("it has an answer")
		}
	}
}

// An allocation that ended, of which nothing else is said, has a reason all the same.
func TestEndsWithoutReason(t *testing.T) {
	recorder(t, func(*http.Request) string { return `{"ID":"a","ClientStatus":"failed"}` })
	e, err := withoutSweep(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := e.whyEnded(t.Context(), place{}, alloc.Alloc{ID: "a"}, false); !strings.HasSuffix(got, "ended without an error message: Nomad does not say why") {
		t.Errorf("%q", got)
	}
}

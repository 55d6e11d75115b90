package runner

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/kernel"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
)

// actor is a kernel without a process: its cells are durations and words.
//
//	"sleep 3s"   replies after 3 s; an interrupt raises KeyboardInterrupt
//	"deaf 3s"    the same, but deaf to interrupts
//	"stone"      deaf to all but a kill
//	"say x"      a line of output
type actor struct {
	mu     sync.Mutex
	intr   chan struct{}
	term   chan struct{}
	kill   chan struct{}
	did    []string // what was done to it, and when
	began  time.Time
	parent int
	prefix []kernel.PrefixCell
}

func newActor() *actor {
	return &actor{intr: make(chan struct{}, 1), term: make(chan struct{}), kill: make(chan struct{}), began: time.Now()}
}

func (a *actor) note(what string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.did = append(a.did, what+" "+time.Since(a.began).String())
}

func (a *actor) Execute(ctx context.Context, code string, _ kernel.ExecuteOptions, on func(kernel.Message)) (kernel.Reply, error) {
	a.parent++
	id := string(rune('a' + a.parent))
	tell := func(kind, content string) {
		on(kernel.Message{Channel: "iopub", Header: kernel.Header{MsgType: kind}, Parent: kernel.Header{MsgID: id}, Content: json.RawMessage(content)})
	}
	tell("status", `{"execution_state":"busy"}`)
	defer tell("status", `{"execution_state":"idle"}`)
	for line := range strings.Lines(code) {
		word, arg, _ := strings.Cut(strings.TrimSpace(line), " ")
		d, _ := time.ParseDuration(arg)
		var done <-chan time.Time
		intr, term := a.intr, a.term
		switch word {
		case "say":
			tell("stream", `{"name":"stdout","text":"`+arg+`\n"}`)
			continue
		case "sleep":
			done = time.After(d)
		case "deaf":
			done, intr = time.After(d), nil
		case "stone":
			intr, term = nil, nil
		default:
			continue
		}
		select {
		case <-done:
		case <-intr:
			tell("error", `{"ename":"KeyboardInterrupt","evalue":"","traceback":["KeyboardInterrupt"]}`)
			return kernel.Reply{Status: "error", Ename: "KeyboardInterrupt"}, nil
		case <-term:
			return kernel.Reply{}, &kernel.DeadError{Exit: kernel.Exit{Code: -1, Signal: "terminated", Asked: true}}
		case <-a.kill:
			return kernel.Reply{}, &kernel.DeadError{Exit: kernel.Exit{Code: -1, Signal: "killed", Asked: true}}
		}
	}
	return kernel.Reply{Status: "ok"}, nil
}

func (a *actor) Interrupt() error {
	a.note("interrupt")
	select {
	case a.intr <- struct{}{}:
	default:
	}
	return nil
}
func (a *actor) Terminate() { a.note("terminate"); close(a.term) }
func (a *actor) Kill()      { a.note("kill"); close(a.kill) }
func (a *actor) UpdateComm(comm string, state json.RawMessage) (string, error) {
	a.note("update " + comm + " " + string(state))
	return "told", nil
}
func (a *actor) Drain(time.Duration, func(kernel.Message)) {}
func (a *actor) Close(time.Duration) kernel.Exit {
	a.note("close")
	return kernel.Exit{CPU: time.Second}
}
func (a *actor) Info() kernel.Info {
	return kernel.Info{LanguageInfo: json.RawMessage(`{"name":"actor"}`)}
}
func (a *actor) StartTook() time.Duration    { return time.Millisecond }
func (a *actor) Warm() bool                  { return len(a.prefix) > 0 }
func (a *actor) Transport() (string, string) { return "pipe", "" }
func (a *actor) Prefix() []kernel.PrefixCell { return a.prefix }

// sheet is a sink that keeps everything.
type sheet struct {
	mu    sync.Mutex
	saves []string // when
	last  []byte
	log   strings.Builder
	doc   *notebook.Notebook
	ends  int
	slow  time.Duration // each save takes
	fail  error
}

func (s *sheet) Save(doc []byte) error {
	time.Sleep(s.slow)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.saves, s.last = append(s.saves, time.Now().UTC().Format("15:04:05")), doc
	return s.fail
}

func (s *sheet) Log(stream string, text []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log.WriteString(stream + ":" + string(text))
	return nil
}

func (s *sheet) End(doc *notebook.Notebook, _ Result) error {
	s.doc = doc
	s.ends++
	return s.fail
}

func doc(cells ...string) *notebook.Notebook {
	d := &notebook.Notebook{Metadata: map[string]any{}, Minor: 5}
	for _, c := range cells {
		d.Cells = append(d.Cells, &notebook.Cell{Type: "code", Source: c, Metadata: map[string]any{}, ID: "c" + string(rune('a'+len(d.Cells)))})
	}
	return d
}

func runActor(ctx context.Context, a *actor, t Task) (Result, *sheet) {
	s := &sheet{}
	w := newWalk(t, s, func(context.Context) (session, error) { return a, nil })
	r, err := w.run(ctx)
	if err != nil {
		panic(err)
	}
	return r, s
}

func TestStops(t *testing.T) {
	minute := Timeouts{Cell: time.Minute}
	for _, tc := range []struct {
		name   string
		cells  []string
		limits Timeouts
		cancel time.Duration
		status outcome.Status
		kind   outcome.Kind
		cell   int
		did    []string
	}{
		{"in time", []string{"sleep 59s", "sleep 59s"}, minute, 0, outcome.Succeeded, "", 0, []string{"close 1m58s"}},
		{"cell interrupted", []string{"say x", "sleep 2m", "say never"}, minute, 0, outcome.TimedOut, outcome.CellTimeout, 2,
			[]string{"interrupt 1m0s", "close 1m0s"}},
		{"cell terminated", []string{"deaf 2m"}, minute, 0, outcome.TimedOut, outcome.CellTimeout, 1,
			[]string{"interrupt 1m0s", "terminate 1m4s", "close 1m4s"}},
		{"cell killed", []string{"stone"}, minute, 0, outcome.TimedOut, outcome.CellTimeout, 1,
			[]string{"interrupt 1m0s", "terminate 1m4s", "kill 1m6s", "close 1m6s"}},
		{"late but whole is still late", []string{"deaf 63s"}, minute, 0, outcome.TimedOut, outcome.CellTimeout, 1,
			[]string{"interrupt 1m0s", "close 1m3s"}},
		{"run", []string{"sleep 40s", "sleep 40s"}, Timeouts{Cell: time.Minute, Run: time.Minute}, 0, outcome.TimedOut, outcome.RunTimeout, 2,
			[]string{"interrupt 1m0s", "close 1m0s"}},
		{"cancel", []string{"sleep 1h"}, minute, 10 * time.Second, outcome.Canceled, outcome.Interrupted, 1, []string{"interrupt 10s", "close 10s"}},
		{"cancel a stone", []string{"stone"}, Timeouts{}, 10 * time.Second, outcome.Canceled, outcome.Interrupted, 1,
			[]string{"interrupt 10s", "terminate 14s", "kill 16s", "close 16s"}},
		{"cancel when all is done", []string{"sleep 5s"}, minute, 10 * time.Second, outcome.Succeeded, "", 0, []string{"close 5s"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if tc.cancel > 0 {
					time.AfterFunc(tc.cancel, cancel)
				}
				a := newActor()
				r, s := runActor(ctx, a, Task{Doc: doc(tc.cells...), Timeout: tc.limits, Grace: 8 * time.Second})
				if r.Status != tc.status || r.Kind != tc.kind || r.Cell != tc.cell {
					t.Errorf("%s %s cell %d (%s), want %s %s cell %d", r.Status, r.Kind, r.Cell, r.Reason, tc.status, tc.kind, tc.cell)
				}
				if diff := cmp.Diff(tc.did, a.did); diff != "" {
					t.Error(diff)
				}
				if s.ends != 1 {
					t.Errorf("ended %d times", s.ends)
				}
				_, bad := s.doc.Failure()
				if bad != (tc.status == outcome.TimedOut) && tc.status != outcome.Canceled {
					t.Errorf("the document's failure is %v, the run %s", bad, tc.status)
				}
			})
		})
	}
}

// reasoned is a cause that names a kind.
type reasoned struct{ error }

func (reasoned) ReasonKind() outcome.Kind { return outcome.Halted }

func TestCauseNamesTheKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(reasoned{errors.New("too many failures")}) })
		r, _ := runActor(ctx, newActor(), Task{Doc: doc("sleep 1h")})
		if r.Status != outcome.Canceled || r.Kind != outcome.Halted {
			t.Errorf("%s %s", r.Status, r.Kind)
		}
	})
}

func TestStartRetries(t *testing.T) {
	for _, tc := range []struct {
		name  string
		fails []error // of each try; nil for one that waits for its context
		tries int32
		kind  outcome.Kind
		took  time.Duration
	}{
		{"second time lucky", []error{&kernel.StartError{Reason: "lost a race"}}, 2, "", 200 * time.Millisecond},
		{"gives up", []error{&kernel.StartError{}, &kernel.StartError{}, &kernel.StartError{}}, 3, outcome.StartFailed, 600 * time.Millisecond},
		{"no such kernel", []error{errors.New("find kernel: none")}, 1, outcome.StartFailed, 0},
		{"too slow twice", []error{nil, nil}, 2, outcome.StartFailed, 2*time.Minute + 200*time.Millisecond},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var tries atomic.Int32
				s := &sheet{}
				began := time.Now()
				w := newWalk(Task{Doc: doc("say x", "say y"), Timeout: Timeouts{Start: time.Minute}}, s, func(ctx context.Context) (session, error) {
					n := int(tries.Add(1))
					if n > len(tc.fails) {
						return newActor(), nil
					}
					if err := tc.fails[n-1]; err != nil {
						return nil, err
					}
					<-ctx.Done()
					return nil, &kernel.StartError{Reason: "it did not answer in time", Err: ctx.Err()}
				})
				r, err := w.run(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if r.Kind != tc.kind || tries.Load() != tc.tries || time.Since(began) != tc.took {
					t.Errorf("%s %s after %d tries and %v", r.Status, r.Kind, tries.Load(), time.Since(began))
				}
				if pm := s.doc.Cells[1].Metadata["papermill"].(map[string]any); tc.kind != "" && pm["status"] != "pending" {
					t.Errorf("a cell that never ran is %v", pm["status"])
				}
			})
		})
	}
}

// TestStartIsNotTheRun: how long a kernel takes to come up is no part of the
// limit of the run.
func TestStartIsNotTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWalk(Task{Doc: doc("sleep 50s"), Timeout: Timeouts{Run: time.Minute}}, &sheet{}, func(ctx context.Context) (session, error) {
			time.Sleep(time.Minute)
			return newActor(), nil
		})
		if r, err := w.run(t.Context()); err != nil || r.Status != outcome.Succeeded {
			t.Errorf("%+v %v", r, err)
		}
	})
}

func TestSaves(t *testing.T) {
	for _, tc := range []struct {
		name  string
		cell  string
		slow  time.Duration
		fail  error
		saves int
	}{
		{"short runs are not saved on the way", "say a\nsleep 1s", 0, nil, 0},
		{"silence costs nothing", "say a\nsleep 1h", 0, nil, 1},
		{"a talker is saved every two seconds", strings.Repeat("say a\nsleep 1s\n", 59), 0, nil, 29},
		{"a slow disk is spared", strings.Repeat("say a\nsleep 1s\n", 59), time.Second, nil, 7},
		{"a full disk is tried again", strings.Repeat("say a\nsleep 1s\n", 9), 0, errors.New("full"), 4},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &sheet{slow: tc.slow, fail: tc.fail}
				a := newActor()
				w := newWalk(Task{Doc: doc(tc.cell)}, s, func(context.Context) (session, error) { return a, nil })
				r, err := w.run(t.Context())
				if !errors.Is(err, tc.fail) || r.Status != outcome.Succeeded {
					t.Errorf("%+v %v", r, err)
				}
				if len(s.saves) != tc.saves {
					t.Errorf("saved %d times, want %d: %v", len(s.saves), tc.saves, s.saves)
				}
				if tc.saves > 0 {
					if d, err := notebook.Decode(s.last); err != nil || len(d.Cells) != 1 || len(d.Cells[0].Outputs) == 0 {
						t.Errorf("what was saved is not the notebook: %v", err)
					}
				}
			})
		})
	}
}

func TestPrefix(t *testing.T) {
	d := doc("say a", "", "say b", "say c", "say d")
	d.Cells[0].Type = "markdown"
	d.Cells[3].Metadata["tags"] = []any{"parameters"}
	if diff := cmp.Diff([]string{"say b"}, Prefix(d)); diff != "" {
		t.Error(diff)
	}
	if got := Prefix(doc("say a")); got != nil {
		t.Errorf("a prefix without parameters: %q", got)
	}
	synctest.Test(t, func(t *testing.T) {
		a := newActor()
		sent := time.Now().Add(-time.Hour)
		a.prefix = []kernel.PrefixCell{{
			Reply:    kernel.Reply{MsgID: "p1", Status: "ok", Sent: sent, Idle: sent.Add(3 * time.Second)},
			Messages: []kernel.Message{sayMsg("p1", "stdout", "shared\n")},
		}}
		r, s := runActor(t.Context(), a, Task{Doc: d})
		if r.Status != outcome.Succeeded {
			t.Fatalf("%+v", r)
		}
		if got := textOf(d.Cells[2]) + textOf(d.Cells[3]); got != "shared\nc\n" {
			t.Errorf("the cells say %q", got)
		}
		if s.log.String() != "stdout:c\nstdout:d\n" {
			t.Errorf("the run said %q", s.log.String())
		}
		pm := d.Cells[2].Metadata["papermill"].(map[string]any)
		if pm["duration"] != 3.0 || pm["status"] != "completed" || d.Cells[2].Metadata["fanout"] == nil || d.Cells[3].Metadata["fanout"] != nil {
			t.Errorf("the shared cell is %v", d.Cells[2].Metadata)
		}
	})
}

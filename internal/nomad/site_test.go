package nomad

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/fan/fantest"
	"github.com/fanout-dev/fanout/internal/nomad/nomadtest"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

const (
	brokenRegion = "rpc error: failed to get conn: dial tcp 127.0.0.1:1: connect: connection refused"
	reapedRegion = "No path to region"
)

// twoRegions is a sweep with a run in each of the regions eu and us.
func twoRegions(t *testing.T) *sweep.Sweep {
	t.Helper()
	s := fantest.NewSweep(t, store.Mem(), fantest.FakeMachine(), sweep.Settings{}, 2, fantest.Succeed)
	head, _ := s.Head()
	_, doc, err := s.TemplateOf(t.Context(), s.Runs()[0].Run)
	if err != nil {
		t.Fatal(err)
	}
	p := sweep.Plan{TemplateDocs: [][]byte{doc.Encode()}}
	p.Name, p.Source, p.Templates = head.Name, head.Source, []sweep.Template{{Path: "template.ipynb", Code: "c"}}
	for i, st := range s.Runs() {
		st.Run.Settings = &sweep.Settings{Placement: `{"region":"` + []string{"eu", "us"}[i] + `"}`}
		p.Runs = append(p.Runs, st.Run)
	}
	if _, err := s.Lease().Plan(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	return s
}

// oneRun is a sweep with a single run.
func oneRun(t *testing.T) *sweep.Sweep {
	t.Helper()
	return fantest.NewSweep(t, store.Mem(), fantest.FakeMachine(), sweep.Settings{}, 1, fantest.Succeed)
}

// A region that is away keeps only its own runs waiting, is named, and opens when
// it is back.
func TestRegionAwayAtStart(t *testing.T) {
	for _, answer := range []string{brokenRegion, reapedRegion} {
		t.Run(answer[:9], func(t *testing.T) {
			server := nomadtest.New(t)
			t.Setenv("NOMAD_ADDR", server.URL)
			server.Away("eu", answer)
			s := twoRegions(t)
			begin := time.Now()
			e, err := New(t.Context(), s, Options{Dir: "d", Command: "fanout", Parallel: 1})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			if took := time.Since(begin); took > 2*othersWithin {
				t.Errorf("it took %s to begin without the region", took)
			}
			eu, us := e.Class(s.Runs()[0].Run), e.Class(s.Runs()[1].Run)
			away := e.Away()
			if why, is := away[eu]; !is || why != nil || len(away) != 1 || !slices.Contains(server.Jobs("us"), us) {
				t.Errorf("away is %v, want %s alone; us has the jobs %v", away, eu, server.Jobs("us"))
			}
			if text := strings.Join(e.remarks, "\n"); !strings.Contains(text, "region eu does not answer ("+"Nomad says 500: "+answer) || !strings.Contains(text, "up to 5 min") {
				t.Errorf("the remarks are %q", text)
			}
			server.Away("eu", "")
			for deadline := time.Now().Add(othersWithin * 3); len(e.Away()) > 0; time.Sleep(20 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("it does not open")
				}
			}
			if jobs := server.Jobs("eu"); len(jobs) != 1 || jobs[0] != eu || !slices.Contains(e.remarks, "region eu answers again") {
				t.Errorf("eu has the jobs %v; the remarks are %q", jobs, e.remarks)
			}
		})
	}
}

// A region that stays away is given up in the time that the documents name, by
// what waits for it too, and ends nothing else.
func TestRegionGivenUp(t *testing.T) {
	server := nomadtest.New(t)
	t.Setenv("NOMAD_ADDR", server.URL)
	server.Idle()
	s := twoRegions(t)
	e, err := New(t.Context(), s, Options{Dir: "d", Command: "fanout", Parallel: 2, retryFor: 2 * time.Second, poll: 10 * time.Millisecond, Grace: time.Second, margin: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	eu := e.Class(s.Runs()[0].Run)
	server.Away("eu", brokenRegion)
	var got error
	var all sync.WaitGroup
	all.Go(func() {
		got = e.Execute(t.Context(), sweep.Shard{ID: "1-1", Runs: []string{s.Runs()[0].Run.ID}}, func(sweep.Note) {})
	})
	begin := time.Now()
	all.Wait()
	if took := time.Since(begin); took > othersWithin*3 {
		t.Errorf("it took %s", took)
	}
	gone := e.Away()[eu]
	if gone == nil || !errors.Is(got, gone) || !strings.Contains(gone.Error(), "region eu has been away for ") || unit.HintOf(gone) == "" {
		t.Errorf("the shard ends with %v, the region with %v", got, gone)
	}
	if us, is := e.Away()[e.Class(s.Runs()[1].Run)]; is {
		t.Errorf("us is away, too: %v", us)
	}
	begin = time.Now()
	if err := e.Close(); err != nil || time.Since(begin) > othersWithin {
		t.Errorf("closing: %v after %s", err, time.Since(begin))
	}
	if s.Stored("1-1").Open() == false {
		t.Error("the shard is closed, and might have been dispatched")
	}
}

// A region that was given up is taken up again once it answers, whether it had
// opened before or never did.
func TestRegionComesBack(t *testing.T) {
	for _, opened := range []bool{true, false} {
		t.Run(fmt.Sprintf("opened=%v", opened), func(t *testing.T) {
			server := nomadtest.New(t)
			t.Setenv("NOMAD_ADDR", server.URL)
			server.Idle()
			s := twoRegions(t)
			if !opened {
				server.Away("eu", brokenRegion)
			}
			e, err := New(t.Context(), s, Options{Dir: "d", Command: "fanout", Parallel: 2, retryFor: 2 * time.Second, poll: 10 * time.Millisecond, Grace: time.Second, margin: time.Second})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			server.Away("eu", brokenRegion)
			run := s.Runs()[0].Run
			eu, shard := e.Class(run), sweep.Shard{ID: "1-1", Runs: []string{run.ID}}
			if err := e.Execute(t.Context(), shard, func(sweep.Note) {}); err == nil || !errors.Is(err, e.Away()[eu]) {
				t.Fatalf("the shard ends with %v, the region with %v", err, e.Away()[eu])
			}
			server.Away("eu", "")
			for deadline := time.Now().Add(20 * time.Second); len(e.Away()) > 0; time.Sleep(20 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("it is not taken up again: %v", e.Away())
				}
			}
			if jobs := server.Jobs("eu"); !slices.Contains(jobs, eu) {
				t.Errorf("eu has the jobs %v", jobs)
			}
			var words []string
			if err := e.Execute(t.Context(), shard, func(n sweep.Note) { words = append(words, n.Text) }); err != nil {
				t.Errorf("the shard once more: %v", err)
			}
			if s.Stored("1-1").Open() {
				t.Error("the shard is open")
			}
			if st, _ := s.Run(run.ID); st.Attempts != 0 {
				t.Errorf("%d attempts at a run that no worker began", st.Attempts)
			}
		})
	}
}

// The only region of a sweep is not waited for if nothing is known of it: its name
// may be wrong.
func TestOnlyRegionUnknown(t *testing.T) {
	server := nomadtest.New(t)
	t.Setenv("NOMAD_ADDR", server.URL)
	server.Away("ue", reapedRegion)
	s := oneRun(t)
	begin := time.Now()
	_, err := New(t.Context(), s, Options{Dir: "d", Region: "ue", Command: "fanout", Parallel: 1, margin: time.Second})
	if err == nil || !strings.Contains(err.Error(), reapedRegion) || !strings.Contains(unit.HintOf(err), "server members") || time.Since(begin) > othersWithin {
		t.Errorf("%v (%s) after %s", err, unit.HintOf(err), time.Since(begin))
	}
}

package fan_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/fan"
	"github.com/fanout-dev/fanout/internal/fan/fantest"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/value"
)

// replan gives the bench runs of these variants, each with days from 0 on, in
// the order of a grid. The index of a run is variant × days + day.
func (b *bench) replan(t *testing.T, variants []string, days int) {
	t.Helper()
	head, _ := b.Head()
	p := sweep.Plan{Head: head}
	b.ids = nil
	for _, v := range variants {
		for day := range days {
			id := fmt.Sprintf("%sday%d", v, day)
			p.Runs = append(p.Runs, sweep.Run{ID: id, Params: []value.Binding{bind(t, "variant", v), bind(t, "day", day)}})
			b.ids = append(b.ids, id)
		}
	}
	if _, err := b.Lease().Plan(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

func bind(t *testing.T, name string, x any) value.Binding {
	t.Helper()
	v, err := value.Of(x)
	if err != nil {
		t.Fatal(err)
	}
	return value.Binding{Name: name, Value: v}
}

func known(ids ...string) map[string]bool {
	m := map[string]bool{}
	for _, id := range ids {
		m[id] = true
	}
	return m
}

// A run that failed before and has not changed shows nothing about the others:
// it goes after a canary, wherever it stands, and no failure of it counts.
func TestKnownFailures(t *testing.T) {
	for _, halt := range []fan.Halt{{}, {When: "soon", What: "fail", Count: 1}, {When: "now", What: "fail", Percent: 1}} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, 8, fantest.Succeed)
			b.failing(99, 0, 1, 2, 5)
			sum := b.fan(t, fan.Options{Jobs: 4, Canary: true, Known: known(b.ids[0], b.ids[1], b.ids[2], b.ids[5]), Halt: halt})
			if sum.Halted != "" || sum.Executed != 8 || b.Counts()[outcome.Succeeded] != 4 {
				t.Errorf("%+v, %v", sum, b.Counts())
			}
			if b.started[0] != b.ids[3] {
				t.Errorf("the canary was %s", b.started[0])
			}
		})
	}
}

// Failures that are not known count as ever, of the runs that count.
func TestHaltCountsNewFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 10, fantest.Succeed)
		b.failing(99, 0, 1, 2, 3, 4, 5, 6)
		sum := b.fan(t, fan.Options{Jobs: 1, Known: known(b.ids[:4]...), Halt: fan.Halt{When: "soon", What: "fail", Percent: 50}})
		if want := "3 of 6 runs failed, which is 50% or more"; sum.Halted != want {
			t.Errorf("halted %q, want %q", sum.Halted, want)
		}
	})
}

// Where every run is known to fail there is nothing to try.
func TestNoCanaryOfKnownFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 8, fantest.Raise)
		sum := b.fan(t, fan.Options{Jobs: 4, Canary: true, Known: known(b.ids...)})
		if sum.Halted != "" || sum.Executed != 8 || b.peak != 4 {
			t.Errorf("%+v, %d at once", sum, b.peak)
		}
	})
}

// When the runs that count are used up, the known ones follow.
func TestKnownFailuresFollowBrokenCanaries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 6, fantest.Succeed)
		b.failing(99, 0, 1)
		sum := b.fan(t, fan.Options{Jobs: 2, Canary: true, Known: known(b.ids[2:]...)})
		if sum.Halted != "" || sum.Executed != 6 || b.Counts()[outcome.Succeeded] != 4 {
			t.Errorf("%+v, %v", sum, b.Counts())
		}
	})
}

// Canaries are as unlike each other as possible: what breaks a value of one
// axis does not stop the others.
func TestCanariesDiffer(t *testing.T) {
	for _, c := range []struct {
		name     string
		variants []string
		days     int
		broken   func(id string) bool
		canaries []string
		halted   bool
	}{
		{"the first variant", []string{"a", "b"}, 5, func(id string) bool { return id[0] == 'a' }, []string{"aday0", "bday4"}, false},
		{"a variant and the last day", []string{"a", "b", "c"}, 4, func(id string) bool { return id[0] == 'a' || strings.HasSuffix(id, "day3") }, []string{"aday0", "cday3", "bday1"}, false},
		{"the first days", []string{"a"}, 9, func(id string) bool { return id < "aday4" }, []string{"aday0", "aday8"}, false},
		{"both ends", []string{"a"}, 9, func(id string) bool { return id == "aday0" || id == "aday8" }, []string{"aday0", "aday8", "aday4"}, false},
		{"all", []string{"a", "b"}, 5, func(string) bool { return true }, []string{"aday0", "bday4", "aday3"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, 1, fantest.Succeed)
				b.replan(t, c.variants, c.days)
				b.fake.Deed = func(run sweep.Run, _ int, d fantest.Deed) fantest.Deed {
					if c.broken(run.ID) {
						return fantest.Raise
					}
					return d
				}
				sum := b.fan(t, fan.Options{Jobs: 3, Canary: true})
				if d := cmp.Diff(c.canaries, b.started[:len(c.canaries)]); d != "" {
					t.Errorf("canaries (-want +got):\n%s", d)
				}
				if (sum.Halted != "") != c.halted || c.halted && !strings.Contains(sum.Halted, "--no-canary") || !c.halted && sum.Executed != len(b.ids) {
					t.Errorf("%+v", sum)
				}
			})
		})
	}
}

// A canary that is tried again is no other canary.
func TestRetriesAreNoCanaries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 5, fantest.Succeed)
		b.failing(99, 0)
		sum := b.fan(t, fan.Options{Jobs: 2, Canary: true, Retry: fan.Retry{N: 4}})
		if sum.Halted != "" || b.Counts()[outcome.Succeeded] != 4 || b.started[1] != b.ids[4] {
			t.Errorf("%+v, %v, %v", sum, b.Counts(), b.started)
		}
	})
}

package turns

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func join(t *testing.T, dir, sweep string, jobs int, weight float64) *Line {
	t.Helper()
	l, err := Join(dir, sweep, jobs, weight)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func quiet(string) {}

// Of all sweeps together no more runs execute than may, each sweep gets its part, and
// nothing is left in the folder.
func TestShares(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "line")
	const jobs = 3
	var running, most atomic.Int64
	var ended [2]atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var group sync.WaitGroup
	lines := []*Line{join(t, dir, "light", jobs, 1), join(t, dir, "heavy", jobs, 2)}
	for i, l := range lines {
		for range jobs {
			group.Go(func() {
				for {
					done, err := l.Wait(ctx, quiet)
					if err != nil {
						return
					}
					most.Store(max(most.Load(), running.Add(1)))
					time.Sleep(20 * time.Millisecond)
					if running.Add(-1); ended[0].Load()+ended[1].Load() >= 90 {
						stop()
					} else {
						ended[i].Add(1)
					}
					done()
				}
			})
		}
	}
	group.Wait()
	if most.Load() > jobs {
		t.Errorf("%d runs executed at once", most.Load())
	}
	if light, heavy := ended[0].Load(), ended[1].Load(); light == 0 || heavy == 0 {
		t.Errorf("of the light sweep %d, of the heavy one %d runs ended", light, heavy)
	}
	for _, l := range lines {
		if l.own.Running != 0 || l.own.Waiting != 0 {
			t.Errorf("%+v", l.own)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*"+suffix)); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestIsNext(t *testing.T) {
	now := time.Now()
	own := standing{Sweep: "own", Jobs: 4, Weight: 1, Waiting: 1, Since: now.Add(-time.Second)}
	other := func(running, waiting int, weight float64, since, looked time.Duration) standing {
		return standing{Sweep: "other", Jobs: 4, Weight: weight, Running: running, Waiting: waiting, Since: now.Add(-since), Looked: now.Add(-looked)}
	}
	with := func(running int) standing { s := own; s.Running = running; return s }
	for _, c := range []struct {
		name   string
		own    standing
		others []standing
		ours   bool
		why    string
	}{
		{name: "alone", own: own, ours: true},
		{name: "alone with all turns", own: with(4), why: "4 runs of own at once"},
		{name: "all are taken", own: own, others: []standing{other(4, 0, 1, 0, 0)}, why: "4 runs of other at once on this machine, and machine_jobs is 4"},
		{name: "another has less and may not have more", own: with(2), others: []standing{{Sweep: "other", Jobs: 2, Weight: 1, Waiting: 1, Looked: now}}, ours: true},
		{name: "another has less", own: with(2), others: []standing{other(1, 1, 1, 0, 0)}, why: "other is next"},
		{name: "another has more", own: with(1), others: []standing{other(2, 1, 1, 9, 0)}, ours: true},
		{name: "another has as little, for longer", own: own, others: []standing{other(0, 1, 1, time.Minute, 0)}, why: "other is next"},
		{name: "another has as little, for less long", own: own, others: []standing{other(0, 1, 1, 0, 0)}, ours: true},
		{name: "another has more, and weighs more", own: with(1), others: []standing{other(2, 1, 3, 0, 0)}, why: "other is next"},
		{name: "another has less and does not wait", own: with(2), others: []standing{other(1, 0, 1, 0, 0)}, ours: true},
		{name: "another has less and is suspended", own: with(2), others: []standing{other(1, 1, 1, time.Minute, time.Minute)}, ours: true},
	} {
		ours, why := isNext(c.own, c.others, now)
		if ours != c.ours || !strings.Contains(why, c.why) {
			t.Errorf("%s: %v, %q", c.name, ours, why)
		}
	}
}

// Two turns of weight 1 and 2 settle at one and two runs of three.
func TestWeights(t *testing.T) {
	light, heavy := standing{Jobs: 3, Weight: 1, Waiting: 9}, standing{Jobs: 3, Weight: 2, Waiting: 9}
	now := time.Now()
	for range 3 {
		light.Looked, heavy.Looked = now, now
		if ours, _ := isNext(light, []standing{heavy}, now); ours {
			light.Running++
		} else if ours, _ := isNext(heavy, []standing{light}, now); ours {
			heavy.Running++
		}
	}
	if light.Running != 1 || heavy.Running != 2 {
		t.Errorf("light has %d, heavy has %d", light.Running, heavy.Running)
	}
}

// What a dead process has left holds nobody up and is removed; what is no file of ours is
// left alone.
func TestDead(t *testing.T) {
	dir := t.TempDir()
	dead := filepath.Join(dir, "1"+suffix)
	for path, text := range map[string]string{dead: `{"sweep":"dead","weight":1,"running":9}`, filepath.Join(dir, "note"): "mine"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l := join(t, dir, "s", 1, 1)
	defer l.Close()
	done, err := l.Wait(t.Context(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	done()
	done() // twice is once
	if l.own.Running != 0 {
		t.Errorf("%d are running", l.own.Running)
	}
	if _, err := os.Stat(dead); !os.IsNotExist(err) {
		t.Errorf("%s: %v", dead, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "note")); err != nil {
		t.Error(err)
	}
}

// A wait can be ended, says once why it is long, and leaves nothing waiting.
func TestCanceled(t *testing.T) {
	dir := t.TempDir()
	a, b := join(t, dir, "a", 1, 1), join(t, dir, "b", 1, 1)
	defer a.Close()
	defer b.Close()
	if _, err := a.Wait(t.Context(), quiet); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var said []string
	_, err := b.Wait(ctx, func(why string) { said = append(said, why); cancel() })
	if err != context.Canceled || len(said) != 1 || !strings.Contains(said[0], "1 run of a at once") || b.own.Waiting != 0 {
		t.Errorf("%v, %q, %+v", err, said, b.own)
	}
	for _, bad := range []struct {
		jobs   int
		weight float64
	}{{0, 1}, {1, 0}, {1, -1}} {
		if _, err := Join(dir, "bad", bad.jobs, bad.weight); err == nil {
			t.Errorf("%+v joined", bad)
		}
	}
}

// A turn is given back even where that cannot be written.
func TestLeaveWithoutFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "line")
	l := join(t, dir, "s", 1, 1)
	done, err := l.Wait(t.Context(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if done(); l.own.Running != 0 {
		t.Errorf("%d are running", l.own.Running)
	}
}

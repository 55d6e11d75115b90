package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store/storetest"
	"github.com/fanout-dev/fanout/internal/value"
)

// stepsVictim has an extract for each region and day, a report on each, which
// reads its file, and a notebook for each day, which adds them up. The ledger
// says what began.
func stepsVictim(t *testing.T, more string) *victim {
	t.Helper()
	v := newVictim(t, 1)
	ledger := filepath.Join(v.dir, "ledger")
	spec := `name: victim
steps:
  extract: {template: extract.ipynb, keep: "*.csv"}
  report: {template: report.ipynb, needs: extract, with: {rows: extract.rows, path: 'extract.artifact("rows.csv")'}}
  world: {template: world.ipynb, needs: report, over: day, with: {total: 'sum(map(report, .twice))'}}
grid:
  region: [us, eu]
  day: {range: {from: 1, to: 3}}
` + more
	files := map[string][]byte{
		"sweep.yaml": []byte(spec),
		"extract.ipynb": notebookOf("fake", "python", []string{"region = \"\"\nday = 0", "append " + ledger + " extract $region $day",
			"scrap rows $day\nappend rows.csv row"}),
		"report.ipynb": notebookOf("fake", "python", []string{"region = \"\"\nday = 0\nrows = 0\npath = \"\"", "append " + ledger + " report $region $day",
			"cat $path", "scrap twice $rows"}),
		"world.ipynb": notebookOf("fake", "python", []string{"day = 0\ntotal = 0", "append " + ledger + " world - $day", "scrap total $total"}),
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(v.dir, name), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

// checkOrder demands that nothing began before what it needs had succeeded. An
// attempt that was killed is followed by another, of the same run; without kills
// none began twice.
func (v *victim) checkOrder(t *testing.T, runs int, killed bool) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(read(t, filepath.Join(v.dir, "ledger"))), "\n")
	first, last := map[string]int{}, map[string]int{}
	for i, line := range lines {
		if _, again := first[line]; !again {
			first[line] = i
		} else if !killed {
			t.Errorf("%q began twice", line)
		}
		last[line] = i
	}
	if len(first) != runs {
		t.Errorf("%d runs began, want %d", len(first), runs)
	}
	for _, region := range []string{"us", "eu"} {
		for day := 1; day <= 3; day++ {
			extract, report, world := fmt.Sprintf("extract %s %d", region, day), fmt.Sprintf("report %s %d", region, day), fmt.Sprintf("world - %d", day)
			if last[extract] > first[report] || last[report] > first[world] {
				t.Errorf("something began before what it needs:\n%s", strings.Join(lines, "\n"))
			}
		}
	}
}

// checkFed demands that every run succeeded, once, with what it was to be fed.
func (v *victim) checkFed(t *testing.T, where string, killed bool) {
	t.Helper()
	s := openAt(t, where)
	succeeded := successes(t, s.Store())
	for _, st := range s.Runs() {
		if st.Status != outcome.Succeeded || st.Began != nil || succeeded[st.Run.ID] != 1 {
			t.Errorf("%s is %s, and succeeded %d times", s.RunName(st.Run.ID), st.Status, succeeded[st.Run.ID])
		}
		day, _ := value.Lookup(st.Run.Params, "day")
		if total, is := st.Scraps.Get("total"); is && string(total) != map[string]string{"1": "2", "2": "4", "3": "6"}[day.String()] {
			t.Errorf("%s adds up to %s", s.RunName(st.Run.ID), total)
		}
	}
	v.checkOrder(t, 15, killed)
	v.checkProcesses(t)
}

// Killed again and again, a sweep with steps feeds every run what it needs.
func TestStepsKilledInTurn(t *testing.T) {
	v := stepsVictim(t, "")
	for kills := 0; v.run(t, 30); kills++ {
		if kills > 20 {
			t.Fatal("the sweep does not come to an end")
		}
	}
	v.checkFed(t, filepath.Join(v.dir, "victim.sweep"), true)
}

// Killed at each of its writes, once, the same command finishes it.
func TestStepsKilledOnce(t *testing.T) {
	deep(t)
	for n := 1; ; n++ {
		v := stepsVictim(t, "")
		if !v.run(t, n) {
			return
		}
		v.run(t, 0)
		v.checkFed(t, filepath.Join(v.dir, "victim.sweep"), true)
		if t.Failed() {
			t.Fatalf("after a kill at write %d", n)
		}
	}
}

// Controllers of a cluster that are killed in turn leave shards behind, which the
// next ones take up.
func TestStepsControllerKilled(t *testing.T) {
	deep(t)
	testCluster(t)
	v := stepsVictim(t, fmt.Sprintf("nomad: {command: %s, runs_per_job: 2}\n", workerBinary(t)))
	args := []string{"run", "--on", "nomad", "--no-progress", "sweep.yaml"}
	for i := range 5 {
		cmd := v.command(args...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(300+i*400) * time.Millisecond)
		cmd.Process.Kill()
		cmd.Wait()
	}
	v.ok(t, args...)
	v.checkFed(t, filepath.Join(v.dir, "victim.sweep"), true)
}

// Killed at each of its writes in turn, controllers of a cluster that shares only a
// bucket with them finish a sweep with steps: no run begins before what it needs has
// succeeded, and none twice, because workers go on.
func TestStepsKilledOnCluster(t *testing.T) {
	deep(t)
	a := needAgent(t)
	v := stepsVictim(t, fmt.Sprintf("nomad: {command: %s, runs_per_job: 4}\n", workerBinary(t)))
	where := v.inBucket(t, a, storetest.S3(t), "runs_per_job: 4, ")
	v.killUntilDone(t, 1, 5, "run", "--on", "nomad", "--no-progress", "sweep.yaml", "-o", where)
	v.checkFed(t, where, false)
}

// A cluster feeds runs through the store, in a folder and in a bucket, and leaves
// the same tables as this machine.
func TestStepsOnNomad(t *testing.T) {
	c, more := testCluster(t), ""
	if c.real != nil {
		c.real.putCredentials(t)
		more = ", env_from: nomad/jobs"
	}
	here := stepsVictim(t, "")
	here.ok(t, "run", "--no-progress", "sweep.yaml")
	here.checkOrder(t, 15, false)
	want := here.stepsTable(t, "victim.sweep")
	for name, where := range map[string]string{"folder": "victim.sweep", "bucket": storetest.S3(t).Where("victim")} {
		t.Run(name, func(t *testing.T) {
			v := stepsVictim(t, fmt.Sprintf("nomad: {command: %s, runs_per_job: 4%s}\n", workerBinary(t), more))
			_, stderr := v.ok(t, "run", "--on", "nomad", "--no-progress", "sweep.yaml", "-o", where)
			if !strings.Contains(stderr, "15 runs: 15 succeeded") {
				t.Errorf("it says:\n%s", stderr)
			}
			v.checkOrder(t, 15, false)
			got := v.stepsTable(t, where)
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("other tables than on this machine:\n%s", d)
			}
			_, stderr = v.ok(t, "run", "--on", "nomad", "--no-progress", "sweep.yaml", "-o", where)
			if !strings.Contains(stderr, "15 kept") {
				t.Errorf("again it says:\n%s", stderr)
			}
			v.checkRepaired(t, where)
		})
	}
}

// stepsTable is the table of runs without what differs from folder to folder.
func (v *victim) stepsTable(t *testing.T, where string) []map[string]any {
	t.Helper()
	rows := v.table(t, where)
	for _, row := range rows {
		delete(row, "run_as_of")
		delete(row, "run_code")
	}
	return rows
}

// checkRepaired edits the extract so that one of one day leaves something else: that
// one, its report and its day are executed again.
func (v *victim) checkRepaired(t *testing.T, where string) {
	t.Helper()
	ledger := filepath.Join(v.dir, "ledger")
	edited := notebookOf("fake", "python", []string{"region = \"\"\nday = 0", "append " + ledger + " extract $region $day",
		"scrap rows 70\nappend rows.csv row"})
	for name, data := range map[string][]byte{"extract.ipynb": edited, "ledger": nil} {
		if err := os.WriteFile(filepath.Join(v.dir, name), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	v.ok(t, "rerun", where, "--on", "nomad", "--no-progress", "--update", "--downstream", "--only", `run_step == "extract" && region == "eu" && day == 2`)
	lines := strings.Split(strings.TrimSpace(read(t, ledger)), "\n")
	if want := []string{"extract eu 2", "report eu 2", "world - 2"}; !slices.Equal(lines, want) {
		t.Errorf("executed again: %q", lines)
	}
}

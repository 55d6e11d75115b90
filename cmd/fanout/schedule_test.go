package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/cmd/fanout/internal/timetable"
	"github.com/fanout-dev/fanout/internal/cron"
	"github.com/fanout-dev/fanout/internal/nomad"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/schedule"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// scheduled is a sweep with a run for every minute from the one before this,
// whose notebook needs a file beside it.
func scheduled(t *testing.T) *victim {
	t.Helper()
	v, _ := onNomad(t, 1)
	from := timetable.In(time.Now(), "Europe/Berlin").Add(-time.Minute).Format("2006-01-02T15:04")
	spec := fmt.Sprintf("name: victim\ntemplate: t.ipynb\nfiles: [word.txt]\ngrid:\n  at: {dates: {from: %s, to: now, step: 1min, tz: Europe/Berlin}}\n", from)
	settings := fmt.Sprintf("on: nomad\nnomad: {command: %s}\n", workerBinary(t))
	cells := []string{"at = ''", "cat word.txt", "sleep 1s"}
	for name, data := range map[string][]byte{"t.ipynb": notebookOf("fake", "python", cells), "sweep.yaml": []byte(spec), "fanout.yaml": []byte(settings), "word.txt": []byte("carried along\n")} {
		if err := os.WriteFile(filepath.Join(v.dir, name), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

// TestScheduleFires lets a real agent fire every three seconds: the firings
// grow one sweep, each for the time it was due at, and none overlaps another.
func TestScheduleFires(t *testing.T) {
	if c := testCluster(t); c.fake != nil {
		t.Skip("only a real agent fires by itself")
	}
	v := scheduled(t)
	code, id, words := v.say(t, "schedule", "sweep.yaml", "--cron", "*/3 * * * * * *", "--tz", "Europe/Berlin")
	id = strings.TrimSpace(id)
	if code != 0 || !strings.HasPrefix(id, "fanout-schedule-victim-") || !strings.Contains(words, "victim: fires at */3 * * * * * *, Europe/Berlin; next ") {
		t.Fatalf("schedule: exit %d, id %q\n%s", code, id, words)
	}
	// The files are those of the moment it was scheduled.
	for _, name := range []string{"t.ipynb", "sweep.yaml", "word.txt", "fanout.yaml"} {
		os.Remove(filepath.Join(v.dir, name))
	}
	went := map[string]int{} // exit codes of firings
	await(t, 120*time.Second, "a run for the next minute", func() bool {
		if f := v.lastFiring(t); f != nil && f.Code != nil {
			went[f.ID] = *f.Code
		}
		return len(v.made(t)) >= 3 && len(v.dates(t)) >= 3
	})
	for id, code := range went {
		if code != 0 { // 4 would say that two overlapped
			t.Errorf("firing %s ended with exit code %d", id, code)
		}
	}
	if len(went) == 0 {
		t.Error("ls told of no firing that ended")
	}
	code, out, words := v.say(t, "schedule", "ls")
	if code != 0 || !strings.Contains(out, id) || !strings.Contains(out, " CE") {
		t.Errorf("ls: exit %d\n%s%s", code, out, words)
	}
	if code, _, words := v.say(t, "schedule", "rm", "victim"); code != 0 || !strings.Contains(words, "no longer fires") {
		t.Errorf("rm: exit %d\n%s", code, words)
	}
	if _, out, words := v.say(t, "schedule", "ls"); out != "" || !strings.Contains(words, "nothing is scheduled") {
		t.Errorf("ls after rm:\n%s%s", out, words)
	}
	s := openVictim(t, v)
	await(t, 30*time.Second, "the end of the last firing", func() bool {
		_, held := s.Held(t.Context())
		return !held
	})
	v.checkFirings(t)
}

// made lists the minutes that runs succeeded for.
func (v *victim) made(t *testing.T) (at []string) {
	t.Helper()
	if len(v.dates(t)) == 0 {
		return nil
	}
	for _, st := range openVictim(t, v).Runs() {
		if st.Status == outcome.Succeeded {
			at = append(at, st.Run.Params[0].Value.Text())
		}
	}
	slices.Sort(at)
	return at
}

// dates are the logical dates that the sweep was planned for, in turn.
func (v *victim) dates(t *testing.T) (dates []time.Time) {
	t.Helper()
	heads, err := filepath.Glob(filepath.Join(v.dir, "victim.sweep", "plan", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range heads {
		var head sweep.Head
		if err := json.Unmarshal([]byte(read(t, file)), &head); err != nil {
			t.Fatal(err)
		}
		dates = append(dates, head.AsOf)
	}
	return dates
}

// checkFirings demands that the sweep was planned for times that were due and
// for no other, that it grew, and that no firing met another.
func (v *victim) checkFirings(t *testing.T) {
	t.Helper()
	dates := v.dates(t)
	for i, at := range dates {
		if at.Unix()%3 != 0 || i > 0 && !at.After(dates[i-1]) {
			t.Errorf("planned as of %s, want multiples of three seconds in turn", at)
		}
	}
	if len(dates) < 3 {
		t.Errorf("planned for %v alone", dates)
	}
	code, out, words := v.say(t, "logs", "victim.sweep", "--json")
	if n := strings.Count(out, `"text":"carried along"`); code != 0 || n < 3 {
		t.Errorf("logs: exit %d, %d runs saw the file\n%s%s", code, n, out, words)
	}
	for _, st := range openVictim(t, v).Runs() {
		if !st.Run.Unplanned && (st.Attempts != 1 || st.Status != outcome.Succeeded) {
			t.Errorf("run %s: %d attempts, %s", st.Run.ID, st.Attempts, st.Status)
		}
	}
	t.Logf("planned for %v", dates)
}

// lastFiring is that of the only schedule.
func (v *victim) lastFiring(t *testing.T) *timetable.Firing {
	t.Helper()
	_, out, words := v.say(t, "schedule", "ls", "--json")
	var line timetable.Schedule
	if err := json.Unmarshal([]byte(out), &line); err != nil {
		t.Fatalf("%v\n%s%s", err, out, words)
	}
	return line.Last
}

// say runs the command. Schedules are the cluster's also where the settings
// that say so are gone.
func (v *victim) say(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	if args[0] == "schedule" {
		args = append(args, "--on", "nomad")
	}
	cmd := v.command(args...)
	var out, words strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &words
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), words.String()
}

func await(t *testing.T, limit time.Duration, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !done(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after %s", what, limit)
		}
	}
}

// TestScheduleRefusals tells what is wrong before anything is registered.
func TestScheduleRefusals(t *testing.T) {
	fakeCluster(t)
	v := scheduled(t)
	plain := read(t, filepath.Join(v.dir, "sweep.yaml"))
	nightly := []string{"--cron", "0 2 * * *"}
	for name, c := range map[string]struct {
		more string // of the sweep file
		args []string
		want string
	}{
		"no cron":            {"", nil, "--cron is missing"},
		"a bad cron":         {"", []string{"--cron", "61 * * * *"}, `cron "61 * * * *": syntax error in minute field: '61'`},
		"half a cron":        {"", []string{"--cron", "0 2"}, "it has five fields, minute hour day month weekday"},
		"a day that is not":  {"", []string{"--cron", "0 0 31 2 *"}, `--cron "0 0 31 2 *": it never fires`},
		"a bad zone":         {"", []string{"--cron", "0 2 * * *", "--tz", "Mars/Base"}, "it has a name such as Europe/Berlin or UTC"},
		"the zone Local":     {"", []string{"--cron", "0 2 * * *", "--tz", "Local"}, "--tz Local is another zone on each machine"},
		"a sweep file":       {"grit: 1\n", nightly, "sweep.yaml:6:1: "},
		"relative inputs":    {"inputs: [data/x.csv]\n", nightly, "inputs: data/x.csv is relative to the sweep file"},
		"a relative python":  {"python: .venv\n", nightly, "python: .venv is relative to the sweep file"},
		"the shared folder":  {"workdir: shared\n", nightly, "workdir: shared needs the template's folder"},
		"a job that is gone": {"", append(nightly, "--job", "none.hcl"), "read job: open none.hcl"},
		"a report not there": {"report: {template: own.ipynb}\n", nightly, "read own.ipynb: "},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(filepath.Join(v.dir, "sweep.yaml"), []byte(plain+c.more), 0o666); err != nil {
				t.Fatal(err)
			}
			code, out, words := v.say(t, append([]string{"schedule", "sweep.yaml"}, c.args...)...)
			if code != exitUsage || out != "" || !strings.Contains(words, c.want) {
				t.Errorf("exit %d, want %q\n%s%s", code, c.want, out, words)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(v.dir, "victim.sweep")); err == nil {
		t.Error("a sweep was made for a schedule that was refused")
	}
	if _, _, words := v.say(t, "schedule", "ls"); !strings.Contains(words, "nothing is scheduled") {
		t.Error(words)
	}
}

// A sweep that is scheduled without a cluster is not fired by one too, whichever was
// first.
func TestNotFromTwoPlaces(t *testing.T) {
	fakeCluster(t)
	v := scheduled(t)
	sweep := filepath.Join(v.dir, "victim.sweep")
	here := func() (int, string) {
		cmd := v.command("schedule", "sweep.yaml", "--cron", "0 2 1 1 *", "--on", "local")
		out, _ := cmd.CombinedOutput()
		return cmd.ProcessState.ExitCode(), string(out)
	}
	if code, words := here(); code != 0 {
		t.Fatalf("exit %d\n%s", code, words)
	}
	code, _, words := v.say(t, "schedule", "sweep.yaml", "--cron", "0 2 1 1 *")
	if code != exitUsage || !strings.Contains(words, "is scheduled without a cluster too, at 0 2 1 1 *, UTC: it would be fired from both") {
		t.Errorf("on a cluster too: exit %d\n%s", code, words)
	}
	if err := os.Remove(filepath.Join(sweep, "schedule.json")); err != nil {
		t.Fatal(err)
	}
	code, id, words := v.say(t, "schedule", "sweep.yaml", "--cron", "0 2 1 1 *")
	if code != 0 {
		t.Fatalf("exit %d\n%s", code, words)
	}
	id = strings.TrimSpace(id)
	if code, words := here(); code != exitUsage || !strings.Contains(words, "victim.sweep is scheduled on nomad as "+id) {
		t.Errorf("here too: exit %d\n%s", code, words)
	}
	if code, _, words := v.say(t, "schedule", "rm", id); code != 0 {
		t.Fatalf("rm: exit %d\n%s", code, words)
	}
	if code, words := here(); code != 0 {
		t.Errorf("when the cluster fires it no more: exit %d\n%s", code, words)
	}
}

// TestScheduleRunNow fires by hand, on whatever cluster there is.
func TestScheduleRunNow(t *testing.T) {
	testCluster(t)
	v := scheduled(t)
	if code, _, words := v.say(t, "schedule", "run-now", "victim"); code != exitUsage || !strings.Contains(words, `nothing called "victim" is scheduled`) {
		t.Errorf("before it is scheduled: exit %d\n%s", code, words)
	}
	schedule := []string{"schedule", "sweep.yaml", "--cron", "0 2 1 1 *", "--tz", "Europe/Berlin"}
	code, id, words := v.say(t, schedule...)
	if code != 0 {
		t.Fatalf("exit %d\n%s", code, words)
	}
	if code, again, words := v.say(t, schedule...); code != 0 || again != id || !strings.Contains(words, "was already scheduled") {
		t.Errorf("again: exit %d\n%s%s", code, again, words)
	}
	if code, out, _ := v.say(t, "schedule", "ls"); code != 0 || !strings.Contains(out, "-01-01 02:00:00 CET  -") {
		t.Errorf("ls: exit %d\n%s", code, out)
	}
	code, firing, words := v.say(t, "schedule", "run-now", "victim")
	firing = strings.TrimSpace(firing)
	if code != 0 || !strings.HasPrefix(firing, strings.TrimSpace(id)+"/periodic-") || !strings.Contains(words, "fanout logs -f ") {
		t.Fatalf("run-now: exit %d, firing %q\n%s", code, firing, words)
	}
	var last *timetable.Firing
	await(t, 180*time.Second, "the end of the firing", func() bool {
		last = v.lastFiring(t)
		return last != nil && last.State == "ended"
	})
	if last.ID != firing || last.Code == nil || *last.Code != 0 {
		t.Errorf("%+v", last)
	}
	at, err := nomad.FiringTime(firing)
	if err != nil {
		t.Fatal(err)
	}
	if dates := v.dates(t); len(dates) != 1 || !dates[0].Equal(at) || len(v.made(t)) < 2 {
		t.Errorf("planned for %v, made %v, want %s", dates, v.made(t), at)
	}
	if code, out, _ := v.say(t, "schedule", "ls"); code != 0 || !strings.HasSuffix(strings.TrimSpace(out), "  done") {
		t.Errorf("ls: exit %d\n%s", code, out)
	}
	if code, _, words := v.say(t, "schedule", "rm", strings.TrimSpace(id)); code != 0 || strings.Contains(words, "still running") {
		t.Errorf("rm: exit %d\n%s", code, words)
	}
}

// TestFiringsCountFromTheirZone plans a sweep of days up to yesterday at the
// firings around both changes of Berlin's clocks.
func TestFiringsCountFromTheirZone(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "sweep.yaml")
	for name, data := range map[string][]byte{
		"t.ipynb":    notebookOf("fake", "python", []string{"day = ''"}),
		"sweep.yaml": []byte("template: t.ipynb\ngrid:\n  day: {dates: {from: 2026-03-26, to: yesterday, tz: Europe/Berlin}}\n"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ cron, before, firing, day string }{
		{"30 2 * * *", "2026-03-28T00:00:00+01:00", "2026-03-28T02:30:00+01:00", "2026-03-27"},
		// Nothing fires on the 29th; the next firing makes both days.
		{"30 2 * * *", "2026-03-28T02:30:00+01:00", "2026-03-30T02:30:00+02:00", "2026-03-29"},
		{"30 2 * * *", "2026-10-25T00:00:00+02:00", "2026-10-25T02:30:00+02:00", "2026-10-24"},
		// The hour comes again, and with it a firing of the same day.
		{"30 2 * * *", "2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00", "2026-10-24"},
		{"30 2 * * *", "2026-10-25T02:30:00+01:00", "2026-10-26T02:30:00+01:00", "2026-10-25"},
		// In UTC it is the day before.
		{"30 0 * * *", "2026-03-29T00:30:00+01:00", "2026-03-30T00:30:00+02:00", "2026-03-29"},
		{"30 0 * * *", "2026-10-24T00:30:00+02:00", "2026-10-25T00:30:00+02:00", "2026-10-24"},
	} {
		before, err := time.Parse(time.RFC3339, c.before)
		if err != nil {
			t.Fatal(err)
		}
		next, err := cron.Next([]string{c.cron}, "Europe/Berlin", before)
		if err != nil {
			t.Fatal(err)
		}
		t.Setenv("NOMAD_JOB_ID", fmt.Sprintf("fanout-schedule-x-01234567/periodic-%d", next.Unix()))
		t.Setenv("NOMAD_TASK_DIR", dir)
		this, _, err := nomad.ThisFiring("Europe/Berlin")
		asOf := this.At.Format(time.RFC3339)
		if err != nil || asOf != c.firing {
			t.Errorf("after %s: as of %s, %v, want %s", c.before, asOf, err, c.firing)
		}
		st := store.Mem() // without a cluster it is fired as of the same time
		if err := (schedule.Schedule{Crons: []string{c.cron}, Zone: "Europe/Berlin", Since: before}).Put(t.Context(), st); err != nil {
			t.Fatal(err)
		}
		_, due, claim, err := schedule.Take(t.Context(), st, next.Add(time.Second))
		if err != nil || claim == nil || due.Format(time.RFC3339) != asOf {
			t.Errorf("after %s: %s on Nomad, %s here, %v", c.before, asOf, due, err)
		}
		code, out, words := fanout(t, "plan", "--as-of", asOf, file)
		lines := strings.Fields(out)
		if code != exitOK || lines[len(lines)-1] != c.day {
			t.Errorf("as of %s: exit %d, want days up to %s\n%s%s", asOf, code, c.day, out, words)
		}
	}
}

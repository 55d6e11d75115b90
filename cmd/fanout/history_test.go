package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/cmd/fanout/internal/timetable"
)

// TestFiringHistory fires a schedule that works and then one that cannot: the
// sweep keeps what became of each, in a table and in full, and needs no cluster
// for it.
func TestFiringHistory(t *testing.T) {
	fake := fakeCluster(t)
	v := scheduled(t)
	if code, _, words := v.say(t, "schedule", "sweep.yaml", "--cron", "0 2 1 1 *", "--tz", "Europe/Berlin"); code != 0 {
		t.Fatalf("exit %d\n%s", code, words)
	}
	fire := func(n int) []timetable.Firing {
		if code, _, words := v.say(t, "schedule", "run-now", "victim"); code != 0 {
			t.Fatalf("run-now: exit %d\n%s", code, words)
		}
		var all []timetable.Firing
		await(t, 60*time.Second, "the end of the firing", func() bool {
			all = v.history(t, "victim")
			return len(all) == n && all[0].State == "ended"
		})
		return all
	}
	good := fire(1)[0]
	if *good.Code != 0 || good.Reason != "" || !strings.HasPrefix(good.By, "Nomad, allocation ") || good.Began == nil || good.Ended.Before(*good.Began) || !strings.Contains(good.ID, "/periodic-") {
		t.Errorf("%+v", good)
	}
	time.Sleep(1100 * time.Millisecond) // two within a second are one
	spec := filepath.Join(v.dir, "victim.sweep", "FORMAT")
	text := read(t, spec)
	kits, _ := filepath.Glob(filepath.Join(v.dir, "victim.sweep", "kits", "*"))
	for _, file := range kits {
		os.Chmod(file, 0o600)
		if err := os.WriteFile(file, []byte("broken"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bad := fire(2)[0]
	if *bad.Code != exitFailed || !strings.Contains(bad.Reason, "it does not hold what its name says (does this machine see the sweep ") {
		t.Errorf("%+v", bad)
	}
	if text != read(t, spec) {
		t.Error("the sweep has changed")
	}
	if _, out, _ := v.say(t, "schedule", "ls"); !strings.Contains(out, "exit code 1: it could not finish: read kits/") {
		t.Errorf("ls:\n%s", out)
	}
	fake.Collect() // Nomad has forgotten, the sweep has not
	if _, out, _ := v.say(t, "schedule", "ls"); !strings.Contains(out, "exit code 1: it could not finish: read kits/") {
		t.Errorf("ls when Nomad has forgotten:\n%s", out)
	}
	t.Setenv("NOMAD_ADDR", "http://127.0.0.1:1")
	if all := v.history(t, "victim.sweep"); len(all) != 2 || all[1].ID != good.ID {
		t.Errorf("without a cluster: %+v", all)
	}
	code, out, words := v.say(t, "schedule", "log", "victim.sweep")
	if lines := strings.Split(strings.TrimSpace(out), "\n"); code != 0 || len(lines) != 3 || !strings.HasPrefix(lines[0], "due ") || !strings.HasSuffix(lines[2], "done") {
		t.Errorf("exit %d\n%s%s", code, out, words)
	}
	if _, out, _ := v.say(t, "schedule", "log", "victim.sweep", "last"); !strings.Contains(out, "fanout: read kits/") || !strings.Contains(out, "fanout: hint: ") {
		t.Errorf("its log is %q", out)
	}
	if _, out, _ := v.say(t, "schedule", "log", "victim.sweep", good.Due.UTC().Format(time.RFC3339)); !strings.Contains(out, "fanout: the firing of ") || !strings.Contains(out, "succeeded") {
		t.Errorf("the log of the first is %q", out)
	}
	if code, _, words := v.say(t, "schedule", "log", "victim.sweep", "1999"); code != exitUsage || !strings.Contains(words, "no firing of victim.sweep was due at 1999") {
		t.Errorf("a time without a firing: exit %d\n%s", code, words)
	}
}

// TestFiringThatCannotReachItsSweep: people are told, schedule ls says why, and once
// the sweep is there again its history has the firing.
func TestFiringThatCannotReachItsSweep(t *testing.T) {
	fakeCluster(t)
	v := scheduled(t)
	sweep, away, told := filepath.Join(v.dir, "victim.sweep"), filepath.Join(v.dir, "away"), filepath.Join(v.dir, "told.json")
	v.edit(t, "sweep.yaml", func(text string) string {
		return text + fmt.Sprintf(`
notify:
  - command: [sh, -c, "cat > %[1]s.part; until test -e %[2]s.back; do sleep 0.1; done; rm %[3]s; mv %[2]s %[3]s; mv %[1]s.part %[1]s"]
    on: failure
  - {webhook: "http://127.0.0.1:1/token", on: always}
  - {command: [touch, %[2]s.success], on: success}
`, told, away, sweep)
	})
	code, _, words := v.say(t, "schedule", "sweep.yaml", "--cron", "0 2 1 1 *")
	if code != 0 || !strings.Contains(words, "warning: notify: a firing that cannot reach the sweep does not know the URL of the webhook") {
		t.Fatalf("exit %d\n%s", code, words)
	}
	if err := errors.Join(os.Rename(sweep, away), os.WriteFile(sweep, nil, 0o666)); err != nil {
		t.Fatal(err)
	}
	if code, _, words := v.say(t, "schedule", "run-now", "victim"); code != 0 {
		t.Fatalf("run-now: exit %d\n%s", code, words)
	}
	await(t, 60*time.Second, "the notification", func() bool {
		_, err := os.Stat(told + ".part")
		return err == nil
	})
	if err := os.WriteFile(away+".back", nil, 0o666); err != nil {
		t.Fatal(err)
	}
	await(t, 60*time.Second, "the end of the notification", func() bool {
		_, err := os.Stat(told)
		return err == nil
	})
	var news map[string]any
	if err := json.Unmarshal([]byte(read(t, told)), &news); err != nil || news["sweep"] != "victim" || news["status"] != "failure" || !strings.Contains(fmt.Sprint(news["error"]), "read kits/") {
		t.Errorf("it tells %v, %v", news, err)
	}
	if strings.Contains(fmt.Sprint(news), "token") {
		t.Errorf("it tells the URL: %v", news)
	}
	await(t, 60*time.Second, "the end of the firing", func() bool { return len(v.history(t, sweep)) == 1 && v.history(t, sweep)[0].State == "ended" })
	if f := v.history(t, sweep)[0]; *f.Code != exitFailed || !strings.Contains(f.Reason, "read kits/") || f.Began.After(*f.Ended) {
		t.Errorf("%+v", f)
	}
	if err := errors.Join(os.Rename(sweep, away), os.WriteFile(sweep, nil, 0o666)); err != nil {
		t.Fatal(err)
	}
	if _, out, _ := v.say(t, "schedule", "ls"); !strings.Contains(out, "exit code 1: it could not finish: ") || !strings.Contains(out, "read kits/") {
		t.Errorf("ls:\n%s", out)
	}
}

// history is what schedule log --json prints.
func (v *victim) history(t *testing.T, name string) (all []timetable.Firing) {
	t.Helper()
	_, out, words := v.say(t, "schedule", "log", name, "--json")
	for line := range strings.Lines(out) {
		var f timetable.Firing
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("%v\n%s%s", err, out, words)
		}
		all = append(all, f)
	}
	return all
}

// TestVariableMissing: a variable that does not exist is reported before
// allocations wait for it, by run and by schedule.
func TestVariableMissing(t *testing.T) {
	fake := fakeCluster(t)
	v, args := onNomad(t, 1)
	v.edit(t, "sweep.yaml", func(text string) string { return strings.Replace(text, "runs_per_job: 4", "env_from: nomad/jbos", 1) })
	const want = "there is no Nomad variable nomad/jbos"
	if out, err := v.command(args...).CombinedOutput(); err != nil || !strings.Contains(string(out), want) {
		t.Errorf("run: %v\n%s", err, out)
	}
	if _, _, words := v.say(t, "schedule", "sweep.yaml", "--cron", "0 2 1 1 *"); !strings.Contains(words, "warning: env_from: "+want) {
		t.Errorf("schedule:\n%s", words)
	}
	fake.Put("nomad/jbos", map[string]string{"A": "b"})
	if _, _, words := v.say(t, "schedule", "sweep.yaml", "--cron", "0 2 1 1 *"); strings.Contains(words, "env_from") {
		t.Errorf("schedule with the variable:\n%s", words)
	}
}

// TestSchedulePython: a schedule whose runs find no Python but by chance, or none,
// says so when it is registered.
func TestSchedulePython(t *testing.T) {
	fakeCluster(t)
	v := scheduled(t)
	plain := read(t, filepath.Join(v.dir, "sweep.yaml"))
	for _, c := range []struct{ set, more, want string }{
		{"", "", "warning: no `python` is named"},
		{"", "python: /opt/venv\n", ""},
		{"/opt/venv", "", ""},
		{".venv", "", "warning: python .venv is relative to this folder"},
	} {
		t.Setenv("FANOUT_PYTHON", c.set)
		v.edit(t, "sweep.yaml", func(string) string { return plain + c.more })
		code, _, words := v.say(t, "schedule", "sweep.yaml", "--cron", "0 2 1 1 *")
		if code != 0 || !strings.Contains(words, c.want) || c.want == "" && strings.Contains(words, "warning: ") {
			t.Errorf("%+v: exit %d\n%s", c, code, words)
		}
	}
}

// TestPlanOnNomad says what a cluster will be asked for.
func TestPlanOnNomad(t *testing.T) {
	v, _ := onNomad(t, 2)
	for more, want := range map[string]string{
		"":                                     "each allocation asks for 100 MHz and 300 MiB of memory, where the job specification says nothing else; `resources` asks for more",
		"resources: {cpu: 500}\n":              "each allocation asks for 500 MHz and 300 MiB of memory, where",
		"resources: {memory: 1GB, cpu: 500}\n": "each allocation asks for 500 MHz and 1.0 GB of memory\n",
	} {
		plain := read(t, filepath.Join(v.dir, "sweep.yaml"))
		v.edit(t, "sweep.yaml", func(text string) string { return text + more })
		if code, _, words := v.say(t, "plan", "--on", "nomad", "sweep.yaml"); code != 0 || !strings.Contains(words, want) {
			t.Errorf("%q: exit %d, want %q\n%s", more, code, want, words)
		}
		if _, _, words := v.say(t, "plan", "sweep.yaml"); strings.Contains(words, "allocation") {
			t.Errorf("here:\n%s", words)
		}
		v.edit(t, "sweep.yaml", func(string) string { return plain })
	}
}

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/fan"
	"github.com/fanout-dev/fanout/internal/fan/fantest"
	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
	"github.com/fanout-dev/fanout/internal/nomad"
	"github.com/fanout-dev/fanout/internal/nomad/nomadtest"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// A cluster is what the tests of Nomad run on.
type cluster struct {
	name string
	fake *nomadtest.Server // nil when it is a real agent
	real *agent            // nil when it is the stand-in
}

// testCluster is a real agent where there is one, else the stand-in. NOMAD_ADDR
// names it.
func testCluster(t *testing.T) cluster {
	t.Helper()
	for _, name := range []string{"NOMAD_TOKEN", "NOMAD_REGION", "NOMAD_NAMESPACE", "NOMAD_CACERT"} {
		t.Setenv(name, "")
		os.Unsetenv(name)
	}
	if path, err := exec.LookPath("nomad"); err == nil {
		a := startAgent(t, path, agentOptions{name: "test"})
		t.Setenv("NOMAD_ADDR", a.addr)
		t.Logf("on a real agent: %s", a.version)
		return cluster{name: a.version, real: a}
	}
	s := nomadtest.New(t)
	t.Setenv("NOMAD_ADDR", s.URL)
	t.Log("on nomadtest")
	return cluster{name: "nomadtest", fake: s}
}

// fakeCluster is the stand-in, for what a real agent cannot be told to do.
func fakeCluster(t *testing.T) *nomadtest.Server {
	t.Helper()
	s := nomadtest.New(t)
	t.Setenv("NOMAD_ADDR", s.URL)
	return s
}

// workerBinary is this test binary under the command's name.
func workerBinary(t *testing.T) string {
	t.Helper()
	link := filepath.Join(t.TempDir(), "fanout")
	exe, err := os.Executable()
	if err == nil {
		err = os.Symlink(exe, link)
	}
	if err != nil {
		t.Fatal(err)
	}
	return link
}

// TestContractOnNomad runs the executor's contract on a cluster, with the fake
// kernel.
func TestContractOnNomad(t *testing.T) {
	c := testCluster(t)
	jupyter := t.TempDir()
	if err := kerneltest.InstallSpec(jupyter, nil); err != nil {
		t.Fatal(err)
	}
	worker := workerBinary(t)
	mark := fmt.Sprintf("TEST_MARK=%d-%d", os.Getpid(), time.Now().UnixNano())
	fantest.Run(t, fantest.Machine{
		Name: c.name, Kernelspec: "fake", Language: "python", Grace: 2 * time.Second, Cells: fantest.FakeKernel(),
		Outlives: true,
		New: func(t *testing.T, s *sweep.Sweep) fan.Executor {
			name, value, _ := strings.Cut(mark, "=")
			ex, err := nomad.New(t.Context(), s, nomad.Options{
				Dir: s.Where(), Command: worker, Parallel: 4, Grace: 2 * time.Second,
				Env: map[string]string{"JUPYTER_PATH": jupyter, "FANOUT_GRACE": "2s", "FANOUT_JOBS": "2", name: value},
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := ex.Close(); err != nil {
					t.Error(err)
				}
			})
			return nomadExecutor{ex, s}
		},
		Survivors: func(t *testing.T) []int { return runsOf(mark) },
	})
}

// runsOf finds kernels, and what they started, by their environment.
func runsOf(mark string) (pids []int) {
	deadline := time.Now().Add(2 * time.Second)
	for {
		pids = pids[:0]
		for _, pid := range marked(mark) {
			env, _ := os.ReadFile("/proc/" + pid + "/environ")
			if strings.Contains(string(env), "FANOUT_RUN_ID=") {
				var n int
				fmt.Sscan(pid, &n)
				pids = append(pids, n)
			}
		}
		if len(pids) == 0 || time.Now().After(deadline) {
			return pids
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// onNomad makes a victim whose runs are made by workers.
func onNomad(t *testing.T, runs int) (*victim, []string) {
	t.Helper()
	v := newVictim(t, runs)
	spec, err := os.ReadFile(filepath.Join(v.dir, "sweep.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	name, value, _ := strings.Cut(v.mark, "=")
	spec = append(spec, fmt.Sprintf("nomad: {command: %s, runs_per_job: 4}\nenv: {%s: %q}\n", workerBinary(t), name, value)...)
	if err := os.WriteFile(filepath.Join(v.dir, "sweep.yaml"), spec, 0o666); err != nil {
		t.Fatal(err)
	}
	return v, []string{"run", "--on", "nomad", "--no-progress", "sweep.yaml"}
}

// command starts the command in the victim's folder.
func (v *victim) command(args ...string) *exec.Cmd {
	jupyter := filepath.Join(v.dir, "jupyter")
	cmd := exec.Command(os.Args[0], args...)
	cmd.Dir = v.dir
	cmd.Env = append(os.Environ(), asFanout+"=1", v.mark, "JUPYTER_PATH="+jupyter, "FANOUT_JUPYTER_PATH="+jupyter, "FANOUT_JOBS=3", "FANOUT_GRACE=3s")
	return cmd
}

// TestSweepOnNomad makes a sweep on a cluster as users do, and demands the
// same tables as on this machine.
func TestSweepOnNomad(t *testing.T) {
	testCluster(t)
	v, args := onNomad(t, 30)
	if out, err := v.command(args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	v.check(t, 30)
	out, err := v.command(args...).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "30 kept") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestControllerKilledOnNomad kills the controller five times in one sweep:
// each next one ends what the last left and goes on.
func TestControllerKilledOnNomad(t *testing.T) {
	deep(t)
	testCluster(t)
	const runs = 60
	v, args := onNomad(t, runs)
	for i := range 5 {
		cmd := v.command(args...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(500+i*400) * time.Millisecond)
		cmd.Process.Kill()
		cmd.Wait()
	}
	if out, err := v.command(args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	v.check(t, runs)
}

// TestInterruptedOnNomad stops the controller with Ctrl-C: nothing is left on
// the cluster, and the same command finishes.
func TestInterruptedOnNomad(t *testing.T) {
	testCluster(t)
	v, args := onNomad(t, 40)
	cmd := v.command(args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1500 * time.Millisecond)
	cmd.Process.Signal(os.Interrupt)
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 && code != 0 {
		t.Errorf("exit code %d", code)
	}
	if left := runsOf(v.mark); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
	if out, err := v.command(args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	v.check(t, 40)
}

// TestWorkerKilledOnNomad kills every worker once: their open runs are lost,
// and made again as the sweep file asks.
func TestWorkerKilledOnNomad(t *testing.T) {
	s := fakeCluster(t)
	v, args := onNomad(t, 20)
	cmd := v.command(append(args, "--retries", "3")...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	v.awaitLines(t, 3)
	s.Kill()
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v", err)
	}
	for _, st := range openVictim(t, v).Runs() {
		if st.Status != outcome.Succeeded {
			t.Errorf("run %s is %s: %+v", st.Run.ID, st.Status, st.Last)
		}
	}
}

func openVictim(t *testing.T, v *victim) *sweep.Sweep {
	t.Helper()
	return openAt(t, filepath.Join(v.dir, "victim.sweep"))
}

// TestNomadFaults lets the cluster answer badly.
func TestNomadFaults(t *testing.T) {
	for name, f := range map[string]nomadtest.Faults{
		"too many requests":   {TooMany: 4},
		"no leader":           {Broken: 4},
		"a lost reply":        {LostWord: 3},
		"an id that is a lie": {Phantom: 3},
	} {
		t.Run(name, func(t *testing.T) {
			s := fakeCluster(t)
			v, args := onNomad(t, 8)
			s.Fail(f)
			if out, err := v.command(args...).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			v.check(t, 8)
		})
	}
}

// TestNomadDoubles lets a lost reply start a shard twice, on a cluster that does not heed
// the token of a dispatch. The second worker ends at once, because the first has the
// shard, and nothing of the first is lost for that.
func TestNomadDoubles(t *testing.T) {
	s := fakeCluster(t)
	v, args := onNomad(t, 4)
	file := filepath.Join(v.dir, "t.ipynb")
	if err := os.WriteFile(file, []byte(strings.Replace(read(t, file), "sleep 5ms", "sleep 2s", 1)), 0o666); err != nil {
		t.Fatal(err)
	}
	s.Fail(nomadtest.Faults{LostWord: 1, Tokens: 100})
	if out, err := v.command(args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	v.check(t, 4)
}

// TestNomadCollects forgets jobs as soon as they have ended: what they did is
// in the sweep.
func TestNomadCollects(t *testing.T) {
	s := fakeCluster(t)
	v, args := onNomad(t, 20)
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
				s.Collect()
			}
		}
	}()
	out, err := v.command(args...).CombinedOutput()
	close(stop)
	<-done
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	v.check(t, 20)
}

// TestNomadRefusals tells what is wrong in one line with the next step.
func TestNomadRefusals(t *testing.T) {
	v, args := onNomad(t, 2)
	t.Setenv("NOMAD_ADDR", "http://127.0.0.1:1")
	out, _ := v.command(args...).CombinedOutput()
	if !strings.Contains(string(out), "connection refused") || !strings.Contains(string(out), "hint: is NOMAD_ADDR right") {
		t.Errorf("wrong address:\n%s", out)
	}
	fakeCluster(t)
	spec, _ := os.ReadFile(filepath.Join(v.dir, "sweep.yaml"))
	bad := strings.Replace(string(spec), "command: ", "command: /nowhere", 1)
	os.WriteFile(filepath.Join(v.dir, "sweep.yaml"), []byte(bad), 0o666)
	out, _ = v.command(args...).CombinedOutput()
	if !strings.Contains(string(out), "no run began") || !strings.Contains(string(out), "fanout doctor --on nomad") {
		t.Errorf("worker missing on the client:\n%s", out)
	}
}

// jobsOf lists what of a victim's jobs is still at work.
func jobsOf(t *testing.T) (busy []string) {
	t.Helper()
	r, err := http.Get(os.Getenv("NOMAD_ADDR") + "/v1/jobs?prefix=fanout-victim")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var jobs []struct {
		ID, Status string
		Stop       bool
	}
	if err := json.NewDecoder(r.Body).Decode(&jobs); err != nil {
		t.Fatal(err)
	}
	for _, j := range jobs {
		if j.Status != "dead" && !j.Stop {
			busy = append(busy, j.ID)
		}
	}
	return busy
}

// TestCancelOnNomad stops a sweep from elsewhere, while its controller lives
// and when it is gone: no job and no process is left either time.
func TestCancelOnNomad(t *testing.T) {
	testCluster(t)
	for name, dead := range map[string]bool{"controller alive": false, "controller dead": true} {
		t.Run(name, func(t *testing.T) {
			const runs = 120
			v, args := onNomad(t, runs)
			cmd := v.command(args...)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			v.awaitLines(t, 9) // past the canary
			if dead {
				cmd.Process.Kill()
				cmd.Wait()
			}
			if out, _ := v.command("status", "victim.sweep").Output(); dead && !strings.Contains(string(out), "workers may still be running; to resume: fanout run --on nomad victim.sweep") {
				t.Errorf("status says:\n%s", out)
			}
			if out, err := v.command("cancel", "victim.sweep").CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			if !dead {
				if cmd.Wait(); cmd.ProcessState.ExitCode() != exitIncomplete {
					t.Errorf("the controller exits with %d, want %d", cmd.ProcessState.ExitCode(), exitIncomplete)
				}
			}
			if busy := jobsOf(t); len(busy) > 0 {
				t.Errorf("jobs %v are left", busy)
			}
			if left := runsOf(v.mark); len(left) > 0 {
				t.Errorf("processes %v are left", left)
			}
			for _, st := range openVictim(t, v).Runs() {
				if st.Began != nil {
					t.Errorf("run %s is open", st.Run.ID)
				}
			}
			if out, err := v.command(args...).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			v.check(t, runs)
		})
	}
}

// TestDoctorOnNomad looks at a cluster that could make runs, and at what is
// missing from one that could not; nothing of the doctor is left.
func TestDoctorOnNomad(t *testing.T) {
	testCluster(t)
	v, _ := onNomad(t, 1)
	doctor := func(command string) string {
		settings := fmt.Sprintf("nomad: {command: %s}\n", command)
		if err := os.WriteFile(filepath.Join(v.dir, "fanout.yaml"), []byte(settings), 0o666); err != nil {
			t.Fatal(err)
		}
		out, _ := v.command("doctor", "--on", "nomad", "-k", "fake", ".").CombinedOutput()
		return string(out)
	}
	good := doctor(workerBinary(t))
	for _, want := range []string{"ok    the store .", "ok    Nomad at", "ok    nodes  1 of 1", "ok    rights to register", "ok    a worker on a client", "ok    the store from both sides", "ok    client: kernel fake", "ok    client: cold start"} {
		if !strings.Contains(good, want) {
			t.Errorf("%q is missing:\n%s", want, good)
		}
	}
	bad := doctor("/nowhere/fanout")
	for _, want := range []string{"ok    nodes", "FAIL  a worker on a client: allocation", "/nowhere/fanout", "PATH}", "1 of"} {
		if !strings.Contains(bad, want) {
			t.Errorf("%q is missing:\n%s", want, bad)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(v.dir, "doctor", "*")); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
}

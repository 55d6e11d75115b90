package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
	"github.com/fanout-dev/fanout/internal/store/storetest"
)

// These tests do to a cluster what clusters do to themselves. They need a real
// agent.

// deep skips a test that takes a minute or more of a cluster's time, unless all
// depth is asked for.
func deep(t *testing.T) {
	t.Helper()
	if os.Getenv("FANOUT_TEST_LONG") == "" {
		t.Skip("takes long: make test-long runs it, or FANOUT_TEST_LONG=1")
	}
}

// needAgent starts one that can be restarted.
func needAgent(t *testing.T) *agent { return needAgentIn(t, "global") }

func needAgentIn(t *testing.T, region string) *agent {
	t.Helper()
	path, err := exec.LookPath("nomad")
	if err != nil {
		t.Skip("no nomad on PATH: what a node or an agent does cannot be shown")
	}
	for _, name := range []string{"NOMAD_TOKEN", "NOMAD_REGION", "NOMAD_NAMESPACE", "NOMAD_CACERT"} {
		t.Setenv(name, "")
		os.Unsetenv(name)
	}
	a := startAgent(t, path, agentOptions{name: "test-" + region, region: region, lasting: true, ttl: "2s"})
	t.Setenv("NOMAD_ADDR", a.addr)
	t.Logf("on a real agent: %s", a.version)
	return a
}

// sweeping is a victim that is being made on a cluster.
type sweeping struct {
	*victim
	where string
	cmd   *exec.Cmd
	out   *strings.Builder
	end   chan error
}

// sweepOn starts a sweep of so many runs, each of which takes that long, by
// workers who share nothing with the controller but a bucket.
func sweepOn(t *testing.T, a *agent, runs int, each time.Duration, settings string, flags ...string) *sweeping {
	t.Helper()
	v, args := onNomad(t, runs)
	v.slow(t, each)
	where := v.inBucket(t, a, storetest.S3(t), "runs_per_job: 4, "+settings)
	s := &sweeping{victim: v, where: where, out: &strings.Builder{}, end: make(chan error, 1)}
	s.cmd = v.command(append(append(args, "-o", where), flags...)...)
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.end <- s.cmd.Wait() }()
	t.Cleanup(func() { s.cmd.Process.Kill() })
	return s
}

// slow makes every run take at least so long.
func (v *victim) slow(t *testing.T, each time.Duration) {
	t.Helper()
	ledger := filepath.Join(v.dir, "ledger")
	cells := []string{"x = 0", "append " + ledger + " begin $x", "sleep " + each.String(), "append " + ledger + " end $x", "scrap y $x"}
	if err := os.WriteFile(filepath.Join(v.dir, "t.ipynb"), notebookOf("fake", "python", cells), 0o666); err != nil {
		t.Fatal(err)
	}
}

// awaitLines waits until the ledger has so many lines.
func (v *victim) awaitLines(t *testing.T, n int) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		b, err := os.ReadFile(filepath.Join(v.dir, "ledger"))
		if err == nil && strings.Count(string(b), "\n") >= n {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("the ledger does not get %d lines", n)
}

// finish waits for the end of the sweep and demands that all is well.
func (s *sweeping) finish(t *testing.T, runs int) {
	t.Helper()
	select {
	case err := <-s.end:
		if err != nil {
			t.Fatalf("%v\n%s", err, s.out)
		}
	case <-time.After(3 * time.Minute):
		t.Fatalf("the sweep does not end\n%s", s.out)
	}
	s.checkAt(t, s.where, runs)
}

// TestAgentRestarted kills the agent while workers are at work, and starts it
// again: workers do not notice, and their controller waits.
func TestAgentRestarted(t *testing.T) {
	a := needAgent(t)
	s := sweepOn(t, a, 40, 200*time.Millisecond, "")
	s.awaitLines(t, 12)
	a.kill()
	time.Sleep(2 * time.Second)
	a.start(t)
	s.finish(t, 40)
}

// TestNodeDrained drains the only node: workers write down how far they came,
// and what they leave is made when there is a node again.
func TestNodeDrained(t *testing.T) {
	deep(t)
	a := needAgent(t)
	s := sweepOn(t, a, 40, 200*time.Millisecond, "")
	s.awaitLines(t, 12)
	if out, err := a.run("node", "drain", "-enable", "-yes", "-detach", "-deadline", "2s", a.node()); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	time.Sleep(15 * time.Second)
	if out, err := a.run("node", "drain", "-disable", "-yes", a.node()); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s.finish(t, 40)
	for _, want := range []string{`for a node: none in its datacenters and node pool is ready: node \S+ is drained`, `node \S+ is drained: what its workers have not finished`} {
		if text := s.out.String(); !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("it does not say %q:\n%s", want, text)
		}
	}
}

// TestCollectedByNomad collects garbage all the time: jobs are gone before the
// controller has looked at them.
func TestCollectedByNomad(t *testing.T) {
	deep(t)
	a := needAgent(t)
	s := sweepOn(t, a, 60, 20*time.Millisecond, "")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for ctx.Err() == nil {
			a.run("system", "gc")
		}
	}()
	s.finish(t, 60)
}

// workers are the processes on the agent's node that make shards.
func (a *agent) workers() (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		words, _ := os.ReadFile(file)
		if strings.Contains(string(words), "\x00worker\x00--payload\x00"+a.dir) {
			n, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			pids = append(pids, n)
		}
	}
	return pids
}

// TestWorkersKilled kills every worker once: their open runs are lost, and made
// again as the sweep file asks.
func TestWorkersKilled(t *testing.T) {
	deep(t)
	a := needAgent(t)
	s := sweepOn(t, a, 40, 200*time.Millisecond, "", "--retries", "2")
	s.awaitLines(t, 12)
	for _, pid := range a.workers() {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	s.awaitLost(t)
	s.finish(t, 40)
}

// TestNodeLost kills the agent and everything on its node, and brings it back
// after its shards have been declared lost.
func TestNodeLost(t *testing.T) {
	a := needAgent(t)
	s := sweepOn(t, a, 40, 200*time.Millisecond, "lost_after: 4s, ", "--retries", "2")
	s.awaitLines(t, 12)
	a.kill()
	for _, pid := range a.workers() {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	time.Sleep(8 * time.Second)
	a.start(t)
	s.finish(t, 40)
}

// TestWorkerFrozen stops a worker, with its node away, until it has been
// declared lost and its runs are made elsewhere; then it lives on: what it has
// comes too late, and it begins nothing more.
func TestWorkerFrozen(t *testing.T) {
	deep(t)
	a := needAgent(t)
	s := sweepOn(t, a, 30, 100*time.Millisecond, "lost_after: 4s, ", "--retries", "2")
	s.awaitLines(t, 12)
	frozen := a.workers()
	if len(frozen) == 0 {
		t.Fatal("no worker is at work")
	}
	a.kill()
	for _, pid := range frozen {
		syscall.Kill(pid, syscall.SIGSTOP)
	}
	defer func() {
		for _, pid := range frozen {
			syscall.Kill(pid, syscall.SIGCONT)
		}
	}()
	time.Sleep(8 * time.Second)
	a.start(t)
	s.awaitLost(t)
	for _, pid := range frozen {
		syscall.Kill(pid, syscall.SIGCONT)
	}
	s.finish(t, 30)
}

// awaitLost waits until a run has been declared lost.
func (s *sweeping) awaitLost(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		for _, st := range openAt(t, s.where).Runs() {
			if st.Last != nil && st.Last.Status == "lost" {
				return
			}
		}
		time.Sleep(200 * time.Millisecond)
	}
	t.Fatal("nothing is declared lost")
}

// nobody is a user who can do next to nothing.
const nobody = 65534

const jobOfNobody = `
job "mine" {
  type = "batch"
  group "shard" {
    task "worker" {
      driver = "raw_exec"
      user   = "nobody"
    }
  }
}
`

// forNobody lets another user run what the victim's workers need: nothing but
// the program, a kernel and the ledger.
func (v *victim) forNobody(t *testing.T) {
	t.Helper()
	program := filepath.Join(v.dir, "fanout")
	b, err := os.ReadFile(os.Args[0])
	if err == nil {
		err = os.WriteFile(program, b, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"jupyter/kernels/fake/kernel.json", "sweep.yaml"} {
		v.edit(t, file, func(text string) string {
			text = strings.ReplaceAll(text, exe, program)
			return regexp.MustCompile(`command: [^,]+`).ReplaceAllString(text, "command: "+program)
		})
	}
	for file, mode := range map[string]os.FileMode{filepath.Dir(v.dir): 0o755, v.dir: 0o755, filepath.Join(v.dir, "ledger"): 0o666} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
	}
}

// inBucket makes the victim one whose workers share nothing with the controller
// but a bucket, and are another user where that can be: it returns where its
// sweep is. Credentials come from a Nomad variable.
func (v *victim) inBucket(t *testing.T, a *agent, server *storetest.Server, settings string) (where string) {
	t.Helper()
	a.putCredentials(t)
	v.forNobody(t)
	v.edit(t, "sweep.yaml", func(text string) string {
		return strings.Replace(text, "runs_per_job: 4", settings+"job: mine.hcl, env_from: nomad/jobs", 1)
	})
	job := jobOfNobody
	if os.Getuid() != 0 {
		job = strings.Replace(job, `user   = "nobody"`, "", 1)
	}
	if err := os.WriteFile(filepath.Join(v.dir, "mine.hcl"), []byte(job), 0o666); err != nil {
		t.Fatal(err)
	}
	return server.Where("victim")
}

// putCredentials puts those of the test's bucket where workers find them, once a server
// takes them: it may have been restarted.
func (a *agent) putCredentials(t *testing.T) {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(time.Second) {
		out, err := a.run("var", "put", "-force", "nomad/jobs", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_EC2_METADATA_DISABLED=true")
		if err == nil {
			return
		}
		if time.Since(begin) > 2*time.Minute {
			t.Fatalf("%v\n%s", err, out)
		}
	}
}

// edit changes one of the victim's files.
func (v *victim) edit(t *testing.T, name string, change func(string) string) {
	t.Helper()
	name = filepath.Join(v.dir, name)
	b, err := os.ReadFile(name)
	if err == nil {
		err = os.WriteFile(name, []byte(change(string(b))), 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestOnlyTheBucketIsShared makes two hundred runs by workers of another user,
// who share nothing with the controller but a bucket that refuses one request
// in ten. Their credentials come from a Nomad variable. The controller is
// killed five times; the tables equal those of this machine.
func TestOnlyTheBucketIsShared(t *testing.T) {
	deep(t)
	if os.Getuid() != 0 {
		t.Skip("only root starts tasks of other users")
	}
	a := needAgent(t)
	const runs = 200
	v, args := onNomad(t, runs)
	server := storetest.S3(t)
	where := v.inBucket(t, a, server, "")
	args = append(args, "-o", where, "--as-of", "2026-01-02")
	server.Refuse(0.1)
	for i := range 5 {
		cmd := v.command(args...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		v.awaitLines(t, 20+40*i)
		cmd.Process.Kill()
		cmd.Wait()
	}
	v.ok(t, args...)
	server.Refuse(0)
	v.checkAt(t, where, runs)
	for _, st := range openAt(t, where).Runs() {
		if st.Attempts != 1 {
			t.Errorf("run %s took %d attempts: its shard was not taken over", st.Run.ID, st.Attempts)
		}
	}
	v.ok(t, "run", "--no-progress", "--as-of", "2026-01-02", "sweep.yaml")
	if d := cmp.Diff(v.table(t, "victim.sweep"), v.table(t, where)); d != "" {
		t.Errorf("tables (-here +cluster):\n%s", d)
	}
}

// canRun reports whether nobody can run a program.
func canRun(program string, args ...string) bool {
	cmd := exec.Command(program, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	return cmd.Run() == nil
}

// TestTwoRegions makes examples/regions in two federated regions, with a real
// kernel, and demands the tables of this machine. Where nobody can run the
// test's Python, workers are nobody's.
func TestTwoRegions(t *testing.T) {
	us := needAgentIn(t, "us")
	eu := needAgentIn(t, "eu")
	if out, err := us.run("server", "join", fmt.Sprintf("127.0.0.1:%d", eu.serf)); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Setenv("NOMAD_ADDR", us.addr)
	server := storetest.S3(t)
	us.putCredentials(t)
	eu.putCredentials(t)
	spec := example(t, "regions")
	v := &victim{dir: filepath.Dir(spec)}
	if err := os.MkdirAll(filepath.Join(v.dir, "jupyter/kernels/fake"), 0o777); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"ledger": "", "jupyter/kernels/fake/kernel.json": "{}",
		"mine.hcl": jobOfNobody,
		"on.yaml":  "placement: {region: \"region in ['France', 'Germany', 'Italy', 'Spain', 'Sweden'] ? 'eu' : 'us'\"}\nnomad: {command: , env_from: nomad/jobs, job: mine.hcl}\n",
	} {
		if err := os.WriteFile(filepath.Join(v.dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	v.forNobody(t)
	program := filepath.Join(v.dir, "fanout")
	v.edit(t, "on.yaml", func(text string) string { return strings.Replace(text, "command: ", "command: "+program, 1) })
	if os.Getuid() != 0 || !canRun(kerneltest.Python(t), "-c", "import ipykernel") {
		t.Log("workers are of this user: nobody cannot run the test's Python")
		v.edit(t, "mine.hcl", func(text string) string { return strings.Replace(text, "user   = \"nobody\"", "", 1) })
	}
	where := server.Where("regions")
	make := func(args ...string) string {
		cmd := exec.Command(program, append([]string{"run", "--no-progress", "--as-of", "2026-01-02", spec}, args...)...)
		out, _ := cmd.CombinedOutput() // Monaco fails
		if cmd.ProcessState.ExitCode() != exitIncomplete {
			t.Fatalf("exit code %d:\n%s", cmd.ProcessState.ExitCode(), out)
		}
		return string(out)
	}
	make("-f", filepath.Join(v.dir, "on.yaml"), "--on", "nomad", "-o", where)
	make()
	table := func(where string) []map[string]any {
		out, err := exec.Command(program, "collect", where, "--format", "json").Output()
		if err != nil {
			t.Fatal(err)
		}
		return rowsOf(t, string(out))
	}
	if d := cmp.Diff(table(filepath.Join(v.dir, "regions.sweep")), table(where)); d != "" {
		t.Errorf("tables (-here +cluster):\n%s", d)
	}
	for region, a := range map[string]*agent{"us": us, "eu": eu} {
		if jobs := a.jobs(); len(jobs) < 2 { // a parent and a child
			t.Errorf("region %s has the jobs %v", region, jobs)
		}
	}
}

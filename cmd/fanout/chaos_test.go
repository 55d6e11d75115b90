package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store/storetest"
)

// chaos is a cluster of a server and two clients on loopback, and a bucket, to all of
// which everything happens that happens to clusters.
type chaos struct {
	t       *testing.T
	random  *rand.Rand // of the faults; only their loop uses it
	server  *agent
	clients []*agent
	bucket  *storetest.Server

	mu         sync.Mutex
	controller *exec.Cmd
}

const (
	chaosAgent = `
name = %q
data_dir = %q
bind_addr = "127.0.0.1"
disable_update_check = true
ports {
  http = %d
  rpc  = %d
  serf = %d
}
advertise {
  http = "127.0.0.1"
  rpc  = "127.0.0.1"
  serf = "127.0.0.1"
}
`
	chaosServer = chaosAgent + `
server {
  enabled = true
  bootstrap_expect = 1
  heartbeat_grace = "2s"
  min_heartbeat_ttl = "2s"
}
`
	chaosClient = chaosAgent + `
client {
  enabled = true
  servers = ["127.0.0.1:%d"]
  options = {
    "fingerprint.denylist" = "env_aws,env_gce,env_azure,env_digitalocean,consul,vault,cni"
  }
}
plugin "raw_exec" {
  config {
    enabled = true
  }
}
`
)

func newChaos(t *testing.T, seed uint64) *chaos {
	t.Helper()
	path, err := exec.LookPath("nomad")
	if err != nil {
		t.Skip("no nomad on PATH: what a node or an agent does cannot be shown")
	}
	for _, name := range []string{"NOMAD_TOKEN", "NOMAD_REGION", "NOMAD_NAMESPACE", "NOMAD_CACERT"} {
		t.Setenv(name, "")
		os.Unsetenv(name)
	}
	c := &chaos{t: t, random: rand.New(rand.NewPCG(seed, seed)), bucket: storetest.S3(t)}
	rpc := freePort(t)
	c.server = c.agent(path, func(a *agent) string {
		return fmt.Sprintf(chaosServer, "chaos-server", filepath.Join(a.dir, "data"), a.http, rpc, a.serf)
	})
	t.Setenv("NOMAD_ADDR", c.server.addr)
	for i := range 2 {
		c.clients = append(c.clients, c.agent(path, func(a *agent) string {
			return fmt.Sprintf(chaosClient, fmt.Sprintf("chaos-%d", i), filepath.Join(a.dir, "data"), a.http, freePort(t), a.serf, rpc)
		}))
	}
	await(t, time.Minute, "two nodes", func() bool { return c.ready() == 2 })
	return c
}

// agent starts an agent that ends with the test.
func (c *chaos) agent(path string, config func(*agent) string) *agent {
	c.t.Helper()
	a := &agent{path: path, region: "global", dir: c.t.TempDir(), http: freePort(c.t), serf: freePort(c.t)}
	os.Chmod(a.dir, 0o755) // tasks of other users live in it
	a.addr = fmt.Sprintf("http://127.0.0.1:%d", a.http)
	file := filepath.Join(a.dir, "agent.hcl")
	err := os.Mkdir(filepath.Join(a.dir, "data"), 0o755)
	if err == nil {
		err = os.WriteFile(file, []byte(config(a)), 0o666)
	}
	if err == nil {
		a.log, err = os.Create(filepath.Join(a.dir, "log"))
	}
	if err != nil {
		c.t.Fatal(err)
	}
	a.args = []string{"agent", "-config", file}
	a.launch(c.t)
	c.t.Cleanup(func() {
		for _, pid := range a.workers() {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		a.end(false)
		unmount(a.dir)
	})
	return a
}

// unmount gives back what a killed agent has mounted for its tasks.
func unmount(dir string) {
	mounts, _ := os.ReadFile("/proc/mounts")
	for line := range strings.Lines(string(mounts)) {
		if words := strings.Fields(line); len(words) > 1 && strings.HasPrefix(words[1], dir+"/") {
			syscall.Unmount(words[1], syscall.MNT_DETACH)
		}
	}
}

// ready counts the nodes that take work.
func (c *chaos) ready() (n int) {
	var nodes []struct{ Status, SchedulingEligibility string }
	c.server.get("/v1/nodes", &nodes)
	for _, node := range nodes {
		if node.Status == "ready" && node.SchedulingEligibility == "eligible" {
			n++
		}
	}
	return n
}

// nodes are the ids of all nodes.
func (c *chaos) nodes() (ids []string) {
	var nodes []struct{ ID string }
	c.server.get("/v1/nodes", &nodes)
	for _, n := range nodes {
		ids = append(ids, n.ID)
	}
	return ids
}

// children are the jobs of shards.
func (c *chaos) children() (ids []string) {
	for _, id := range c.server.jobs() {
		if strings.Contains(id, "/dispatch-") {
			ids = append(ids, id)
		}
	}
	return ids
}

// pick is one of a list, and whether there is one.
func pick[T any](c *chaos, list []T) (one T, ok bool) {
	n := c.random.IntN(1 << 20) // one draw a choice, whatever the list has
	if len(list) == 0 {
		return one, false
	}
	return list[n%len(list)], true
}

// between draws a time.
func (c *chaos) between(low, high time.Duration) time.Duration {
	return low + time.Duration(c.random.Int64N(int64(high-low)))
}

func (c *chaos) workers() (pids []int) {
	for _, a := range c.clients {
		pids = append(pids, a.workers()...)
	}
	return pids
}

// signal sends the controller a signal, if one is running.
func (c *chaos) signal(s os.Signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.controller != nil {
		c.controller.Process.Signal(s)
	}
}

// faults are what can happen. Each lasts for a while and is over when it returns.
func (c *chaos) faults() []struct {
	name string
	do   func()
} {
	client := func() *agent { a, _ := pick(c, c.clients); return a }
	pause := func(low, high time.Duration) { time.Sleep(c.between(low, high)) }
	return []struct {
		name string
		do   func()
	}{
		{"a node dies with its workers, and comes back", func() {
			a := client()
			a.kill()
			for _, pid := range a.workers() {
				syscall.Kill(pid, syscall.SIGKILL)
			}
			pause(time.Second, 10*time.Second)
			a.launch(c.t)
		}},
		{"a client agent restarts", func() {
			a := client()
			a.kill()
			pause(time.Second, 8*time.Second)
			a.launch(c.t)
		}},
		{"a client agent is frozen", func() {
			a := client()
			a.cmd.Process.Signal(syscall.SIGSTOP)
			pause(2*time.Second, 10*time.Second)
			a.cmd.Process.Signal(syscall.SIGCONT)
		}},
		{"a worker is killed", func() {
			if pid, ok := pick(c, c.workers()); ok {
				syscall.Kill(pid, syscall.SIGKILL)
			}
		}},
		{"a worker is frozen", func() {
			pid, ok := pick(c, c.workers())
			if ok {
				syscall.Kill(pid, syscall.SIGSTOP)
			}
			pause(time.Second, 12*time.Second)
			if ok {
				syscall.Kill(pid, syscall.SIGCONT)
			}
		}},
		{"the server restarts", func() {
			c.server.kill()
			pause(time.Second, 6*time.Second)
			c.server.launch(c.t)
		}},
		{"the server is frozen", func() {
			c.server.cmd.Process.Signal(syscall.SIGSTOP)
			pause(time.Second, 8*time.Second)
			c.server.cmd.Process.Signal(syscall.SIGCONT)
		}},
		{"the controller is killed", func() { c.signal(syscall.SIGKILL) }},
		{"Ctrl-C", func() { c.signal(os.Interrupt) }},
		{"a node is drained", func() {
			id, ok := pick(c, c.nodes())
			if ok {
				c.server.run("node", "drain", "-enable", "-yes", "-detach", "-deadline", "2s", id)
			}
			pause(2*time.Second, 8*time.Second)
			if ok {
				c.server.run("node", "drain", "-disable", "-yes", id)
			}
		}},
		{"the bucket refuses one request in five", func() {
			c.bucket.Refuse(0.2)
			pause(2*time.Second, 10*time.Second)
			c.bucket.Refuse(0)
		}},
		{"the bucket is away", func() {
			d := c.between(time.Second, 8*time.Second)
			c.bucket.Away(d)
			time.Sleep(d)
		}},
		{"replies of the bucket are lost", func() {
			n := 0
			c.bucket.Lose(func(*http.Request) bool { n++; return n%13 == 0 })
			pause(2*time.Second, 8*time.Second)
			c.bucket.Lose(nil)
		}},
		{"Nomad collects", func() { c.server.run("system", "gc") }},
		{"a shard's job is purged", func() {
			if id, ok := pick(c, c.children()); ok {
				c.server.run("job", "stop", "-detach", "-purge", "-yes", id)
			}
		}},
		{"a shard's job is stopped", func() {
			if id, ok := pick(c, c.children()); ok {
				c.server.run("job", "stop", "-detach", "-yes", id)
			}
		}},
	}
}

// rage lets faults happen until quit is closed, sometimes two at once.
func (c *chaos) rage(begin time.Time, quit <-chan struct{}, count map[string]int) {
	all := c.faults()
	for {
		f := all[c.random.IntN(len(all))]
		wait := c.between(500*time.Millisecond, 6*time.Second)
		select {
		case <-quit:
			return
		case <-time.After(wait):
		}
		c.t.Logf("%7.1f s  %s", time.Since(begin).Seconds(), f.name)
		count[f.name]++
		f.do()
	}
}

// run starts the controller again and again until it has finished the sweep. calm is
// closed when the faults are over: from then on it has four minutes.
func (c *chaos) run(v *victim, calm <-chan struct{}, args ...string) (times int) {
	for {
		cmd := v.command(args...)
		var out strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &out
		c.mu.Lock()
		err := cmd.Start()
		c.controller = cmd
		c.mu.Unlock()
		if err != nil {
			c.t.Fatal(err)
		}
		times++
		end := make(chan error, 1)
		go func() { end <- cmd.Wait() }()
		var limit <-chan time.Time
		over := calm
		for waiting := true; waiting; {
			select {
			case err = <-end:
				waiting = false
			case <-over:
				over, limit = nil, time.After(4*time.Minute)
			case <-limit:
				cmd.Process.Kill()
				c.t.Fatalf("the controller does not end\n%s", &out)
			}
		}
		if err == nil {
			return times
		}
		select {
		case <-calm:
			c.t.Logf("after the faults: %v\n%s", err, &out)
		default:
		}
		if strings.Contains(out.String(), "panic") || cmd.ProcessState.ExitCode() == exitUsage {
			c.t.Fatalf("%v\n%s", err, &out)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// check demands that nothing of a sweep was lost, doubled or misnumbered.
func (c *chaos) check(v *victim, where string, runs int) {
	s := openAt(c.t, where)
	succeeded, began, ended := successes(c.t, s.Store()), map[string]int{}, map[string]int{}
	for line := range strings.Lines(read(c.t, filepath.Join(v.dir, "ledger"))) {
		what, x, _ := strings.Cut(strings.TrimSpace(line), " ")
		map[string]map[string]int{"begin": began, "end": ended}[what][x]++
	}
	if len(s.Runs()) != runs {
		c.t.Errorf("%d runs, want %d", len(s.Runs()), runs)
	}
	for _, st := range s.Runs() {
		x := st.Run.Params[0].Value.String()
		if st.Status != outcome.Succeeded || st.Began != nil || st.Scraps.Text("y") != x || succeeded[st.Run.ID] != 1 {
			c.t.Errorf("run %s (x=%s) is %s, recorded %s, and succeeded %d times", st.Run.ID, x, st.Status, st.Scraps.Text("y"), succeeded[st.Run.ID])
		}
		if began[x] > st.Attempts || ended[x] < 1 || st.Attempts == 1 && (began[x] != 1 || ended[x] != 1) {
			c.t.Errorf("run %s (x=%s) has %d attempts; its side effects began %d times and ended %d times", st.Run.ID, x, st.Attempts, began[x], ended[x])
		}
		for n := 1; n <= st.Attempts; n++ {
			if _, err := s.Store().Stat(c.t.Context(), fmt.Sprintf("attempts/%s.%d.ipynb", st.Run.ID, n)); err != nil {
				c.t.Errorf("run %s: attempt %d of %d: %v", st.Run.ID, n, st.Attempts, err)
			}
		}
	}
	for _, row := range v.table(c.t, where) {
		if fmt.Sprint(row["x"]) != fmt.Sprint(row["y"]) {
			c.t.Errorf("the table says %v", row)
		}
	}
}

// TestChaos executes sweeps on three agents, whose workers share nothing but a
// bucket, while everything goes wrong at random. FANOUT_TEST_CHAOS is for how long
// (two minutes by default), FANOUT_TEST_SEED which faults.
func TestChaos(t *testing.T) {
	deep(t)
	if os.Getuid() != 0 {
		t.Skip("only root starts tasks of other users")
	}
	seed, length := uint64(1), 2*time.Minute
	if text := os.Getenv("FANOUT_TEST_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = n
	}
	if text := os.Getenv("FANOUT_TEST_CHAOS"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatal(err)
		}
		length = d
	}
	t.Logf("FANOUT_TEST_SEED=%d FANOUT_TEST_CHAOS=%s", seed, length)
	const runs = 60
	c := newChaos(t, seed)
	begin, calm, count := time.Now(), make(chan struct{}), map[string]int{}
	quit := make(chan struct{})
	var raging sync.WaitGroup
	raging.Go(func() { c.rage(begin, quit, count); close(calm) })
	stop := sync.OnceFunc(func() { close(quit) })
	time.AfterFunc(length, stop)
	t.Cleanup(func() { stop(); raging.Wait() })
	done, starts := 0, 0
	for round := 1; round == 1 || time.Since(begin) < length; round++ {
		v, args := onNomad(t, runs)
		v.slow(t, 200*time.Millisecond)
		where := v.inBucket(t, c.server, c.bucket, "runs_per_job: 4, lost_after: 4s, ")
		where = strings.Replace(where, "/victim", fmt.Sprintf("/victim-%d", round), 1)
		n := c.run(v, calm, append(args, "-o", where, "--retries", "20")...)
		t.Logf("%7.1f s  round %d: finished by controller %d", time.Since(begin).Seconds(), round, n)
		c.check(v, where, runs)
		done, starts = done+runs, starts+n
		if t.Failed() {
			break
		}
	}
	<-calm
	total := 0
	for _, n := range count {
		total += n
	}
	t.Logf("%d runs under %d faults by %d controllers: %v", done, total, starts, count)
	await(t, time.Minute, "the end of every worker", func() bool { return len(c.workers()) == 0 })
}

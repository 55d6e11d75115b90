package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// agentOptions say what agent a test wants.
type agentOptions struct {
	name, region string
	lasting      bool // keeps its state in a directory, so that it can be restarted
	ttl          string
}

// agent is a real Nomad agent, server and client in one, on loopback.
type agent struct {
	addr, version string
	region        string
	http, serf    int

	path, dir string
	args      []string
	cmd       *exec.Cmd
	log       *os.File
}

const agentConfig = `
name = %q
region = %q
bind_addr = "127.0.0.1"
disable_update_check = true
ports {
  http = %d
  rpc  = %d
  serf = %d
}
plugin "raw_exec" {
  config {
    enabled = true
  }
}
client {
  options = {
    "fingerprint.denylist" = "env_aws,env_gce,env_azure,env_digitalocean,consul,vault,cni"
  }
}
`

const lastingConfig = `
data_dir = %q
advertise {
  http = "127.0.0.1"
  rpc  = "127.0.0.1"
  serf = "127.0.0.1"
}
server {
  enabled = true
  bootstrap_expect = 1
  heartbeat_grace = %q
  min_heartbeat_ttl = %q
}
client {
  enabled = true
}
`

// startAgent starts an agent that ends with the test, and waits until its
// client takes work.
func startAgent(t *testing.T, path string, o agentOptions) *agent {
	t.Helper()
	if o.region == "" {
		o.region = "global"
	}
	a := &agent{path: path, region: o.region, dir: t.TempDir(), http: freePort(t), serf: freePort(t)}
	os.Chmod(a.dir, 0o755) // tasks of other users live in it
	a.addr = fmt.Sprintf("http://127.0.0.1:%d", a.http)
	text := fmt.Sprintf(agentConfig, o.name, o.region, a.http, freePort(t), a.serf)
	a.args = []string{"agent", "-dev"}
	if o.lasting {
		text += fmt.Sprintf(lastingConfig, filepath.Join(a.dir, "data"), o.ttl, o.ttl)
		a.args = []string{"agent"}
	}
	config := filepath.Join(a.dir, "agent.hcl")
	if err := os.WriteFile(config, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	a.args = append(a.args, "-config", config)
	var err error
	if a.log, err = os.Create(filepath.Join(a.dir, "log")); err != nil {
		t.Fatal(err)
	}
	version, _ := exec.Command(path, "version").Output()
	a.version, _, _ = strings.Cut(string(version), "\n")
	a.start(t)
	t.Cleanup(func() { a.end(o.lasting) })
	return a
}

// start starts the agent and waits until its client takes work.
func (a *agent) start(t *testing.T) {
	t.Helper()
	a.launch(t)
	a.awaitNode(t)
}

func (a *agent) launch(t *testing.T) {
	t.Helper()
	a.cmd = exec.Command(a.path, a.args...)
	a.cmd.Stdout, a.cmd.Stderr = a.log, a.log
	a.cmd.Env = append(os.Environ(), "AWS_CA_BUNDLE=")
	a.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := a.cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

// kill ends the agent as a crash does; what it started goes on.
func (a *agent) kill() {
	a.cmd.Process.Kill()
	a.cmd.Wait()
}

// end stops the agent, and what is at work on it first where that would go on.
func (a *agent) end(lasting bool) {
	if lasting {
		for _, id := range a.jobs() {
			exec.Command(a.path, "job", "stop", "-address="+a.addr, "-detach", "-purge", "-yes", id).Run()
		}
		time.Sleep(2 * time.Second)
	}
	a.cmd.Process.Signal(syscall.SIGINT)
	done := make(chan struct{})
	go func() { a.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		syscall.Kill(-a.cmd.Process.Pid, syscall.SIGKILL)
		<-done
	}
	a.log.Close()
}

// run runs nomad's own command against the agent.
func (a *agent) run(args ...string) (string, error) {
	cmd := exec.Command(a.path, args...)
	cmd.Env = append(os.Environ(), "NOMAD_ADDR="+a.addr, "NOMAD_REGION="+a.region)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// jobs lists the ids of every job.
func (a *agent) jobs() (ids []string) {
	var jobs []struct{ ID string }
	a.get("/v1/jobs", &jobs)
	for _, j := range jobs {
		ids = append(ids, j.ID)
	}
	return ids
}

func (a *agent) get(path string, out any) error {
	r, err := http.Get(a.addr + path)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	return json.NewDecoder(r.Body).Decode(out)
}

// node is the id of the agent's own node, once it is ready.
func (a *agent) node() string {
	var nodes []struct{ ID, Status string }
	if a.get("/v1/nodes", &nodes) != nil {
		return ""
	}
	for _, n := range nodes {
		if n.Status == "ready" {
			return n.ID
		}
	}
	return ""
}

// awaitNode waits until the agent's own client takes work.
func (a *agent) awaitNode(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for time.Now().Before(deadline) {
		if a.node() != "" {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	text, _ := os.ReadFile(a.log.Name())
	t.Fatalf("the agent does not come up:\n%s", text[max(0, len(text)-4000):])
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

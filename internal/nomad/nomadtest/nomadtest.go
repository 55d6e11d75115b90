// Package nomadtest is a Nomad agent for tests: the handful of endpoints that
// package nomad uses, over HTTP, with tasks that are real processes of this
// machine. It behaves as a real agent was observed to, where that matters: a
// stopped task is "complete", a dispatch with a known token returns the first
// child, and lists are blocking queries.
//
// It can be made to fail: see Faults. It places nothing and checks no HCL.
package nomadtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

// Faults are what goes wrong. All are counts that go down to zero.
type Faults struct {
	TooMany  int // requests answered 429
	Refused  int // requests answered 403
	Broken   int // requests answered 500 "No cluster leader"
	LostWord int // dispatches that happen and whose reply is lost
	Phantom  int // dispatches that return an id that does not exist
	Tokens   int // dispatches whose token is not heeded
}

// A Server is a running agent.
type Server struct {
	URL string

	t    testing.TB
	dir  string
	http *httptest.Server

	mu      sync.Mutex
	faults  Faults
	index   uint64
	changed chan struct{}
	jobs    map[string]*api.Job
	stopped map[string]bool
	tokens  map[string]string
	allocs  []*alloc
	serial  int
	idle    bool
	mute    bool // ends are not reported
	vars    map[string]map[string]string
	away    map[string]string // region → what is answered for it
	work    sync.WaitGroup
	noPurge atomic.Bool
}

// alloc is a child's only allocation.
type alloc struct {
	stub *api.AllocationListStub
	cmd  *exec.Cmd
	kill time.Duration
}

// New starts an agent that ends with the test.
func New(t testing.TB) *Server {
	s := &Server{t: t, dir: t.TempDir(), jobs: map[string]*api.Job{}, stopped: map[string]bool{}, tokens: map[string]string{}, away: map[string]string{}, vars: map[string]map[string]string{}, changed: make(chan struct{}), index: 1}
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /v1/jobs/parse", s.parse)
	mux.HandleFunc("PUT /v1/jobs", s.register)
	mux.HandleFunc("GET /v1/jobs", s.list)
	mux.HandleFunc("GET /v1/allocations", s.allocations)
	mux.HandleFunc("GET /v1/allocation/{id}", s.allocation)
	mux.HandleFunc("GET /v1/event/stream", s.events)
	mux.HandleFunc("GET /v1/status/leader", func(w http.ResponseWriter, _ *http.Request) { s.reply(w, "127.0.0.1:4647") })
	mux.HandleFunc("GET /v1/regions", func(w http.ResponseWriter, _ *http.Request) { s.reply(w, []string{"global"}) })
	mux.HandleFunc("GET /v1/nodes", s.nodes)
	mux.HandleFunc("GET /v1/var/{path...}", s.variable)
	mux.HandleFunc("GET /v1/acl/token/self", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "ACL support disabled", http.StatusBadRequest)
	})
	mux.HandleFunc("/v1/job/", s.job)
	mux.HandleFunc("GET /v1/client/fs/logs/{alloc}", s.logs)
	s.http = httptest.NewServer(s.faulty(mux))
	s.URL = s.http.URL
	t.Cleanup(s.close)
	return s
}

// Fail orders faults.
func (s *Server) Fail(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f
}

// Away makes every request about a region fail with this answer, as the other
// regions give it when its servers are gone; "" ends that.
func (s *Server) Away(region, answer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away[region] = answer
}

// Jobs lists the ids of the jobs of a region, "" for those that name none.
func (s *Server) Jobs(region string) (ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, job := range s.jobs {
		if job.Region == nil && region == "" || job.Region != nil && *job.Region == region {
			ids = append(ids, id)
		}
	}
	return ids
}

// NoPurge takes the right to purge jobs.
func (s *Server) NoPurge() { s.noPurge.Store(true) }

// Put stores a variable.
func (s *Server) Put(path string, items map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.vars[path] = items
}

func (s *Server) variable(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	items, ok := s.vars[r.PathValue("path")]
	s.mu.Unlock()
	if !ok {
		http.Error(w, "variable not found", http.StatusNotFound)
		return
	}
	s.reply(w, api.Variable{Path: r.PathValue("path"), Items: items})
}

// Collect forgets every job that has ended, as garbage collection does.
func (s *Server) Collect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	var keep []*alloc
	for _, a := range s.allocs {
		if a.stub.ClientStatus == api.AllocClientStatusRunning {
			keep = append(keep, a)
			continue
		}
		delete(s.jobs, a.stub.JobID)
	}
	s.allocs = keep
	s.change()
}

// Kill ends the task of every running allocation as if its machine had: with
// SIGKILL, to the whole group.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.allocs {
		if a.stub.ClientStatus == api.AllocClientStatusRunning && a.cmd != nil {
			syscall.Kill(-a.cmd.Process.Pid, syscall.SIGKILL)
		}
	}
}

func (s *Server) close() {
	s.Kill()
	s.work.Wait()
	s.http.CloseClientConnections()
	s.http.Close()
}

// faulty fails requests as ordered.
func (s *Server) faulty(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		tooMany, broken, refused := s.faults.TooMany > 0, s.faults.Broken > 0, s.faults.Refused > 0
		away := s.away[r.URL.Query().Get("region")]
		switch {
		case away != "":
		case refused:
			s.faults.Refused--
		case tooMany:
			s.faults.TooMany--
		case broken:
			s.faults.Broken--
		}
		s.mu.Unlock()
		switch {
		case away != "":
			http.Error(w, away, http.StatusInternalServerError)
		case refused:
			http.Error(w, "Permission denied", http.StatusForbidden)
		case tooMany:
			http.Error(w, "Too Many Requests", http.StatusTooManyRequests)
		case broken:
			http.Error(w, "No cluster leader", http.StatusInternalServerError)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// change wakes who waits for an index. It is called with the lock.
func (s *Server) change() {
	s.index++
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *Server) reply(w http.ResponseWriter, v any) {
	s.mu.Lock()
	index := s.index
	b, err := json.Marshal(v)
	s.mu.Unlock()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("X-Nomad-Index", fmt.Sprint(index))
	w.Header().Set("X-Nomad-LastContact", "0")
	w.Header().Set("X-Nomad-KnownLeader", "true")
	w.Write(b)
}

// parse answers any specification with a job of one task; HCL is for real
// agents.
func (s *Server) parse(w http.ResponseWriter, r *http.Request) {
	var in api.JobsParseRequest
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || !strings.Contains(in.JobHCL, "job ") {
		http.Error(w, "input.hcl:1,1-1: Invalid expression", http.StatusBadRequest)
		return
	}
	kind, name := api.JobTypeBatch, "worker"
	group := "shard"
	s.reply(w, &api.Job{Type: &kind, TaskGroups: []*api.TaskGroup{{Name: &group, Tasks: []*api.Task{{Name: name, Driver: "raw_exec", Config: map[string]any{"command": "fanout"}}}}}})
}

func (s *Server) register(w http.ResponseWriter, r *http.Request) {
	var in api.JobRegisterRequest
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Job.ID == nil {
		http.Error(w, "Job ID hasn't been provided", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	var index uint64
	if known := s.jobs[*in.Job.ID]; known != nil {
		index = *known.JobModifyIndex
	}
	if in.EnforceIndex && in.JobModifyIndex != index {
		s.mu.Unlock()
		http.Error(w, fmt.Sprintf("%s %d: job exists with conflicting job modify index: %d", api.RegisterEnforceIndexErrPrefix, in.JobModifyIndex, index), http.StatusInternalServerError)
		return
	}
	s.jobs[*in.Job.ID] = in.Job
	delete(s.stopped, *in.Job.ID)
	s.change()
	in.Job.JobModifyIndex = ptr(s.index)
	s.mu.Unlock()
	s.reply(w, api.JobRegisterResponse{})
}

// job serves /v1/job/<id>, whose id may hold escaped slashes.
func (s *Server) job(w http.ResponseWriter, r *http.Request) {
	rest := strings.TrimPrefix(r.URL.EscapedPath(), "/v1/job/")
	id, verb, _ := strings.Cut(rest, "/")
	id = strings.ReplaceAll(id, "%2F", "/")
	switch {
	case verb == "plan":
		s.reply(w, api.JobPlanResponse{})
	case verb == "dispatch":
		s.dispatch(w, r, id)
	case verb == "periodic/force":
		s.force(w, id)
	case verb == "allocations":
		s.allocationsOf(w, id)
	case verb == "evaluations":
		s.reply(w, []*api.Evaluation{})
	case verb == "allocations":
		s.reply(w, s.stubs(func(a *alloc) bool { return a.stub.JobID == id }))
	case r.Method == http.MethodDelete:
		purge := r.URL.Query().Get("purge") == "true"
		if purge && s.noPurge.Load() {
			http.Error(w, "Permission denied", http.StatusForbidden)
			return
		}
		s.deregister(w, id)
		if purge {
			s.purge(id)
		}
	default:
		s.info(w, id)
	}
}

func (s *Server) info(w http.ResponseWriter, id string) {
	s.mu.Lock()
	job, ok := s.jobs[id]
	stop := s.stopped[id]
	s.mu.Unlock()
	if !ok {
		http.Error(w, "job not found", http.StatusNotFound)
		return
	}
	answer := *job
	answer.Stop = &stop
	s.reply(w, answer)
}

func (s *Server) dispatch(w http.ResponseWriter, r *http.Request, parent string) {
	var in api.JobDispatchRequest
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	job, ok := s.jobs[parent]
	if !ok || s.stopped[parent] {
		s.mu.Unlock()
		http.Error(w, fmt.Sprintf("Specified job %q is stopped", parent), http.StatusInternalServerError)
		return
	}
	if s.faults.Phantom > 0 {
		s.faults.Phantom--
		s.mu.Unlock()
		s.reply(w, api.JobDispatchResponse{DispatchedJobID: parent + "/dispatch-0-phantom", EvalID: "e"})
		return
	}
	token := r.URL.Query().Get("idempotency_token")
	child := s.tokens[token]
	if s.faults.Tokens > 0 {
		s.faults.Tokens--
		child = ""
	}
	if child == "" || s.jobs[child] == nil {
		s.serial++
		prefix := in.IdPrefixTemplate
		if prefix != "" {
			prefix += "-"
		}
		child = fmt.Sprintf("%s/dispatch-%s%d-%08x", parent, prefix, time.Now().Unix(), s.serial)
		s.tokens[token] = child
		if err := s.start(job, child, in); err != nil {
			s.t.Errorf("nomadtest: start %s: %v", child, err)
		}
	}
	lost := s.faults.LostWord > 0
	if lost {
		s.faults.LostWord--
	}
	s.mu.Unlock()
	if lost {
		panic(http.ErrAbortHandler)
	}
	s.reply(w, api.JobDispatchResponse{DispatchedJobID: child})
}

// start runs the only task of a child. It is called with the lock.
func (s *Server) start(job *api.Job, child string, in api.JobDispatchRequest) error {
	task := job.TaskGroups[0].Tasks[0]
	id := fmt.Sprintf("%08x-0000-0000-0000-000000000000", s.serial)
	dir := filepath.Join(s.dir, id, "local")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if task.DispatchPayload != nil {
		if err := os.WriteFile(filepath.Join(dir, task.DispatchPayload.File), in.Payload, 0o666); err != nil {
			return err
		}
	}
	var args []string
	for _, a := range task.Config["args"].([]any) {
		args = append(args, strings.ReplaceAll(a.(string), "${NOMAD_TASK_DIR}", dir))
	}
	cmd := exec.Command(task.Config["command"].(string), args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "NOMAD_ALLOC_ID="+id, "NOMAD_JOB_ID="+child, "NOMAD_TASK_DIR="+dir)
	for k, v := range task.Env {
		cmd.Env = append(cmd.Env, k+"="+strings.ReplaceAll(v, "${node.unique.name}", "test"))
	}
	log, err := os.Create(filepath.Join(dir, "stderr"))
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	meta := *job
	meta.ID, meta.Meta, meta.Periodic = &child, maps.Clone(job.Meta), nil
	for k, v := range in.Meta {
		meta.SetMeta(k, v)
	}
	s.jobs[child] = &meta
	if s.idle {
		cmd = nil
	}
	a := &alloc{cmd: cmd, kill: *task.KillTimeout, stub: &api.AllocationListStub{
		ID: id, JobID: child, NodeName: "test", ClientStatus: api.AllocClientStatusRunning, DesiredStatus: api.AllocDesiredStatusRun,
		CreateIndex: s.index + 1, ModifyIndex: s.index + 1,
	}}
	s.allocs = append(s.allocs, a)
	s.change()
	if s.idle {
		return log.Close()
	}
	if err := cmd.Start(); err != nil {
		a.stub.ClientStatus = api.AllocClientStatusFailed
		a.stub.ModifyIndex = s.index + 1
		defer s.change()
		a.stub.TaskStates = map[string]*api.TaskState{"worker": {Events: []*api.TaskEvent{{Type: api.TaskDriverFailure, DisplayMessage: err.Error()}}}}
		return log.Close()
	}
	s.work.Go(func() {
		cmd.Wait()
		log.Close()
		s.ended(a)
	})
	return nil
}

// ended records the end of a task: one that was stopped is complete, however it
// ended.
func (s *Server) ended(a *alloc) {
	syscall.Kill(-a.cmd.Process.Pid, syscall.SIGKILL) // what it left
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mute {
		return
	}
	status := a.cmd.ProcessState.Sys().(syscall.WaitStatus)
	event := &api.TaskEvent{Type: api.TaskTerminated, ExitCode: a.cmd.ProcessState.ExitCode()}
	if status.Signaled() {
		event.ExitCode, event.Signal = 128+int(status.Signal()), int(status.Signal())
	}
	a.stub.TaskStates = map[string]*api.TaskState{"worker": {State: "dead", Events: []*api.TaskEvent{event}}}
	a.stub.ClientStatus = api.AllocClientStatusFailed
	if event.ExitCode == 0 || a.stub.DesiredStatus == api.AllocDesiredStatusStop {
		a.stub.ClientStatus = api.AllocClientStatusComplete
	}
	a.stub.ModifyIndex = s.index + 1
	s.change()
}

func (s *Server) deregister(w http.ResponseWriter, id string) {
	s.mu.Lock()
	s.stopped[id] = true
	for _, a := range s.allocs {
		if a.stub.JobID == id && a.stub.ClientStatus == api.AllocClientStatusRunning {
			a.stub.DesiredStatus = api.AllocDesiredStatusStop
			if s.mute {
				continue
			}
			if a.cmd == nil {
				a.stub.ClientStatus, a.stub.ModifyIndex = api.AllocClientStatusComplete, s.index+1
				continue
			}
			a.cmd.Process.Signal(syscall.SIGTERM)
			time.AfterFunc(a.kill, func() { syscall.Kill(-a.cmd.Process.Pid, syscall.SIGKILL) })
		}
	}
	s.change()
	s.mu.Unlock()
	s.reply(w, api.JobDeregisterResponse{})
}

// list serves the children of a parent.
func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	prefix := r.URL.Query().Get("prefix")
	s.mu.Lock()
	var stubs []*api.JobListStub
	for id, job := range s.jobs {
		if strings.HasPrefix(id, prefix) {
			status := s.status(id)
			if job.ParameterizedJob != nil && !strings.Contains(id, api.JobDispatchLaunchSuffix) && !s.stopped[id] {
				status = "running" // it takes dispatches
			}
			stubs = append(stubs, &api.JobListStub{ID: id, Stop: s.stopped[id], Status: status, Meta: job.Meta, Periodic: job.Periodic != nil})
		}
	}
	s.mu.Unlock()
	s.reply(w, stubs)
}

// status is running while a task is. It is called with the lock.
func (s *Server) status(id string) string {
	for _, a := range s.allocs {
		if a.stub.JobID == id && a.stub.ClientStatus == api.AllocClientStatusRunning {
			return "running"
		}
	}
	return "dead"
}

// stubs copies the allocations that are wanted.
func (s *Server) stubs(wanted func(*alloc) bool) []*api.AllocationListStub {
	s.mu.Lock()
	defer s.mu.Unlock()
	stubs := []*api.AllocationListStub{}
	for _, a := range s.allocs {
		if wanted(a) {
			copied := *a.stub
			stubs = append(stubs, &copied)
		}
	}
	return stubs
}

// allocations lists those whose job's id holds what the filter names.
func (s *Server) allocations(w http.ResponseWriter, r *http.Request) {
	var part string
	fmt.Sscanf(r.URL.Query().Get("filter"), "JobID contains %q", &part)
	s.reply(w, s.stubs(func(a *alloc) bool { return strings.Contains(a.stub.JobID, part) }))
}

func (s *Server) allocation(w http.ResponseWriter, r *http.Request) {
	found := s.stubs(func(a *alloc) bool { return a.stub.ID == r.PathValue("id") })
	if len(found) == 0 {
		http.Error(w, "alloc not found", http.StatusNotFound)
		return
	}
	a := found[0]
	s.reply(w, api.Allocation{ID: a.ID, JobID: a.JobID, NodeName: a.NodeName, ClientStatus: a.ClientStatus, ClientDescription: a.ClientDescription, TaskStates: a.TaskStates})
}

// nodes are one, which has the driver.
func (s *Server) nodes(w http.ResponseWriter, _ *http.Request) {
	s.reply(w, []*api.NodeListStub{{
		ID: "node", Name: "test", Status: api.NodeStatusReady, SchedulingEligibility: api.NodeSchedulingEligible,
		Drivers: map[string]*api.DriverInfo{"raw_exec": {Detected: true, Healthy: true}},
	}})
}

// events streams how allocations are, whenever one changes: all of them, which
// is more than a real agent sends.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	flush := http.NewResponseController(w)
	fmt.Fprintln(w, "{}")
	flush.Flush()
	sent := map[string]uint64{}
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		for _, a := range s.stubs(func(a *alloc) bool { return sent[a.stub.ID] < a.stub.ModifyIndex }) {
			sent[a.ID] = a.ModifyIndex
			event := map[string]any{"Topic": "Allocation", "Key": a.ID, "Index": a.ModifyIndex, "Payload": map[string]any{"Allocation": a}}
			json.NewEncoder(w).Encode(map[string]any{"Index": a.ModifyIndex, "Events": []any{event}})
		}
		flush.Flush()
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

// Disconnect makes the node disconnected, as the servers see it: what it runs
// goes on, and nothing of it is reported any more.
func (s *Server) Disconnect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mute = true
	for _, a := range s.allocs {
		if a.stub.ClientStatus == api.AllocClientStatusRunning {
			a.stub.ClientStatus, a.stub.ModifyIndex = api.AllocClientStatusUnknown, s.index+1
		}
	}
	s.change()
}

// Mute lets the node report nothing from now on, although it is connected.
func (s *Server) Mute() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mute = true
}

// Vanish forgets every dispatched job at once, with its allocations, as a purge
// does: what they run goes on.
func (s *Server) Vanish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.allocs {
		delete(s.jobs, a.stub.JobID)
	}
	s.allocs = nil
	s.change()
}

// Idle lets allocations from now on run nothing, until they are stopped.
func (s *Server) Idle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle = true
}

// Running counts the allocations that run.
func (s *Server) Running() int {
	return len(s.stubs(func(a *alloc) bool { return a.stub.ClientStatus == api.AllocClientStatusRunning }))
}

func ptr[T any](v T) *T { return &v }

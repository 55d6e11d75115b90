package nomadtest

import (
	"fmt"
	"net/http"
	"time"

	"github.com/hashicorp/nomad/api"
)

// force fires a periodic job. By itself none fires here: that is for real
// agents.
func (s *Server) force(w http.ResponseWriter, id string) {
	s.mu.Lock()
	job, ok := s.jobs[id]
	if !ok || job.Periodic == nil || s.stopped[id] {
		s.mu.Unlock()
		http.Error(w, "can't force run non-tracked job", http.StatusInternalServerError)
		return
	}
	child := fmt.Sprintf("%s%s%d", id, api.JobPeriodicLaunchSuffix, time.Now().Unix())
	if s.jobs[child] == nil { // two in one second are one
		s.serial++
		if err := s.start(job, child, api.JobDispatchRequest{Meta: job.Meta}); err != nil {
			s.t.Errorf("nomadtest: start %s: %v", child, err)
		}
	}
	s.mu.Unlock()
	s.reply(w, map[string]string{"EvalID": "e"})
}

// allocationsOf serves the allocations of one job.
func (s *Server) allocationsOf(w http.ResponseWriter, id string) {
	s.mu.Lock()
	stubs := []*api.AllocationListStub{}
	for _, a := range s.allocs {
		if a.stub.JobID == id {
			copied := *a.stub
			stubs = append(stubs, &copied)
		}
	}
	s.mu.Unlock()
	s.reply(w, stubs)
}

// purge forgets a job that was stopped; what it started stays.
func (s *Server) purge(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.jobs, id)
	s.change()
}

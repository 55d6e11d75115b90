package app

import (
	"github.com/fanout-dev/fanout/internal/fan"
	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// provenTemplates are the templates, or steps, of which the code and files in
// force have succeeded before.
func provenTemplates(s *sweep.Sweep) map[string]bool {
	head, _ := s.Head()
	good := map[string]bool{}
	for st := range s.All() {
		if o := st.BestOut; o != nil && o.Status == outcome.Succeeded && !good[st.Run.Template] {
			good[st.Run.Template] = len(o.Fingerprint.Differs(head.Fingerprint(st.Run), []string{"code", "files"})) == 0
		}
	}
	return good
}

// retry is a policy as the command line may change it.
func (j *Job) retry(r grid.Retries) fan.Retry {
	if j.app.Retries >= 0 {
		r.N = j.app.Retries
	}
	return fan.Retry{N: r.N, On: r.On, Backoff: r.Backoff, Total: r.Max}
}

// retries are the policies of the steps.
func (j *Job) retries() map[string]fan.Retry {
	out := map[string]fan.Retry{}
	for _, st := range j.Spec().Steps {
		out[st.Name] = j.retry(st.Over(j.Spec().PerPoint()).Retries)
	}
	return out
}

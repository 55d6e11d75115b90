package serve

import (
	"context"
	"net/http"

	"github.com/fanout-dev/fanout/internal/roots"
	"github.com/fanout-dev/fanout/internal/serve/internal/actions"
)

// An AuditEntry is a line of the audit log.
type AuditEntry = actions.Entry

type launchesView struct{ actions.Launches }

func (launchesView) title() string { return "Launch" }

type formView struct{ actions.Form }

func (v formView) title() string { return "Launch " + v.File.Name }

func (s *Server) launchesPage(r *http.Request) (view, []crumb, error) {
	v, err := s.actions.List(r.Context(), r.URL.Query().Get("q"))
	return launchesView{v}, nil, err
}

func (s *Server) formPage(r *http.Request) (view, []crumb, error) {
	v, err := s.actions.Show(r.Context(), r.PathValue("file"))
	v.When.Open = r.URL.Query().Get("schedule") == "1"
	return formView{v}, []crumb{{"Launch", s.link("launch")}}, err
}

// launch obeys a form.
func (s *Server) launch(w http.ResponseWriter, r *http.Request) {
	v, launched, err := s.actions.Post(w, r)
	switch {
	case err != nil:
		s.fail(w, r, err)
	case launched == nil:
		code := http.StatusOK
		if v.Wrong != "" {
			code = http.StatusUnprocessableEntity // for programs
		}
		s.render(w, r, code, "launch", formView{v}, []crumb{{"Launch", s.link("launch")}})
	default:
		s.fail(w, r, redirectError{s.link("launch")})
	}
}

// act obeys a button on the page of a sweep.
func (s *Server) act(w http.ResponseWriter, r *http.Request) {
	find := func() (roots.Sweep, error) { return s.placeOf(r) }
	err := s.actions.Do(w, r, find, func(ctx context.Context) error {
		_, o, err := s.sweepOf(r)
		if err == nil {
			err = o.AskCancel(ctx)
		}
		return err
	})
	if err == nil {
		to := s.link("s", r.PathValue("sweep"))
		if actions.Timed(r.PostForm.Get("do")) {
			to += "/schedule"
		}
		err = redirectError{to}
	}
	s.fail(w, r, err)
}

// next says when expressions of cron are due.
func (s *Server) next(w http.ResponseWriter, r *http.Request) {
	s.sendJSON(w, r, http.StatusOK, actions.DueOf(r.URL.Query()))
}

package actions

import (
	"context"
	"errors"
	"net/http"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/launch"
	"github.com/fanout-dev/fanout/internal/roots"
	"github.com/fanout-dev/fanout/internal/schedule"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A Form is the page of a file that can be launched.
type Form struct {
	File    roots.File     `json:"file"`
	Ask     launch.Form    `json:"form"` // what can be filled in
	Values  map[string]any `json:"-"`    // what is filled in, by field
	Axis    string         `json:"-"`
	Along   string         `json:"-"`
	Wrong   string         `json:"-"` // what is wrong with it
	Preview string         `json:"-"` // what would be executed
	YAML    string         `json:"-"`
	Command string         `json:"-"`
	Where   string         `json:"-"` // from the root on
	At      string         `json:"-"` // when that was said first
	Already *launch.Order  `json:"-"` // what was launched, when it was asked for again
	Token   string         `json:"-"`
	When    Timing         `json:"-"`
	Fires   bool           `json:"-"` // this server fires what is scheduled
	// Scheduled is the id of the sweep that was scheduled just now.
	Scheduled string `json:"-"`
}

// Show is the form of a file, with nothing filled in.
func (a *Actions) Show(ctx context.Context, id string) (Form, error) {
	if !a.On() {
		return Form{}, errOff
	}
	if !idForm.MatchString(id) {
		return Form{}, refusal("nothing here has that id")
	}
	f, err := a.file(ctx, id)
	if err != nil {
		return Form{}, err
	}
	v := Form{File: f, Token: a.Token(ctx), Fires: a.Fires, When: Timing{Zone: "UTC", Missed: schedule.Latest}}
	if v.Ask, err = launch.FormOf(ctx, f.Where); err != nil {
		return v, err
	}
	v.Values = map[string]any{}
	for _, field := range v.Ask.Fields {
		if !field.Varies && !v.Ask.Sweep && !field.Part && field.Kind != launch.Choice {
			v.Values[field.Name] = field.Default
		}
	}
	return v, nil
}

// prefix is that of the names of fields that are parameters.
const prefix = "v."

// Post takes a form that somebody filled in. If it was to be launched, launched is the
// order; else the page says what would be executed, or when it is due.
func (a *Actions) Post(w http.ResponseWriter, r *http.Request) (v Form, launched *launch.Order, err error) {
	id := r.PathValue("file")
	if err := a.admit(w, r, id); err != nil {
		return v, nil, err
	}
	if v, err = a.Show(r.Context(), id); err != nil {
		return v, nil, err
	}
	in := launch.Filled{Values: map[string]string{}, Axis: r.PostForm.Get("axis")}
	in.Shown, _ = time.Parse(launch.StampForm, r.PostForm.Get("at"))
	v.Axis, v.Along = in.Axis, r.PostForm.Get("along")
	for name, texts := range r.PostForm {
		if field, isField := strings.CutPrefix(name, prefix); isField {
			in.Values[field] = texts[0]
			v.Values[field] = texts[0]
		}
	}
	for line := range strings.Lines(v.Along) {
		if line = strings.TrimSpace(line); line != "" {
			in.Along = append(in.Along, line)
		}
	}
	do := r.PostForm.Get("do")
	if do == launch.Schedule || do == "when" {
		v.When = timingOf(r.PostForm)
		err = v.mistaken(a.schedule(r, &v, in, do == launch.Schedule))
		return v, nil, err
	}
	o, err := v.Ask.Order(in, time.Now())
	if err == nil && a.Queue.Taken(o) { // the form was changed after it was launched
		in.Shown = time.Time{}
		o, err = v.Ask.Order(in, time.Now())
	}
	if err == nil {
		v.Preview, err = a.Preview(r.Context(), o)
	}
	if err != nil {
		err = v.mistaken(err)
		return v, nil, err
	}
	v.YAML = o.Stdin
	v.shows(o)
	if do != launch.Launch {
		return v, nil, nil
	}
	if o, err = a.order(r, o, launch.Launch); errors.Is(err, launch.ErrAgain) {
		v.Already = &o
		return v, nil, nil
	}
	return v, &o, err
}

// shows takes over what an order would do, as people type it, and where.
func (v *Form) shows(o launch.Order) {
	v.Command, v.Where, v.At = o.Command(), path.Join(path.Dir(v.File.Path), filepath.Base(o.Where)), o.Stamp
}

// mistaken says on the page what was filled in wrong; other errors are returned.
func (v *Form) mistaken(err error) error {
	if err == nil || !unit.IsMistake(err) {
		return err
	}
	v.Wrong = unit.Cut(unit.Complaint(err), 2000)
	return nil
}

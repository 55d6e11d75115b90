package shelf

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/firing"
	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/lease"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/roots"
	"github.com/fanout-dev/fanout/internal/schedule"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A Record is what is known of a sweep without opening it.
type Record struct {
	roots.Sweep
	State     string         `json:"state"` // running, failed, partial, done, unreadable or unread
	Tally     query.Tally    `json:"tally"`
	Ended     time.Time      `json:"ended,omitzero"` // when the last run ended
	Title     string         `json:"title,omitempty"`
	About     string         `json:"about,omitempty"`
	Owner     string         `json:"owner,omitempty"`
	Tags      []string       `json:"tags,omitempty"`
	Templates []string       `json:"templates,omitempty"` // as the sweep file names them
	Axes      []Axis         `json:"axes,omitempty"`
	Fixed     []Fixed        `json:"parameters,omitempty"` // those that are the same for every run
	Metrics   []Metric       `json:"metrics,omitempty"`
	Scraps    []string       `json:"scraps,omitempty"` // those that are no metrics
	Failures  []query.Reason `json:"failures,omitempty"`
	Unusual   []string       `json:"unusual,omitempty"` // values of the last date, for people
	Schedule  *Schedule      `json:"schedule,omitempty"`
	Error     string         `json:"error,omitempty"`
}

// An Axis is what a sweep varies.
type Axis struct {
	Name   string   `json:"name"`
	Values []string `json:"values"` // the first ones
	N      int      `json:"n"`
}

// A Fixed is a parameter that the sweep file, or who launched it, set for every run.
type Fixed struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// FixedOf are the parameters that are the same for every run of a sweep. Secrets are not
// among them: the sweep does not have them.
func FixedOf(s *sweep.Sweep) (all []Fixed) {
	spec := s.Spec()
	if spec == nil {
		return nil
	}
	for _, b := range spec.Parameters[:min(len(spec.Parameters), maxNames)] {
		all = append(all, Fixed{unit.Line(b.Name), unit.Cut(unit.Line(b.Value.Text()), maxText)})
	}
	return all
}

// Range is the values of an axis in a few words.
func (a Axis) Range() string {
	switch {
	case len(a.Values) == 0:
		return ""
	case a.N <= 3 && len(a.Values) == a.N:
		return strings.Join(a.Values, ", ")
	}
	return fmt.Sprintf("%s … %s (%d)", a.Values[0], a.Values[len(a.Values)-1], a.N)
}

// A Metric is what the runs of a sweep are compared by.
type Metric struct {
	Name string `json:"name"`
	Unit string `json:"unit,omitempty"`
	Goal string `json:"goal,omitempty"`
}

// A Schedule is when a sweep is extended, and how that went last.
type Schedule struct {
	Crons  []string  `json:"crons"`
	Zone   string    `json:"tz"`
	Paused bool      `json:"paused,omitempty"`
	On     string    `json:"on,omitempty"`
	Due    time.Time `json:"last_due,omitzero"`
	Code   *int      `json:"last_exit_code,omitempty"` // of the last firing; nil while it runs
}

// WentBadly reports whether the last firing ended, and not well.
func (s Schedule) WentBadly() bool { return s.Code != nil && *s.Code != 0 }

// When is a time in the zone of the schedule, which it names.
func (s Schedule) When(at time.Time) string {
	zone, err := time.LoadLocation(s.Zone)
	if err != nil {
		zone = time.UTC
	}
	return at.In(zone).Format("2006-01-02 15:04 MST")
}

// Next is when the sweep is due next; zero is never.
func (s Schedule) Next() time.Time {
	next, err := schedule.Schedule{Crons: s.Crons, Zone: s.Zone, Paused: s.Paused}.Next(time.Now())
	if err != nil {
		return time.Time{}
	}
	return next
}

// The states of a sweep.
const (
	Running    = "running"
	Failed     = "failed"
	Partial    = "partial"
	Done       = "done"
	Unreadable = "unreadable"
	Unread     = "unread"
)

// Order is the order of states where nothing else orders sweeps.
var Order = []string{Running, Failed, Unreadable, Partial, Done, Unread}

// StateOf says in a word how a sweep stands.
func StateOf(t query.Tally, moves bool) string {
	bad := t.Counts[outcome.Failed] + t.Counts[outcome.TimedOut] + t.Counts[outcome.Lost]
	switch {
	case moves || t.Counts[outcome.Running] > 0:
		return Running
	case bad > 0:
		return Failed
	case t.Counts[outcome.Succeeded] < t.Runs || t.Runs == 0:
		return Partial
	}
	return Done
}

// Bounds of a record.
const (
	maxText   = 300 // of a title, a description, a reason
	maxValues = 20  // of an axis
	maxNames  = 50
	maxError  = 2000
)

// read makes the record of a sweep.
func read(ctx context.Context, st store.Store, place roots.Sweep) Record {
	r := Record{Sweep: place}
	s, err := sweep.OpenPlanned(ctx, st)
	var unplanned *sweep.UnplannedError
	switch {
	case errors.As(err, &unplanned): // it is scheduled, and was not fired yet
		r.State = Partial
	case err != nil:
		r.State, r.Error = Unreadable, unit.Cut(unit.Line(err.Error()), maxError)
		return r
	default:
		r.Tally = query.TallyOf(s)
		r.describe(s)
		r.count(s)
		r.explain(ctx, s)
	}
	r.Owner = unit.Line(lease.First(ctx, st).User)
	return r
}

// describe takes over what the sweep file says.
func (r *Record) describe(s *sweep.Sweep) {
	head, _ := s.Head()
	for _, path := range head.Notebooks() {
		r.Templates = append(r.Templates, unit.Line(r.Beneath(path)))
	}
	for _, a := range head.Axes {
		r.Axes = append(r.Axes, axisOf(a))
	}
	r.Fixed = FixedOf(s)
	if spec := s.Spec(); spec != nil {
		for _, m := range spec.Metrics {
			r.Metrics = append(r.Metrics, Metric{unit.Line(m.Name), unit.Line(m.Unit), m.Goal})
		}
	}
	r.Templates, r.Axes, r.Metrics = r.Templates[:min(len(r.Templates), maxNames)], r.Axes[:min(len(r.Axes), maxNames)], r.Metrics[:min(len(r.Metrics), maxNames)]
}

func axisOf(a grid.Axis) Axis {
	x := Axis{Name: unit.Line(a.Name), N: len(a.Values)}
	for i, v := range a.Values {
		if i < maxValues-1 || i == len(a.Values)-1 {
			x.Values = append(x.Values, unit.Cut(unit.Line(v.Text()), maxText))
		}
	}
	return x
}

// count takes over what the runs say.
func (r *Record) count(s *sweep.Sweep) {
	names := map[string]bool{}
	for st := range s.All() {
		if st.Last != nil && st.Last.End.After(r.Ended) {
			r.Ended = st.Last.End
		}
		for name := range st.Scraps.All() {
			if len(names) < maxNames {
				names[name] = true
			}
		}
	}
	for name := range names {
		if !slices.ContainsFunc(r.Metrics, func(m Metric) bool { return m.Name == name }) {
			r.Scraps = append(r.Scraps, unit.Line(name))
		}
	}
	slices.Sort(r.Scraps)
	for _, f := range query.Reasons(query.Failures(s)) {
		if len(r.Failures) == 5 {
			break
		}
		r.Failures = append(r.Failures, query.Reason{Text: unit.Cut(unit.Line(f.Text), maxText), Count: f.Count})
	}
}

// explain takes over what the first template says of itself.
func (r *Record) explain(ctx context.Context, s *sweep.Sweep) {
	runs := s.Runs()
	if len(runs) == 0 {
		return
	}
	_, doc, err := s.TemplateOf(ctx, runs[0].Run)
	if err != nil {
		return // the sweep is as good without a title
	}
	r.Title, r.About = Heading(doc)
	if r.Title == "" && s.Name() != r.Name {
		r.Title = unit.Cut(unit.Line(s.Name()), maxText)
	}
	r.Tags = tags(doc)
}

// Heading is the first heading of a notebook, and the paragraph below it.
func Heading(doc *notebook.Notebook) (title, about string) {
	for _, c := range doc.Cells {
		if c.Type != "markdown" {
			continue
		}
		for line := range strings.Lines(c.Source) {
			line = strings.TrimSpace(line)
			text := plain(strings.TrimLeft(line, "#"))
			switch {
			case text == "" && about != "":
				return title, unit.Cut(about, maxText)
			case text == "" || strings.ContainsAny(line[:1], "<![|`>"):
			case line[0] == '#' && title == "":
				title = unit.Cut(text, maxText)
			case line[0] == '#':
				return title, unit.Cut(about, maxText)
			case title != "":
				about = strings.TrimSpace(about + " " + text)
			}
		}
		if about != "" {
			break
		}
	}
	return title, unit.Cut(about, maxText)
}

// plain is a line of Markdown without the marks of emphasis.
func plain(line string) string {
	return unit.Line(strings.TrimSpace(strings.NewReplacer("**", "", "__", "", "`", "").Replace(line)))
}

// tags are those of a notebook's metadata.
func tags(doc *notebook.Notebook) (all []string) {
	list, _ := doc.Metadata["tags"].([]any)
	if own, has := doc.Metadata["nteract"].(map[string]any); has && list == nil {
		list, _ = own["tags"].([]any)
	}
	for _, t := range list {
		if text, isText := t.(string); isText && len(all) < maxNames {
			all = append(all, unit.Cut(unit.Line(text), maxText))
		}
	}
	return all
}

// unusualOf are the values of a sweep's last date that its summary calls unusual.
func (r Record) unusualOf(ctx context.Context, st store.Store) (all []string) {
	if !slices.ContainsFunc(r.Axes, Axis.isDates) {
		return nil
	}
	var said struct {
		Unusual []struct {
			Text string `json:"text"`
		} `json:"unusual"`
	}
	text, err := store.GetSmall(ctx, st, sweep.Unusual)
	if err != nil || json.Unmarshal(text, &said) != nil {
		return nil // the page of its nights says it
	}
	for _, u := range said.Unusual[:min(len(said.Unusual), maxNames)] {
		all = append(all, unit.Cut(unit.Line(u.Text), maxText))
	}
	return all
}

// isDates reports whether an axis has dates, by the first of its values.
func (a Axis) isDates() bool {
	if len(a.Values) == 0 {
		return false
	}
	_, err := time.Parse(time.DateOnly, a.Values[0])
	return err == nil
}

// rank is the place of a sweep where nothing else orders sweeps: what is unusual comes
// after what went badly.
func (r Record) rank() int {
	at, bad := slices.Index(Order, r.State), slices.Index(Order, Unreadable)
	if len(r.Unusual) > 0 && at > bad {
		return 2*bad + 1
	}
	return 2 * at
}

// scheduleOf is the schedule of a sweep; nil where it has none.
func scheduleOf(ctx context.Context, st store.Store) *Schedule {
	s, err := schedule.Get(ctx, st)
	if err != nil {
		return nil // what is wrong with it, the clock says
	}
	v := &Schedule{Crons: s.Crons, Zone: s.Zone, Paused: s.Paused, On: s.On}
	last, err := firing.List(ctx, st, 1)
	if err != nil && !errors.Is(err, fs.ErrNotExist) || len(last) == 0 {
		return v
	}
	v.Due = last[0].Due
	if end := last[0].End; end != nil {
		v.Code = &end.Code
	}
	return v
}

// Package news is what a notification says of a sweep that has ended: as JSON for
// programs, and as lines and blocks for people.
//
// In go the sweep, how it ended and what was compared; out comes a Message. Whom it is
// for, and how it gets there, package notice knows. It promises that places in it mean
// the same in any folder, that foreign text is cleaned and bounded, and that an address
// in it leads to a page of the server that the notice names.
package news

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/app/internal/notice"
	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/pattern"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/roots"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// News is that a sweep has ended: on a command's standard input, or in a request's
// body.
type News struct {
	Sweep   string `json:"sweep"`
	Status  string `json:"status"` // success or failure
	Where   string `json:"where"`
	Summary string `json:"summary"`        // in Markdown
	Page    string `json:"page,omitempty"` // of the sweep, on the server that the notice names
	Text    string `json:"text"`           // one line for people
	Halted  string `json:"halted,omitempty"`
	Error   string `json:"error,omitempty"` // why fanout could not finish; or of the user's own report
	Held    string `json:"held,omitempty"`  // why the earlier pages stay published
	// Unpublished is why the pages that the sweep file asks for could not be written.
	Unpublished string `json:"unpublished,omitempty"`
	query.Tally
	Failures []Failure         `json:"failures,omitempty"` // the first ones; those that are not known lead
	Unusual  []Unusual         `json:"unusual,omitempty"`
	Verdict  map[string]string `json:"verdicts,omitempty"` // by metric
	Document []byte            `json:"-"`                  // the summary, in Markdown
}

// A Failure is one of a run.
type Failure struct {
	query.Failure
	Page string `json:"page,omitempty"`
}

// An Unusual value is one at the last date that the earlier ones do not let expect.
type Unusual struct {
	Metric    string  `json:"metric"`
	Guardrail bool    `json:"guardrail,omitempty"`
	Date      string  `json:"date"`
	Series    string  `json:"series,omitempty"`
	Value     float64 `json:"value"`
	Expected  float64 `json:"expected"`
	Usual     float64 `json:"usual"` // how far from that it may lie
	Text      string  `json:"text"`
}

// Bounds of what a notification names, and of what it quotes.
const (
	maxFailures = 50
	maxUnusual  = 50
	maxReason   = 500 // characters
	maxLines    = 10  // of each kind, in what people read
)

// Of is the news of a sweep, as far as the sweep says it. known are runs whose failure
// is no news.
func Of(s *sweep.Sweep, known map[string]bool, r *compare.Report) News {
	where := Absolute(s.Where())
	n := News{Sweep: s.Name(), Status: "success", Where: where, Summary: store.Join(where, sweep.SummaryMarkdown), Tally: query.TallyOf(s), Verdict: map[string]string{}}
	n.Text = n.Sweep + ": " + n.Tally.String()
	n.Failures = failures(s, where, known)
	if r == nil {
		return n
	}
	for _, m := range r.Metrics {
		n.Verdict[m.Name] = m.Verdict
	}
	n.Unusual = UnusualOf(r)
	if len(n.Unusual) > 0 {
		n.Text += fmt.Sprintf("; %s unusual", unit.Plural(len(n.Unusual), "value"))
	}
	return n
}

// Pages adds what became of the pages that are published: held is why earlier ones
// stay, err why the new ones could not be written.
func (n *News) Pages(held string, err error) {
	switch {
	case err != nil:
		n.Unpublished = unit.Cut(unit.Line(err.Error()), maxReason)
		n.Text += "; the pages could not be published"
	case held != "":
		n.Held = held
		n.Text += "; earlier pages stay"
	}
}

// Nights are the unusual values of a sweep with nights, for those who look at many
// sweeps; nil where the comparison has no nights.
func Nights(r *compare.Report) []byte {
	if !slices.ContainsFunc(r.Metrics, func(m compare.MetricTable) bool { return m.Night != nil }) {
		return nil
	}
	all := UnusualOf(r)
	if all == nil {
		all = []Unusual{}
	}
	text, err := json.MarshalIndent(map[string]any{"unusual": all}, "", " ")
	if err != nil {
		return nil // a value that is no number is not unusual
	}
	return append(text, '\n')
}

// UnusualOf are the unusual values of a comparison; those of guardrails lead.
func UnusualOf(r *compare.Report) (all []Unusual) {
	for _, guardrail := range []bool{true, false} {
		for _, m := range r.Metrics {
			if m.Night == nil || m.Guardrail != guardrail {
				continue
			}
			for _, d := range m.Night.Unusual {
				u := Unusual{Metric: unit.Line(m.Name), Guardrail: m.Guardrail, Date: unit.Line(m.Night.Date), Series: unit.Cut(unit.Line(d.Name), 200), Value: d.Value, Expected: d.Expected, Usual: d.Usual}
				number := unit.Numbers(d.Value, d.Expected, d.Usual)
				u.Text = fmt.Sprintf("%s of %s is %s, expected %s ± %s", u.Metric, u.Series, number(d.Value), number(d.Expected), number(d.Usual))
				if u.Series == "" {
					u.Text = strings.Replace(u.Text, " of  is", " is", 1)
				}
				all = append(all, u)
			}
		}
	}
	return all[:min(len(all), maxUnusual)]
}

// failures are the first of a sweep; those that are news lead.
func failures(s *sweep.Sweep, where string, known map[string]bool) []Failure {
	var fresh, old []Failure
	for _, f := range query.Failures(s) {
		f.Notebook, f.Reason = store.Join(where, f.Notebook), unit.Cut(f.Reason, maxReason)
		one := Failure{Failure: f}
		if one.Known = known[f.Run]; one.Known {
			old = append(old, one)
		} else {
			fresh = append(fresh, one)
		}
	}
	all := append(fresh, old...)
	return all[:min(len(all), maxFailures)]
}

// Unfinished is the news that fanout could not finish a sweep. s is nil where it could
// not be opened.
func Unfinished(name, where string, s *sweep.Sweep, why error) News {
	text := unit.Cut(unit.Line(why.Error()), maxReason)
	n := News{Sweep: name, Status: "failure", Where: Absolute(where), Text: name + ": fanout could not finish: " + text, Error: text}
	if s != nil {
		n.Tally = query.TallyOf(s)
	}
	return n
}

// Absolute is a place that means the same in any folder, where there is one.
func Absolute(where string) string {
	if abs, err := store.Absolute(where); err == nil {
		return abs
	}
	return where
}

// Message is the news in all the forms that notices have. link is the address of a
// server that shows the sweep, or empty.
func (n News) Message(link string) (notice.Message, error) {
	if link != "" {
		n.Page = strings.TrimSuffix(link, "/") + "/s/" + roots.ID(n.Where)
		n.Failures = slices.Clone(n.Failures)
		for i := range n.Failures {
			n.Failures[i].Page = n.Page + "/runs/" + n.Failures[i].Run
		}
	}
	body, err := json.Marshal(n)
	m := notice.Message{JSON: body, Line: n.Text}
	if err == nil {
		m.Slack, err = json.Marshal(n.slack())
	}
	if len(n.Document) > 0 {
		m.Document = append([]byte(n.head()), linked(n.Document, n.Page)...)
	}
	return m, err
}

// head is what a mail says before the summary: Markdown.
func (n News) head() string {
	var b strings.Builder
	if why := n.noPages(); why != "" {
		fmt.Fprintf(&b, "**%s**\n\n", plain(why))
	}
	mailList(&b, "What went wrong", len(n.Failures), func(i int) string {
		f := n.Failures[i]
		words := plain(unit.Line(f.Name))
		if f.Page != "" {
			words = "[" + words + "](" + f.Page + ")"
		}
		words += ": " + plain(unit.Cut(unit.Line(f.Reason), 200))
		if f.Known {
			words += " *(known)*"
		}
		return words
	})
	mailList(&b, "Unusual", len(n.Unusual), func(i int) string { return plain(n.Unusual[i].Text) })
	if n.Page != "" {
		fmt.Fprintf(&b, "[Open the sweep](%s)\n\n", n.Page)
	}
	if b.Len() > 0 {
		b.WriteString("---\n\n")
	}
	return b.String()
}

// mailList is a list of Markdown, as far as a mail has it.
func mailList(b *strings.Builder, title string, all int, line func(int) string) {
	if all == 0 {
		return
	}
	fmt.Fprintf(b, "**%s**\n\n", title)
	for i := range min(all, maxLines) {
		fmt.Fprintf(b, "- %s\n", line(i))
	}
	if all > maxLines {
		fmt.Fprintf(b, "- and %d more\n", all-maxLines)
	}
	b.WriteString("\n")
}

// relative is a link, or a picture, of Markdown.
var relative = pattern.Of(`!?\[((?:[^\]\\]|\\.)*)\]\(([^)\s]*)\)`)

// notebookOf is the address of a run's notebook in a summary.
var notebookOf = pattern.Of(`^runs/([a-z2-7]{16})\.ipynb$`)

// linked is a document without the links that lead nowhere from a mail: those to files of
// the sweep. A run's leads to its page on the server, if there is one.
func linked(document []byte, page string) []byte {
	return relative().ReplaceAllFunc(document, func(found []byte) []byte {
		parts := relative().FindSubmatch(found)
		if bytes.Contains(parts[2], []byte("://")) {
			return found
		}
		if run := notebookOf().FindSubmatch(parts[2]); run != nil && page != "" {
			return fmt.Appendf(nil, "[%s](%s/runs/%s)", parts[1], page, run[1])
		}
		return parts[1]
	})
}

// noPages says why no new pages are published; empty where they are, or none are asked
// for.
func (n News) noPages() string {
	if n.Unpublished != "" {
		return "The pages could not be published: " + n.Unpublished
	}
	return n.Held
}

// plain is a text as Markdown that means nothing.
func plain(text string) string {
	var b strings.Builder
	for _, c := range text {
		if strings.ContainsRune("\\`*_[]<>#$|~!&", c) {
			b.WriteByte('\\')
		}
		b.WriteRune(c)
	}
	return b.String()
}

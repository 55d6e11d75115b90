// Package lineage says what the runs of a sweep with steps have to do with each
// other.
//
// In go a sweep at rest and one of its runs; out come the steps with how their runs
// stand, and the runs that feed that one and those that it feeds. A sweep without
// steps has none of them. Package lineage reads the sweep's log alone: no notebook is
// opened.
package lineage

import (
	"fmt"
	"strings"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// A Link is what a run has to do with the runs of one other step.
type Link struct {
	Step  string     `json:"step"`
	Share float64    `json:"share,omitempty"` // of them that must succeed, where they are needed
	Runs  []Relative `json:"runs"`
}

// A Relative is one of those runs.
type Relative struct {
	ID     string         `json:"run"`
	Name   string         `json:"name"`
	Status outcome.Status `json:"status"`
	Error  string         `json:"error,omitempty"` // name of what it raised
}

// Words are how it stands: "failed, KeyError".
func (r Relative) Words() string {
	if r.Error != "" {
		return r.Status.Words() + ", " + r.Error
	}
	return r.Status.Words()
}

// FedBy are the runs that a run needs.
func FedBy(s *sweep.Sweep, id string) []Link {
	var links []Link
	for _, n := range s.Needed(id) {
		link := Link{Step: n.Step, Share: n.Share}
		for _, st := range n.Runs {
			link.Runs = append(link.Runs, relative(s, st))
		}
		links = append(links, link)
	}
	return links
}

// Feeds are the runs that need a run, and not those which need these in turn.
func Feeds(s *sweep.Sweep, id string) []Link {
	var links []Link
	for _, other := range s.Feeds(id) {
		st, _ := s.Run(other)
		step := st.Run.Step()
		if n := len(links); n == 0 || links[n-1].Step != step {
			links = append(links, Link{Step: step})
		}
		last := &links[len(links)-1]
		last.Runs = append(last.Runs, relative(s, st))
	}
	return links
}

func relative(s *sweep.Sweep, st sweep.RunState) Relative {
	r := Relative{ID: st.Run.ID, Name: s.RunName(st.Run.ID), Status: st.Status}
	if st.Last != nil && st.Last.Status == st.Status {
		r.Error = st.Last.Ename
	}
	return r
}

// Few are the first runs of a link, those that did not succeed before the others,
// and a phrase about the rest: "and 27 more succeeded". It is empty where nothing is
// left out.
func (l Link) Few(most int) (few []Relative, rest string) {
	var bad, good []Relative
	for _, r := range l.Runs {
		if r.Status == outcome.Succeeded {
			good = append(good, r)
		} else {
			bad = append(bad, r)
		}
	}
	all := append(bad, good...)
	if len(all) <= most {
		return all, ""
	}
	return all[:most], tally(all[most:])
}

func tally(runs []Relative) string {
	n := map[outcome.Status]int{}
	for _, r := range runs {
		n[r.Status]++
	}
	var words []string
	for _, status := range outcome.Statuses() {
		if n[status] > 0 {
			words = append(words, fmt.Sprintf("%d %s", n[status], status.Words()))
		}
	}
	return fmt.Sprintf("and %d more: %s", len(runs), strings.Join(words, ", "))
}

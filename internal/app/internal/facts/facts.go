// Package facts lists where the numbers of a sweep come from: its plan and code,
// the source and machines of its attempts, and who accepted what.
package facts

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/report"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Of are the facts of a sweep that fanout in this version summarizes.
func Of(ctx context.Context, s *sweep.Sweep, version string) []report.Fact {
	head, _ := s.Head()
	own := []report.Fact{
		{Name: "planned", Value: fmt.Sprintf("%s, plan %d", head.Created.Format("2006-01-02 15:04 MST"), head.Number)},
		{Name: "code", Value: codeDigests(head)},
		{Name: "fanout", Value: version},
	}
	return slices.Concat(own, provenance(ctx, s), accepted(s))
}

func codeDigests(head sweep.Head) string {
	var digests []string
	for _, t := range head.Templates {
		digests = append(digests, t.Code[:min(12, len(t.Code))])
	}
	return strings.Join(digests, ", ")
}

// provenance are from which state of the source and where the runs
// were executed.
func provenance(ctx context.Context, s *sweep.Sweep) []report.Fact {
	seen := map[string]bool{}
	var commits, hosts []string
	var packages [][]string
	add := func(to *[]string, text string) {
		if text != "" && !slices.Contains(*to, text) {
			*to = append(*to, text)
		}
	}
	for st := range s.All() {
		if st.Run.Unplanned || st.Last == nil || st.Last.Provenance == "" || seen[st.Last.Provenance] {
			continue
		}
		seen[st.Last.Provenance] = true
		text, err := s.Object(ctx, st.Last.Provenance)
		var p struct {
			Host   string `json:"host"`
			System string `json:"system"`
			Commit string `json:"git_commit"`
			Dirty  bool   `json:"git_dirty"`

			Packages []string `json:"packages"`
		}
		if err != nil || json.Unmarshal(text, &p) != nil {
			continue
		}
		if p.Dirty {
			p.Commit += ", and changes"
		}
		add(&commits, p.Commit)
		add(&hosts, p.Host+" ("+p.System+")")
		if same := func(other []string) bool { return slices.Equal(p.Packages, other) }; len(p.Packages) > 0 && !slices.ContainsFunc(packages, same) {
			packages = append(packages, p.Packages)
		}
	}
	var facts []report.Fact
	for _, f := range []struct {
		name   string
		values []string
	}{{"git commit", commits}, {"run on", hosts}} {
		if len(f.values) > 0 {
			slices.Sort(f.values)
			facts = append(facts, report.Fact{Name: f.name, Value: strings.Join(f.values, "; ")})
		}
	}
	if len(packages) > 0 {
		facts = append(facts, report.Fact{Name: "packages", Value: packagesOf(packages)})
	}
	return facts
}

// maxPackages is how many packages are named; each attempt has the list of all.
const maxPackages = 8

// packagesOf says which packages, "numpy 2.4.1", the runs were executed with: of several
// sets first those that not all have.
func packagesOf(sets [][]string) string {
	n := map[string]int{}
	for _, set := range sets {
		for _, p := range set {
			n[p]++
		}
	}
	all := slices.Sorted(maps.Keys(n))
	few := func(names []string) string {
		if left := len(names) - maxPackages; left > 0 {
			return strings.Join(names[:maxPackages], ", ") + fmt.Sprintf(" and %d more", left)
		}
		return strings.Join(names, ", ")
	}
	differ := slices.DeleteFunc(slices.Clone(all), func(p string) bool { return n[p] == len(sets) })
	if len(differ) > 0 {
		return fmt.Sprintf("%d sets of them; %d versions are not in all: %s", len(sets), len(differ), few(differ))
	}
	return fmt.Sprintf("%d: %s", len(all), few(all))
}

// accepted are who accepted which planned runs as current.
func accepted(s *sweep.Sweep) []report.Fact {
	type acceptance struct{ when, by, parts string }
	n := map[acceptance]int{}
	var order []acceptance
	for st := range s.All() {
		a := st.Accepted
		if st.Run.Unplanned || a == nil || a.Attempt != st.Best {
			continue
		}
		k := acceptance{a.At.Format("2006-01-02 15:04 MST"), a.By, strings.Join(a.Parts, ", ")}
		if n[k]++; n[k] == 1 {
			order = append(order, k)
		}
	}
	var facts []report.Fact
	for _, k := range order {
		facts = append(facts, report.Fact{Name: "accepted", Value: fmt.Sprintf("%s with other %s, by %s, %s", unit.Plural(n[k], "run"), k.parts, k.by, k.when)})
	}
	return facts
}

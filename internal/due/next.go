package due

import (
	"slices"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A Next is what to type to execute the runs of a sweep that have not succeeded.
type Next struct {
	To      string // what the command does
	Command string
}

// NextOf is what to type for a sweep of which nothing is running. cluster says
// that it is to execute on one in any case.
func NextOf(s *sweep.Sweep, cluster bool) Next {
	head, _ := s.Head()
	c := s.Counts()
	if n := c[outcome.Failed] + c[outcome.TimedOut]; n > 0 && n+c[outcome.Succeeded] == head.Runs {
		return Next{"execute again what did not succeed", Command("rerun", s, cluster) + " --failed"}
	}
	return Next{"resume", Command("run", s, cluster)}
}

// Command is what to type to execute runs of a sweep: on a cluster where workers
// may still be running, or executed it before.
func Command(verb string, s *sweep.Sweep, cluster bool) string {
	flag := ""
	if cluster || s.Sharded() || Remote(s) {
		flag = "--on nomad "
	}
	return "fanout " + verb + " " + flag + unit.Quote(unit.Path(s.Where()))
}

// Remote reports whether runs of a sweep may be running on a cluster.
func Remote(s *sweep.Sweep) bool {
	return slices.ContainsFunc(s.Orphans(), func(b sweep.Began) bool { return b.Worker != "" })
}

package main

import (
	"fmt"
	"strings"

	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// failure describes for people a run that did not succeed.
func (c *cli) failure(s *sweep.Sweep, run string, o outcome.Outcome) string {
	st, _ := s.Run(run)
	return strings.Join([]string{
		fmt.Sprintf("%s: %s: %s", o.Status.Words(), s.RunName(run), unit.Line(o.Reason)),
		"    notebook   " + app.PlaceOf(s, sweep.RunKey(run)),
		"    reproduce  " + app.Reproduce(s, st.Run),
	}, "\n")
}

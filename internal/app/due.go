package app

import (
	"github.com/fanout-dev/fanout/internal/app/internal/pick"
	"github.com/fanout-dev/fanout/internal/due"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// A Choice selects which runs of a planned sweep are to execute, and in which
// order.
type Choice = pick.Choice

// Due finds the runs that a choice selects. An invalid choice, such as an
// expression that does not compile, is a mistake.
func Due(s *sweep.Sweep, c Choice) (due.List, error) { return pick.Due(s, c) }

package app

import (
	"github.com/fanout-dev/fanout/internal/app/internal/reproduce"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// PlaceOf is where an object of a sweep is, for people.
func PlaceOf(s *sweep.Sweep, key string) string {
	return store.Join(unit.Path(s.Where()), key)
}

// Reproduce is the command that executes one run by itself.
func Reproduce(s *sweep.Sweep, r sweep.Run) string { return reproduce.Line(s, r, PlaceOf) }

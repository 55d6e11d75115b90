package nomad

import (
	"context"
	"errors"
	"testing"

	"github.com/fanout-dev/fanout/internal/nomad/internal/answer"
	"github.com/fanout-dev/fanout/internal/nomad/nomadtest"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Two copies of a sweep may look for the job at the same moment; the second to
// register it is refused, and one that replaces a job of its own is not.
func TestJobsOfCopies(t *testing.T) {
	s := nomadtest.New(t)
	t.Setenv("NOMAD_ADDR", s.URL)
	at := func(dir string) (*Executor, *class) {
		e, err := withoutSweep(Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		e.prefix, e.sweep = "fanout-s-1", oneRun(t)
		c, err := e.newClass(classKey{}, classKey{})
		if err != nil {
			t.Fatal(err)
		}
		return e, c
	}
	here, c := at("/here")
	there, d := at("/there")
	for range 2 {
		if err := here.register(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	var taken *takenError
	if err := there.register(t.Context(), d); !errors.As(err, &taken) {
		t.Errorf("the copy registers: %v", err)
	}
	child, err := here.dispatch(t.Context(), c, sweep.Shard{ID: "1-1"}, &Probe{})
	if err != nil {
		t.Fatal(err)
	}
	for e, want := range map[*Executor]int{here: 2, there: 0} {
		jobs, err := e.jobs(t.Context(), place{})
		if err != nil || len(jobs) != want {
			t.Errorf("%s has %d jobs, want %d: %v", e.o.Dir, len(jobs), want, err)
		}
	}
	if err := here.deregister(t.Context(), place{}, c.id); err != nil {
		t.Fatal(err)
	}
	if err := there.register(t.Context(), d); err != nil {
		t.Fatalf("the job was given back: %v", err)
	}
	if other, err := there.dispatch(t.Context(), d, sweep.Shard{ID: "1-1"}, &Probe{}); err != nil || other == child {
		t.Errorf("the copy's shard is %s, as is that of the other, %v", other, err)
	}
}

// A token that lacks a right is no mistake in the specification.
func TestRefusedParse(t *testing.T) {
	s := nomadtest.New(t)
	t.Setenv("NOMAD_ADDR", s.URL)
	e, err := withoutSweep(Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.Fail(nomadtest.Faults{Refused: 1})
	_, err = e.parse(context.Background(), []byte("job "))
	if err == nil || unit.IsMistake(err) || answer.Status(err) != 403 {
		t.Errorf("%v", err)
	}
	if _, err = e.parse(context.Background(), []byte("nonsense")); !unit.IsMistake(err) {
		t.Errorf("%v", err)
	}
}

// Package tasklog reads what the tasks of an allocation have printed, from the client
// that executed them.
package tasklog

import (
	"errors"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// WorkersOf returns the task called worker or, without one, every task.
func WorkersOf(a *api.AllocationListStub) []string {
	names := slices.Sorted(maps.Keys(a.TaskStates))
	if slices.Contains(names, "worker") || len(names) == 0 {
		return []string{"worker"}
	}
	return names
}

// Read returns what a task has written to stderr, as far as its client has kept it.
func Read(client *api.Client, alloc *api.Allocation, task string, q *api.QueryOptions) (string, error) {
	quit := make(chan struct{})
	defer close(quit)
	own := *q // the call changes it
	frames, errs := client.AllocFS().Logs(alloc, false, task, api.FSLogNameStderr, api.OriginStart, 0, quit, &own)
	var b strings.Builder
	for {
		select {
		case f, more := <-frames:
			if !more {
				return b.String(), nil
			}
			b.Write(f.Data)
		case err := <-errs:
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return b.String(), err
		}
	}
}

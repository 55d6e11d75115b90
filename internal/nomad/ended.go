package nomad

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

// reason is why the shard's allocation ended, for the runs that it left open.
func (m *monitor) reason(ctx context.Context) string {
	if text := m.stored().Complaint(ctx); text != "" {
		return fmt.Sprintf("%s: %s", m.ended, text)
	}
	return m.whyEnded(ctx, m.class.place, *m.ended)
}

// String names an allocation for people.
func (a alloc) String() string { return fmt.Sprintf("allocation %s on node %s", shortID(a.ID), a.Node) }

// whyEnded asks Nomad, and the task's own log, why an allocation ended.
func (e *Executor) whyEnded(ctx context.Context, p place, ended alloc) string {
	a, _, err := e.client.Allocations().Info(ended.ID, p.query(ctx))
	if err != nil {
		return ended.String() + " ended, and Nomad no longer knows it"
	}
	for _, task := range slices.Sorted(maps.Keys(a.TaskStates)) {
		why := taskReason(a.TaskStates[task])
		if why == "" {
			continue
		}
		if text := e.stderrTail(ctx, p, a, task); text != "" {
			why = text
		}
		return ended.String() + ": " + why
	}
	return ended.String() + " ended without an error message: " + a.ClientDescription
}

// taskReason finds in the events of a task why it ended.
func taskReason(s *api.TaskState) string {
	why := ""
	for _, ev := range s.Events {
		switch ev.Type {
		case api.TaskTerminated:
			if ev.Signal == 9 {
				return "it was killed, most likely for its memory"
			}
			if ev.ExitCode != 0 || ev.Signal != 0 {
				why = fmt.Sprintf("the worker ended with exit code %d, signal %d", ev.ExitCode, ev.Signal)
			}
		case api.TaskDriverFailure, api.TaskFailedValidation, api.TaskArtifactDownloadFailed, api.TaskSetupFailure:
			why = strings.Join(strings.Fields(ev.DisplayMessage), " ")
		}
	}
	return why
}

// stderrTail returns the last error that a worker wrote to its standard error, while
// the client still has it.
func (e *Executor) stderrTail(ctx context.Context, p place, a *api.Allocation, task string) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	text, err := readLog(e.client, a, task, p.query(ctx))
	if err != nil {
		return ""
	}
	return lastError(text)
}

// lastError is the last message of fanout in a log, with its hint in parentheses.
func lastError(text string) string {
	text, hint, hinted := cutAtLast(text, "fanout: hint: ")
	_, why, found := cutAtLast(text, "fanout: ")
	if !found || !hinted {
		return why
	}
	return why + " (" + hint + ")"
}

// cutAtLast cuts text at the last sep; after is one line.
func cutAtLast(text, sep string) (before, after string, found bool) {
	i := strings.LastIndex(text, sep)
	if i < 0 {
		return text, "", false
	}
	return text[:i], strings.Join(strings.Fields(text[i+len(sep):]), " "), true
}

// Package reason says in words why Nomad found no node for an allocation, and how
// an allocation ended, from what Nomad and a worker's own log tell of it.
package reason

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"

	"github.com/fanout-dev/fanout/internal/unit"
)

// ineligible is Nomad's reason for a node like one that it has ruled out before.
const ineligible = "computed class ineligible"

const noneReady = "none in its datacenters and node pool is ready: "

// NoneReady is what Obstacles says where Nomad looked at no node at all.
const NoneReady = noneReady + "they are drained, ineligible or down, or there are none"

const (
	maxName  = 100  // characters of a name
	maxWords = 1000 // of why something ended or waits
)

// namedNodes is how many nodes are named.
const namedNodes = 5

// Nodes is NoneReady with the names of those of the nodes that are not ready, and
// why; NoneReady itself if there are none.
func Nodes(nodes []*api.NodeListStub) string {
	var out []string
	for _, n := range nodes {
		if why := notReady(n); why != "" {
			out = append(out, "node "+unit.Short(n.Name, maxName)+" is "+unit.Short(why, maxName))
		}
	}
	if len(out) == 0 {
		return NoneReady
	}
	slices.Sort(out)
	if more := len(out) - namedNodes; more > 0 {
		out = append(out[:namedNodes], fmt.Sprintf("%d more are not ready", more))
	}
	return noneReady + strings.Join(out, ", ")
}

// notReady is why a node takes no allocations; "" if it does.
func notReady(n *api.NodeListStub) string {
	drained := n.LastDrain != nil && n.LastDrain.Status == api.DrainStatusComplete
	switch ineligible := n.SchedulingEligibility == api.NodeSchedulingIneligible; {
	case n.Status != api.NodeStatusReady:
		return n.Status
	case n.Drain, ineligible && drained:
		return "drained"
	case ineligible:
		return "ineligible"
	}
	return ""
}

// Obstacles lists why no node has room for an allocation, from what Nomad said each
// time it looked, the last time last. driver is that of the task.
func Obstacles(looks []*api.AllocationMetric, driver string) string {
	var last *api.AllocationMetric
	ruled := map[string]bool{} // constraints that ruled nodes out
	for _, m := range looks {
		if m == nil {
			continue
		}
		last = m
		for k := range m.ConstraintFiltered {
			if k != ineligible {
				ruled[k] = true
			}
		}
	}
	if last == nil {
		return ""
	}
	if last.NodesEvaluated == 0 && len(last.ConstraintFiltered) == 0 {
		return NoneReady
	}
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(last.DimensionExhausted)) {
		parts = append(parts, fmt.Sprintf("%s exhausted on %d of %d nodes", k, last.DimensionExhausted[k], last.NodesEvaluated))
	}
	if n := filtered(last); n > 0 {
		parts = append(parts, fmt.Sprintf("%s on %s", constraintWords(ruled, driver), unit.Plural(n, "node")))
	}
	if len(parts) == 0 {
		return fmt.Sprintf("%s evaluated", unit.Plural(last.NodesEvaluated, "node"))
	}
	return unit.Short(strings.Join(parts, ", "), maxWords)
}

// filtered counts the nodes that a constraint rules out.
func filtered(m *api.AllocationMetric) (n int) {
	for _, k := range m.ConstraintFiltered {
		n += k
	}
	return n
}

// constraintWords name what nodes do not meet.
func constraintWords(ruled map[string]bool, driver string) string {
	var words []string
	for _, k := range slices.Sorted(maps.Keys(ruled)) {
		switch {
		case k == "missing drivers" && driver != "":
			k = "driver " + driver + " is missing"
		case strings.HasPrefix(k, "${"):
			k += " does not hold"
		}
		words = append(words, k)
	}
	if len(words) == 0 {
		return "a constraint or the driver of the job is not met"
	}
	return strings.Join(words, " or ")
}

// Killed is OfTask of a task that the system killed: nobody else does.
const Killed = "it was killed, most likely for its memory"

// OfTask finds in the events of a task why it ended.
func OfTask(s *api.TaskState) string {
	why := ""
	for _, ev := range events(s) {
		switch ev.Type {
		case api.TaskTerminated:
			if ev.Signal == 9 {
				return Killed
			}
			if ev.ExitCode != 0 || ev.Signal != 0 {
				why = fmt.Sprintf("the worker ended with exit code %d, signal %d", ev.ExitCode, ev.Signal)
			}
		case api.TaskDriverFailure, api.TaskFailedValidation, api.TaskArtifactDownloadFailed, api.TaskSetupFailure:
			why = strings.Join(strings.Fields(unit.Short(ev.DisplayMessage, maxWords)), " ")
		}
	}
	return why
}

// events are what happened to a task.
func events(s *api.TaskState) []*api.TaskEvent {
	if s == nil {
		return nil
	}
	return slices.DeleteFunc(s.Events, func(ev *api.TaskEvent) bool { return ev == nil })
}

// ExitCode returns the exit code of an allocation's task, or -1 if there is none.
func ExitCode(a *api.AllocationListStub) int {
	code := -1
	for _, t := range a.TaskStates {
		for _, ev := range events(t) {
			if ev.Type == api.TaskTerminated {
				code = max(code, ev.ExitCode)
			}
		}
	}
	return code
}

// LastError is the last message of fanout in a log, with its hint in parentheses.
func LastError(text string) string {
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
	return text[:i], strings.Join(strings.Fields(unit.Short(text[i+len(sep):], maxWords)), " "), true
}

// Memory is what a task may use, in MiB; 0 is unknown.
func Memory(a *api.Allocation, task string) int64 {
	if a.AllocatedResources == nil || a.AllocatedResources.Tasks[task] == nil {
		return 0
	}
	return a.AllocatedResources.Tasks[task].Memory.MemoryMB
}

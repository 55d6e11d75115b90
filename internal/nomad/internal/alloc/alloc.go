// Package alloc is what fanout asks of Nomad's allocations: whether they may still
// be running. It reads them from listings and from events.
package alloc

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/hashicorp/nomad/api"

	"github.com/fanout-dev/fanout/internal/unit"
)

// An Alloc is the part of an allocation that matters here.
type Alloc struct {
	ID, Node          string
	Status            string // ClientStatus
	Drained           bool   // it is or was stopped because its node is drained
	Created, Modified uint64 // indexes
}

// Of is the allocation in a listing of the client.
func Of(s *api.AllocationListStub) Alloc {
	return stub{s.ID, s.JobID, s.NodeName, s.ClientStatus, s.DesiredDescription, s.CreateIndex, s.ModifyIndex}.alloc()
}

// migrating is how Nomad describes what it wants of an allocation on a node that is
// drained.
const migrating = "alloc is being migrated"

// String names an allocation for people.
func (a Alloc) String() string {
	return fmt.Sprintf("allocation %s on node %s", unit.Short(a.ID[:min(8, len(a.ID))], 8), unit.Short(a.Node, 100))
}

// ended reports whether no process of the allocation is left.
func (a Alloc) ended() bool {
	return a.Status == api.AllocClientStatusComplete || a.Status == api.AllocClientStatusFailed
}

// Terminal returns the allocation that executed a shard, the first, once none of
// the job's allocations can be running.
func Terminal(allocs []Alloc) *Alloc {
	var first *Alloc
	for i, a := range allocs {
		if !a.ended() {
			return nil
		}
		if first == nil || a.Created < first.Created {
			first = &allocs[i]
		}
	}
	return first
}

// Disconnected reports whether the node of an allocation does not answer: its
// process may be alive.
func Disconnected(allocs []Alloc) bool {
	for _, a := range allocs {
		if a.Status == api.AllocClientStatusLost || a.Status == api.AllocClientStatusUnknown {
			return true
		}
	}
	return false
}

// stub is an allocation in a listing or an event.
type stub struct {
	ID, JobID, NodeName, ClientStatus, DesiredDescription string
	CreateIndex, ModifyIndex                              uint64
}

func (s stub) alloc() Alloc {
	return Alloc{ID: s.ID, Node: s.NodeName, Status: s.ClientStatus, Drained: s.DesiredDescription == migrating, Created: s.CreateIndex, Modified: s.ModifyIndex}
}

// frame is one line of the event stream.
type frame struct {
	Events []struct {
		Index   uint64
		Payload struct {
			Allocation *stub
		}
	}
}

// OfEvents passes on the allocations in a line of the event stream, with their
// jobs. What it cannot read, the next listing has.
func OfEvents(line []byte, learn func(job string, a Alloc)) {
	var f frame
	if json.Unmarshal(line, &f) != nil {
		return
	}
	for _, ev := range f.Events {
		if s := ev.Payload.Allocation; s != nil {
			a := s.alloc()
			a.Modified = max(a.Modified, ev.Index)
			learn(s.JobID, a)
		}
	}
}

// OfList passes on the allocations of a listing, one by one as it arrives: there
// may be thousands.
func OfList(list io.Reader, learn func(job string, a Alloc)) error {
	dec := json.NewDecoder(list)
	if _, err := dec.Token(); err != nil {
		return err
	}
	for dec.More() {
		var s stub
		if err := dec.Decode(&s); err != nil {
			return err
		}
		learn(s.JobID, s.alloc())
	}
	return nil
}

package nomad

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/fanout-dev/fanout/internal/nomad/internal/placement"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A class is the runs of a sweep that ask for the same resources in the same
// place. They share a parameterized job.
type class struct {
	id     string // of the parameterized job
	place  place
	cpu    int
	memory int64
	driver string // of the worker's task, once the job is registered

	placement.Placement
}

// maxClasses is how many jobs a sweep may need.
const maxClasses = 100

// Class names the class of a run: only runs of one class share a shard.
func (e *Executor) Class(run sweep.Run) string { return e.classOf(run).id }

// classOf finds the class of a run. The classes of planned runs were checked when
// the executor was created; the placement of a run of an earlier plan may have
// become invalid.
func (e *Executor) classOf(run sweep.Run) *class {
	s := e.sweep.SettingsOf(run)
	key := classKey{s.CPU, s.Memory, s.Placement}
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.classes[key]
	if c == nil {
		var err error
		if c, err = e.newClass(key, e.usual()); err != nil {
			c, _ = e.newClass(e.usual(), e.usual())
		}
		e.classes[key] = c
	}
	return c
}

// usual is what runs without placement and overrides ask for.
func (e *Executor) usual() classKey {
	head, _ := e.sweep.Head()
	return classKey{head.Recipe.Settings.CPU, head.Recipe.Settings.Memory, ""}
}

// Asked says for people what an allocation asks for, given what the sweep file does:
// 0 is nothing.
func Asked(cpu int, memory int64) string {
	words, hint := [2]string{"100 MHz", "300 MiB of memory"}, ", where the job specification says nothing else; `resources` asks for more"
	if cpu > 0 {
		words[0] = fmt.Sprintf("%d MHz", cpu)
	}
	if memory > 0 {
		words[1] = unit.Bytes(memory) + " of memory"
	}
	if cpu > 0 && memory > 0 {
		hint = ""
	}
	return words[0] + " and " + words[1] + hint
}

// classKey holds the settings of a run that decide its class.
type classKey struct {
	cpu       int
	memory    int64
	placement string
}

// readClasses finds the classes of the planned runs.
func (e *Executor) readClasses() error {
	e.classes = map[classKey]*class{}
	for st := range e.sweep.All() {
		s := e.sweep.SettingsOf(st.Run)
		key := classKey{s.CPU, s.Memory, s.Placement}
		if st.Run.Unplanned || e.classes[key] != nil {
			continue
		}
		if len(e.classes) == maxClasses {
			return unit.WithHint(fmt.Errorf("placement: the runs ask for more than %d different places and resources, and each is a job of its own", maxClasses),
				"let `placement` and `overrides` take few values: regions, pools, two or three sizes")
		}
		c, err := e.newClass(key, e.usual())
		if err != nil {
			return unit.Mistake(unit.WithHint(fmt.Errorf("placement: run %s: %w", st.Run.ID, err),
				"`placement` maps region, namespace, node_pool (texts), datacenters, constraints (lists) and priority (1 to 100)"))
		}
		e.classes[key] = c
	}
	return nil
}

// newClass applies a placement to the settings of the whole sweep.
func (e *Executor) newClass(key, usual classKey) (*class, error) {
	where, err := placement.Placement{
		Region: e.o.Region, Namespace: e.o.Namespace, NodePool: e.o.NodePool, Datacenters: e.o.Datacenters, Priority: e.o.Priority,
	}.Over(key.placement)
	if err != nil {
		return nil, err
	}
	c := &class{cpu: key.cpu, memory: key.memory, Placement: where}
	c.place = place{c.Region, c.Namespace}
	c.id = e.prefix
	if key != usual {
		sum := sha256.Sum256(fmt.Append(nil, key))
		c.id += "-" + hex.EncodeToString(sum[:4])
	}
	return c, nil
}

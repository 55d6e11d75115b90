package nomad

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"

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

	NodePool    string            `json:"node_pool"`
	Datacenters []string          `json:"datacenters"`
	Region      string            `json:"region"`
	Namespace   string            `json:"namespace"`
	Priority    int               `json:"priority"`
	Constraints []*api.Constraint `json:"constraints"`
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

// classKey holds the settings of a run that decide its class.
type classKey struct {
	cpu       int
	memory    int64
	placement string
}

// readClasses finds the classes of the planned runs.
func (e *Executor) readClasses() error {
	e.classes = map[classKey]*class{}
	for _, st := range e.sweep.Runs() {
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
	c := &class{
		cpu: key.cpu, memory: key.memory,
		Region: e.o.Region, Namespace: e.o.Namespace, NodePool: e.o.NodePool, Datacenters: e.o.Datacenters, Priority: e.o.Priority,
	}
	if key.placement != "" {
		dec := json.NewDecoder(strings.NewReader(key.placement))
		dec.DisallowUnknownFields()
		if err := dec.Decode((*classFields)(c)); err != nil {
			return nil, fmt.Errorf("placement %s: %w", key.placement, err)
		}
	}
	if c.Priority < 0 || c.Priority > 100 {
		return nil, fmt.Errorf("priority %d: want a number from 1 to 100", c.Priority)
	}
	c.place = place{c.Region, c.Namespace}
	c.id = e.prefix
	if key != usual {
		sum := sha256.Sum256(fmt.Append(nil, key))
		c.id += "-" + hex.EncodeToString(sum[:4])
	}
	return c, nil
}

// classFields reads the fields of a class that `placement` may set.
type classFields class

// UnmarshalJSON accepts one datacenter instead of a list, and constraints as Nomad
// writes them, "${attr.kernel.name} = linux", or as their three parts.
func (c *classFields) UnmarshalJSON(text []byte) error {
	var in struct {
		Region      *string
		Namespace   *string
		NodePool    *string `json:"node_pool"`
		Priority    *int
		Datacenters oneOrMany[string]
		Constraints oneOrMany[constraint]
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	set(&c.Region, in.Region)
	set(&c.Namespace, in.Namespace)
	set(&c.NodePool, in.NodePool)
	set(&c.Priority, in.Priority)
	if in.Datacenters != nil {
		c.Datacenters = in.Datacenters
	}
	for _, x := range in.Constraints {
		c.Constraints = append(c.Constraints, api.NewConstraint(x.Attribute, x.Operator, x.Value))
	}
	return nil
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// oneOrMany is a JSON list, or the only element of one.
type oneOrMany[T any] []T

// UnmarshalJSON reads either form.
func (l *oneOrMany[T]) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '[' {
		return json.Unmarshal(text, (*[]T)(l))
	}
	var one T
	err := json.Unmarshal(text, &one)
	*l = oneOrMany[T]{one}
	return err
}

// constraint is a condition that a node must meet.
type constraint struct{ Attribute, Operator, Value string }

// operators are Nomad's binary operators.
var operators = []string{"=", "==", "is", "!=", "not", ">", ">=", "<", "<=", "regexp", "version", "semver", "set_contains", "set_contains_all", "set_contains_any"}

// UnmarshalJSON reads "attribute operator value" or an object of the three.
func (c *constraint) UnmarshalJSON(text []byte) error {
	if len(text) == 0 || text[0] != '"' {
		type plain constraint
		return json.Unmarshal(text, (*plain)(c))
	}
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	words := strings.Fields(s)
	if len(words) < 3 || !slices.Contains(operators, words[1]) {
		return fmt.Errorf("constraint %q: want an attribute, an operator and a value, such as ${attr.kernel.name} = linux", s)
	}
	c.Attribute, c.Operator, c.Value = words[0], words[1], strings.Join(words[2:], " ")
	return nil
}

// places lists where the jobs of the sweep are.
func (e *Executor) places() []place {
	var all []place
	for _, c := range e.classes {
		if !slices.Contains(all, c.place) {
			all = append(all, c.place)
		}
	}
	slices.SortFunc(all, func(a, b place) int { return strings.Compare(a.region+"/"+a.namespace, b.region+"/"+b.namespace) })
	return all
}

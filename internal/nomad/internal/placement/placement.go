// Package placement says where a Nomad job runs: it reads the placement of a run,
// a JSON object, over the settings of the whole sweep, and puts it into a job.
package placement

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// A Placement is where the runs of a class go. What is empty or zero is left to
// the job specification and to Nomad.
type Placement struct {
	Region, Namespace, NodePool string
	Datacenters                 []string
	Priority                    int
	Constraints                 []*api.Constraint
}

// Over returns the placement with what text sets, a JSON object or nothing.
func (p Placement) Over(text string) (Placement, error) {
	if text != "" {
		if err := json.Unmarshal([]byte(text), (*fields)(&p)); err != nil {
			return p, fmt.Errorf("placement %s: %w", text, err)
		}
	}
	if p.Priority < 0 || p.Priority > 100 {
		return p, fmt.Errorf("priority %d: want a number from 1 to 100", p.Priority)
	}
	return p, nil
}

// Put sets where the job runs.
func (p Placement) Put(job *api.Job) {
	if p.Region != "" {
		job.Region = &p.Region
	}
	if p.Namespace != "" {
		job.Namespace = &p.Namespace
	}
	if p.NodePool != "" {
		job.NodePool = &p.NodePool
	}
	if len(p.Datacenters) > 0 {
		job.Datacenters = p.Datacenters
	}
	if p.Priority > 0 {
		job.Priority = &p.Priority
	}
	job.Constraints = append(job.Constraints, p.Constraints...)
}

// fields reads what `placement` may set.
type fields Placement

// UnmarshalJSON accepts one datacenter instead of a list, and constraints as Nomad
// writes them, "${attr.kernel.name} = linux", or as their three parts.
func (p *fields) UnmarshalJSON(text []byte) error {
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
	set(&p.Region, in.Region)
	set(&p.Namespace, in.Namespace)
	set(&p.NodePool, in.NodePool)
	set(&p.Priority, in.Priority)
	if in.Datacenters != nil {
		p.Datacenters = in.Datacenters
	}
	for _, x := range in.Constraints {
		p.Constraints = append(p.Constraints, api.NewConstraint(x.Attribute, x.Operator, x.Value))
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

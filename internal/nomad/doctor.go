package nomad

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/fanout-dev/fanout/internal/nomad/internal/alloc"
	"github.com/fanout-dev/fanout/internal/nomad/internal/answer"
	"github.com/fanout-dev/fanout/internal/nomad/internal/jobs"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/templates"
)

// A Probe asks a worker to examine its machine instead of executing runs, and to
// write what it finds to the store.
type Probe struct {
	ID     string `json:"id"`
	Kernel string `json:"kernel,omitempty"` // to start; empty is the default one
}

// Doctor checks whether the cluster can execute runs of a sweep kept at o.Dir:
// it answers, the token suffices, a node has room for a worker, and a worker
// dispatched with the probe starts.
func Doctor(ctx context.Context, o Options, p Probe) []outcome.Finding {
	e, err := withoutSweep(o)
	if err != nil {
		return []outcome.Finding{{What: "Nomad", Err: err}}
	}
	c, err := e.newClass(classKey{}, classKey{})
	if err != nil {
		return []outcome.Finding{{What: "settings", Err: err}}
	}
	c.id = "fanout-doctor-" + p.ID
	d := &doctor{Executor: e, class: c, probe: p}
	defer d.clean(context.WithoutCancel(ctx))
	for _, look := range []func(context.Context) bool{d.server, d.nodes, d.job, d.worker} {
		if !look(ctx) {
			break // the next needs this one
		}
	}
	return d.findings
}

// doctor examines a cluster, one requirement after the other.
type doctor struct {
	*Executor
	class    *class
	probe    Probe
	findings []outcome.Finding

	registered bool // perhaps only in part
}

func (d *doctor) find(what, detail string, err error) bool {
	d.findings = append(d.findings, outcome.Finding{What: what, Detail: detail, Err: err})
	return err == nil
}

func (d *doctor) server(ctx context.Context) bool {
	var leader string
	_, err := d.client.Raw().Query("/v1/status/leader", &leader, place{}.query(ctx))
	if err == nil && leader == "" {
		err = errors.New("it has no leader")
	}
	detail := "its leader is " + leader
	var regions []string
	if _, err := d.client.Raw().Query("/v1/regions", &regions, place{}.query(ctx)); err == nil && len(regions) > 1 {
		detail += ", regions " + unit.List(regions)
	}
	return d.find("Nomad at "+d.client.Address(), detail, answer.Explain("ask for the leader", err))
}

// nodes counts the ready nodes that have the driver. A token that may not list
// nodes is not a fault.
func (d *doctor) nodes(ctx context.Context) bool {
	job, err := d.parse(ctx, templates.NomadJob())
	if err != nil {
		return d.find("job specification", "", err)
	}
	task, err := d.workerTask(job)
	if err != nil {
		return d.find("job specification", "", err)
	}
	d.spec().Program(task)
	d.find("job specification", d.specName()+", driver "+task.Driver, nil)
	nodes, _, err := d.client.Nodes().List(d.class.place.query(ctx))
	if err != nil {
		return d.find("nodes", "the token may not list them", nil)
	}
	ready, able := 0, 0
	for _, n := range nodes {
		if n.Status != api.NodeStatusReady || n.SchedulingEligibility != api.NodeSchedulingEligible {
			continue
		}
		ready++
		if info := n.Drivers[task.Driver]; info != nil && info.Detected && info.Healthy {
			able++
		}
	}
	if able == 0 {
		err = d.spec().Mistake(fmt.Errorf("none of %d ready nodes has the driver %s", ready, task.Driver))
	}
	return d.find("nodes", fmt.Sprintf("%d of %d ready ones have the driver %s", able, ready, task.Driver), err)
}

func (d *doctor) job(ctx context.Context) bool {
	d.registered = true
	obstacles, err := d.put(ctx, d.class)
	if err == nil && obstacles != "" {
		err = d.spec().Mistake(errors.New("no node has room for a worker: " + obstacles))
	}
	return d.find("rights to register a job", d.class.id, err)
}

// specName names the specification for people.
func (d *doctor) specName() string {
	if d.o.Job == nil {
		return "fanout's own"
	}
	return d.o.JobFile
}

// workerLimit is how long a worker may take to examine its machine.
const workerLimit = 2 * time.Minute

// worker dispatches a worker and waits until it has examined its machine.
func (d *doctor) worker(ctx context.Context) bool {
	child, err := d.dispatch(ctx, d.class, sweep.Shard{ID: d.probe.ID}, &d.probe)
	if err != nil {
		return d.find("rights to dispatch", "", err)
	}
	limit := time.After(workerLimit)
	for {
		stubs, _, err := d.client.Jobs().Allocations(child, true, d.class.place.query(ctx))
		var allocs []alloc.Alloc
		for _, s := range stubs {
			allocs = append(allocs, alloc.Of(s))
		}
		if a := alloc.Terminal(allocs); err == nil && a != nil {
			if a.Status == api.AllocClientStatusFailed {
				err = unit.WithHint(errors.New(d.whyEnded(ctx, d.class.place, *a, true)),
					"clients need fanout (nomad: {command: PATH}), the sweep's place and, for a bucket, its credentials (nomad: {env_from: VARIABLE})")
			}
			return d.find("a worker on a client", a.String(), err)
		}
		select {
		case <-ctx.Done():
			return d.find("a worker on a client", "", ctx.Err())
		case <-limit:
			return d.find("a worker on a client", "", fmt.Errorf("job %s did not end within %s", child, workerLimit))
		case <-time.After(300 * time.Millisecond):
		}
	}
}

// clean removes the jobs that the doctor registered.
func (d *doctor) clean(ctx context.Context) {
	if !d.registered {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	all, _ := jobs.List(d.client, d.class.id, d.class.place.query(ctx))
	for _, j := range all {
		purge := j.Status == "dead" || j.ID == d.class.id
		_, _, err := d.client.Jobs().DeregisterOpts(j.ID, &api.DeregisterOptions{Purge: purge}, d.class.place.write(ctx, ""))
		if purge && err != nil { // not every token may purge
			d.client.Jobs().DeregisterOpts(j.ID, nil, d.class.place.write(ctx, ""))
		}
	}
}

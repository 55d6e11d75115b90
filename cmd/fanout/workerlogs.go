package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/cmd/fanout/internal/describe"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/worker"
)

// workerLogs prints the logs of the workers of the named runs, or of all; the cluster
// is asked only for what the sweep lacks.
func (c *cli) workerLogs(ctx context.Context, s *sweep.Sweep, f logsFlags) error {
	if f.Follow || f.Attempt > 0 || f.where != "" || f.Results || c.json {
		return unit.Mistake(unit.WithHint(errors.New("--workers prints what the workers of a cluster printed and takes no other flag"), "leave out --workers to see what the cells print"))
	}
	show := func(name, text string) {
		for line := range strings.Lines(text) {
			c.stdout.Printf("%s: %s\n", name, strings.TrimRight(describe.Line(line), " "))
		}
	}
	n := 0
	lacking, err := worker.Logs(ctx, s, f.Runs, func(shard, text string) {
		n++
		show("shard "+shard, text)
	})
	if err != nil || n > 0 && len(lacking) == 0 {
		return err
	}
	cluster, err := c.attach(ctx, s)
	if err != nil {
		return err
	}
	err = cluster.WorkerLogs(ctx, func(shard string) bool { return slices.Contains(lacking, shard) }, func(l workerLog) {
		n++
		name := "allocation " + l.Alloc + " on " + l.Node
		show(name, l.Text)
		if l.Gone != "" {
			c.stderr.Printf("fanout: %s: there is no log: %s\n", name, l.Gone)
		}
	})
	if err == nil && n == 0 {
		c.stderr.Println("no worker of this sweep is known: none was dispatched, or Nomad no longer keeps them; fanout logs without --workers prints what the cells printed")
	}
	return err
}

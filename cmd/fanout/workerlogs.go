package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/cmd/fanout/internal/describe"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// workerLogs prints the logs of the workers of a cluster: of the shards that the
// named runs travelled in, or of all.
func (c *cli) workerLogs(ctx context.Context, s *sweep.Sweep, f logsFlags) error {
	if f.Follow || f.Attempt > 0 || f.where != "" || f.Results || c.json {
		return unit.Mistake(unit.WithHint(errors.New("--workers prints what Nomad keeps of the workers and takes no other flag"), "leave out --workers to see what the cells print"))
	}
	shards, err := s.ShardsOf(ctx, f.Runs)
	if err != nil {
		return err
	}
	wanted := func(shard string) bool { return len(f.Runs) == 0 || slices.Contains(shards, shard) }
	cluster, err := c.attach(ctx, s)
	if err != nil {
		return err
	}
	n := 0
	err = cluster.WorkerLogs(ctx, wanted, func(l workerLog) {
		n++
		name := fmt.Sprintf("allocation %s on %s", l.Alloc, l.Node)
		for line := range strings.Lines(l.Text) {
			c.stdout.Printf("%s: %s\n", name, strings.TrimRight(describe.Line(line), " "))
		}
		if l.Gone != "" {
			c.stderr.Printf("fanout: %s: there is no log: %s\n", name, l.Gone)
		}
	})
	if err == nil && n == 0 {
		c.stderr.Println("Nomad knows no worker of this sweep: none was dispatched, or Nomad no longer keeps them; fanout logs without --workers prints what the cells printed")
	}
	return err
}

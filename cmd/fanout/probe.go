package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/worker"
)

// probe looks at this machine on behalf of a doctor elsewhere.
func (c *cli) probe(ctx context.Context, p payload) error {
	st, err := c.openStore(ctx, p.Dir)
	if err != nil {
		return err
	}
	if err := worker.LeaveFindings(ctx, st, p.Probe.ID, c.here(ctx, p.Probe.Kernel, "")); err != nil {
		return unit.WithHint(err, "this machine cannot write to %s", p.Dir)
	}
	return nil
}

// doctorOnNomad looks at the cluster, and at a client through a worker.
func (c *cli) doctorOnNomad(ctx context.Context, kernelName, dir string) error {
	o, err := c.nomadOptions(nil, dir, func(file string) string { return file })
	if err != nil {
		return unit.Mistake(err)
	}
	var b [6]byte
	rand.Read(b[:])
	p := probe{ID: hex.EncodeToString(b[:]), Kernel: kernelName}
	findings := append([]outcome.Finding{c.app.CheckStore(ctx, dir)}, lookAtCluster(ctx, o, p)...)
	if last := findings[len(findings)-1]; last.Err == nil {
		findings = append(findings, c.probedFindings(ctx, dir, p.ID)...)
	}
	return c.printFindings(findings)
}

// probedFindings are what the worker left in the store.
func (c *cli) probedFindings(ctx context.Context, dir, id string) []outcome.Finding {
	seen := outcome.Finding{What: "the store from both sides", Detail: "what the worker wrote is readable here"}
	var found []outcome.Finding
	st, err := c.openStore(ctx, dir)
	if err == nil {
		found, err = worker.TakeFindings(ctx, st, id)
	}
	if err != nil {
		seen.Err = unit.WithHint(err, "clients and this machine must see the same %s", dir)
	}
	findings := []outcome.Finding{seen}
	for _, f := range found {
		f.What = "client: " + f.What
		findings = append(findings, f)
	}
	return findings
}

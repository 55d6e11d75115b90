package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/fanout-dev/fanout/internal/local"
	"github.com/fanout-dev/fanout/internal/nomad"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/unit"
)

// probeKey is where a worker leaves word of what it found.
func probeKey(id string) string { return "doctor/" + id + ".json" }

// probed is a local.Finding as it is left in the store.
type probed struct {
	What   string `json:"what"`
	Detail string `json:"detail,omitempty"`
	Err    string `json:"error,omitempty"`
	Hint   string `json:"hint,omitempty"`
}

// probe looks at this machine on behalf of a doctor elsewhere.
func (c *cli) probe(ctx context.Context, p nomad.Payload) error {
	var found []probed
	for _, f := range c.here(ctx, p.Probe.Kernel) {
		one := probed{What: f.What, Detail: f.Detail}
		if f.Err != nil {
			one.Err, one.Hint = f.Err.Error(), unit.HintOf(f.Err)
		}
		found = append(found, one)
	}
	text, err := json.Marshal(found)
	if err != nil {
		return err
	}
	st, err := c.openStore(ctx, p.Dir)
	if err != nil {
		return err
	}
	if err := st.Create(ctx, probeKey(p.Probe.ID), append(text, '\n'), store.Synced); err != nil {
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
	p := nomad.Probe{ID: hex.EncodeToString(b[:]), Kernel: kernelName}
	findings := []local.Finding{c.storeFinding(ctx, dir)}
	for _, f := range nomad.Doctor(ctx, o, p) {
		findings = append(findings, local.Finding(f))
	}
	if last := findings[len(findings)-1]; last.Err == nil {
		findings = append(findings, c.probedFindings(ctx, dir, p.ID)...)
	}
	return c.printFindings(findings)
}

// probedFindings reads what the worker left in the store, and removes it.
func (c *cli) probedFindings(ctx context.Context, dir, id string) []local.Finding {
	st, err := c.openStore(ctx, dir)
	if err != nil {
		return []local.Finding{{What: "the store from both sides", Err: err}}
	}
	text, err := st.Get(ctx, probeKey(id))
	if err != nil {
		return []local.Finding{{What: "the store from both sides", Err: unit.WithHint(fmt.Errorf("what the worker wrote is not here: %w", err), "clients and this machine must see the same %s", dir)}}
	}
	findings := []local.Finding{{What: "the store from both sides", Detail: "what the worker wrote is here"}}
	var found []probed
	err = errors.Join(json.Unmarshal(text, &found), st.Delete(ctx, probeKey(id)))
	for _, f := range found {
		one := local.Finding{What: "client: " + f.What, Detail: f.Detail}
		if f.Err != "" {
			one.Err = unit.WithHint(errors.New(f.Err), "%s", f.Hint)
		}
		findings = append(findings, one)
	}
	if err != nil {
		findings = append(findings, local.Finding{What: "what the worker found", Err: err})
	}
	return findings
}

// storeFinding tries the place where sweeps are to be kept.
func (c *cli) storeFinding(ctx context.Context, dir string) local.Finding {
	st, err := c.openStore(ctx, dir)
	if err == nil {
		err = store.Probe(ctx, st)
	}
	return local.Finding{What: "the store " + dir, Detail: "written, read and deleted", Err: err}
}

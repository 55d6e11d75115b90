package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/unit"
)

// stored is a finding in the store.
type stored struct {
	What   string `json:"what"`
	Detail string `json:"detail,omitempty"`
	Err    string `json:"error,omitempty"`
	Hint   string `json:"hint,omitempty"`
}

func probeKey(id string) string { return "doctor/" + id + ".json" }

// LeaveFindings writes what the probe with this id found on its machine to the store.
func LeaveFindings(ctx context.Context, st store.Store, id string, findings []outcome.Finding) error {
	out := make([]stored, len(findings))
	for i, f := range findings {
		out[i] = stored{What: f.What, Detail: f.Detail}
		if f.Err != nil {
			out[i].Err, out[i].Hint = f.Err.Error(), unit.HintOf(f.Err)
		}
	}
	text, err := json.Marshal(out)
	if err != nil {
		return err
	}
	return st.Create(ctx, probeKey(id), append(text, '\n'), store.Synced)
}

// TakeFindings reads what a probe left in the store, and removes it. An error that
// comes with findings means that they may be incomplete or still there.
func TakeFindings(ctx context.Context, st store.Store, id string) ([]outcome.Finding, error) {
	text, err := st.Get(ctx, probeKey(id))
	if err != nil {
		return nil, fmt.Errorf("read findings of probe %s: %w", id, err)
	}
	var in []stored
	err = errors.Join(json.Unmarshal(text, &in), st.Delete(ctx, probeKey(id)))
	findings := make([]outcome.Finding, len(in))
	for i, f := range in {
		findings[i] = outcome.Finding{What: f.What, Detail: f.Detail}
		if f.Err != "" {
			findings[i].Err = unit.WithHint(errors.New(f.Err), "%s", f.Hint)
		}
	}
	return findings, err
}

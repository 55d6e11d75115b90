package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// CheckPlace tries to write where sweeps are to be kept.
func (a *App) CheckPlace(ctx context.Context, dir string) outcome.Finding {
	if store.IsURL(dir) {
		return a.CheckStore(ctx, dir)
	}
	f, err := os.CreateTemp(dir, ".fanout-doctor-*")
	if err != nil {
		return outcome.Finding{What: "write to " + dir, Err: unit.WithHint(err, "keep sweeps somewhere else with -o")}
	}
	err = errors.Join(f.Close(), os.Remove(f.Name()))
	return outcome.Finding{What: "write to " + filepath.Clean(dir), Err: err}
}

// CheckStore tries a store as machines of a cluster use it.
func (a *App) CheckStore(ctx context.Context, dir string) outcome.Finding {
	st, err := a.OpenStore(ctx, dir)
	if err == nil {
		err = store.Probe(ctx, st)
	}
	return outcome.Finding{What: "the store " + dir, Detail: "written, read and deleted", Err: err}
}

// KernelOf is the kernel, and the Python, that the sweep at dir executes its runs
// with; empty where it leaves them open, and where there is no sweep.
func (a *App) KernelOf(ctx context.Context, dir string) (kernel, python string) {
	s, err := a.OpenPlanned(ctx, dir)
	if err != nil {
		return "", ""
	}
	head, _ := s.Head()
	if python = head.Recipe.Python; python != "" {
		python = s.Resolve(python)
	}
	runs := s.Runs()
	if kernel = head.Recipe.Kernel; kernel != "" || len(runs) == 0 {
		return kernel, python
	}
	if _, doc, err := s.TemplateOf(ctx, runs[0].Run); err == nil {
		kernel, _ = doc.Kernel()
	}
	return kernel, python
}

// CheckLocal refuses to execute runs here, or to declare them lost, while a worker
// elsewhere may be executing one or about to.
func CheckLocal(ctx context.Context, s *sweep.Sweep) error {
	err := error(nil)
	for _, b := range s.Orphans() {
		if b.Worker != "" {
			err = fmt.Errorf("run %s may still be running: worker %s on %s", b.Run, b.Worker, b.Host)
			break
		}
	}
	if err == nil {
		open, broken := s.OpenShards(ctx)
		switch {
		case broken != nil:
			return broken
		case len(open) == 0:
			return nil
		}
		err = fmt.Errorf("an earlier fanout left %s running on a cluster", unit.Plural(len(open), "shard"))
	}
	return unit.WithHint(err, "add --on nomad to resume it, or stop it with: fanout cancel %s", unit.Quote(unit.Path(s.Where())))
}

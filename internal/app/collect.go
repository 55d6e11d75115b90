package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fanout-dev/fanout/internal/collect"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Collect reads the scraps of a sweep and writes its tables. What an earlier
// call wrote and this one did not is removed. The caller closes the Result.
// A scrap among require that a successful run lacks is a problem of the kind
// "missing".
func (a *App) Collect(ctx context.Context, s *sweep.Sweep, require []string) (*collect.Result, error) {
	_ = s.Repair(ctx) // for people: the tables are read from the attempts that count in any case
	res, err := collect.Sweep(ctx, s, collectOptions(s, require))
	if err != nil {
		return nil, fmt.Errorf("collect %s: %w", unit.Path(s.Where()), err)
	}
	err = res.Write(ctx, func(name string, write func(io.Writer) error) error {
		return s.Store().Write(ctx, sweep.PrefixResults+name, write, store.Cached)
	})
	if err != nil {
		res.Close()
		return nil, unit.WithHint(fmt.Errorf("write tables: %w", err), "the old tables are unchanged; free some space and run: fanout collect %s", unit.Quote(unit.Path(s.Where())))
	}
	_ = res.Keep(ctx, s) // a cache: where it cannot be written the next collect reads more
	return res, removeOthers(ctx, s.Store(), res.Names())
}

func removeOthers(ctx context.Context, st store.Store, written []string) error {
	keep := map[string]bool{}
	for _, n := range written {
		keep[sweep.PrefixResults+n] = true
	}
	for o, err := range st.List(ctx, sweep.PrefixResults) {
		if err != nil {
			return err
		}
		if keep[o.Key] {
			continue
		}
		if err := st.Delete(ctx, o.Key); err != nil {
			return err
		}
	}
	return nil
}

// collectOptions are the sweep file's settings of the tables.
func collectOptions(s *sweep.Sweep, require []string) collect.Options {
	spec := s.Spec()
	o := collect.Options{Require: require}
	for _, m := range spec.Metrics {
		o.Metrics = append(o.Metrics, collect.Metric{Name: m.Name, Unit: m.Unit, Goal: m.Goal})
	}
	return o
}

// Tables reads a sweep's runs into a table and writes nothing. The caller
// closes the Result.
func (a *App) Tables(ctx context.Context, s *sweep.Sweep, require []string) (*collect.Result, error) {
	o := collectOptions(s, require)
	o.TableOnly = true
	res, err := collect.Sweep(ctx, s, o)
	if err != nil {
		return nil, fmt.Errorf("collect %s: %w", unit.Path(s.Where()), err)
	}
	return res, nil
}

// ReadNotebooks reads any notebooks, and those in folders, into tables. Paths
// are those of the user, so run_id is what they typed. The caller closes the
// Result.
func (a *App) ReadNotebooks(ctx context.Context, paths, require []string) (*collect.Result, error) {
	clean := make([]string, len(paths))
	for i, p := range paths {
		clean[i] = filepath.ToSlash(filepath.Clean(p))
		if _, err := os.Stat(p); err != nil {
			return nil, unit.Mistake(fmt.Errorf("find notebooks: %w", err))
		}
	}
	return collect.Files(ctx, anywhere{}, clean, collect.Options{Require: require})
}

// Gather reads the runs of a sweep, or notebooks that belong to none, into tables.
// The caller closes the Result.
func (a *App) Gather(ctx context.Context, paths, require []string) (*collect.Result, error) {
	if len(paths) > 1 || !IsSweep(paths[0]) {
		return a.ReadNotebooks(ctx, paths, require)
	}
	s, err := a.OpenPlanned(ctx, paths[0])
	if errors.Is(err, sweep.ErrNotASweep) {
		return a.ReadNotebooks(ctx, paths, require)
	}
	if err != nil {
		return nil, err
	}
	return a.Tables(ctx, s, require)
}

// anywhere is the file system by the paths that people type, ".." and "/"
// among them.
type anywhere struct{}

func (anywhere) Open(name string) (fs.File, error)     { return os.Open(filepath.FromSlash(name)) }
func (anywhere) Stat(name string) (fs.FileInfo, error) { return os.Stat(filepath.FromSlash(name)) }

// CollectNotebooks reads notebooks that belong to no sweep and writes their
// tables to output, a folder or a bucket's URL. The caller closes the Result.
func (a *App) CollectNotebooks(ctx context.Context, paths []string, output string, require []string) (*collect.Result, error) {
	res, err := a.ReadNotebooks(ctx, paths, require)
	if err != nil {
		return nil, err
	}
	if err := a.writeTables(ctx, res, output); err != nil {
		res.Close()
		return nil, err
	}
	return res, nil
}

// writeTables replaces the export before it in the folder whole, and leaves what
// else is there alone.
func (a *App) writeTables(ctx context.Context, res *collect.Result, output string) error {
	st, err := a.OpenStore(ctx, output)
	if err != nil {
		return err
	}
	ours, err := readManifest(ctx, st)
	if err != nil {
		return err
	}
	gone, err := takeOver(ctx, st, ours, res.Names())
	if err != nil {
		return err
	}
	err = res.Write(ctx, func(name string, write func(io.Writer) error) error {
		return st.Write(ctx, name, write, store.Cached)
	})
	if err != nil {
		return unit.WithHint(fmt.Errorf("write tables: %w", err), "tables that were not rewritten are unchanged; free some space and run the same command again")
	}
	return finishExport(ctx, st, gone, res.Names())
}

// Required reports required scraps that are missing, as an error for a gate.
func Required(res *collect.Result) error {
	missing := 0
	first := ""
	for _, p := range res.Table.Problems() {
		if p.Kind != "missing" {
			continue
		}
		if missing++; missing == 1 {
			first = fmt.Sprintf("%s of run %s", p.Name, p.Run)
		}
	}
	if missing == 0 {
		return nil
	}
	return fmt.Errorf("%d required scraps are missing; the first: %s", missing, first)
}

// Package feed gives a run what the runs it needs left.
//
// In go a sweep, a run whose needs have succeeded, and its working directory; out
// come the parameters that `with:` computes, and in the directory
// upstream/<step>/ with the files that the needed runs kept, and
// upstream/<step>.parquet with their rows of the runs table, and
// upstream/missing.json, which names those that did not succeed. All of it is read
// from the sweep, so that it is the same on every machine.
//
// What cannot be fed, because a scrap is missing, a value is none that a
// parameter can have or a file is gone, is refused: the run has failed to start. An
// error is one of the sweep's store or of the directory.
package feed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

// Folder is where in the working directory everything is, and Missing the file in
// it that lists the needed runs that did not succeed.
const (
	Folder  = "upstream"
	Missing = "missing.json"
)

// A refusal says why a run cannot be fed.
type refusal struct{ why string }

func (e *refusal) Error() string { return e.why }

func refuse(format string, args ...any) error { return &refusal{fmt.Sprintf(format, args...)} }

// Feed writes what a run needs into dir, and returns the parameters that it is
// passed besides its own. Refused is why the run cannot be fed, whoever tries.
func Feed(ctx context.Context, s *sweep.Sweep, run sweep.Run, dir string) (args []value.Binding, refused, err error) {
	args, err = feed(ctx, s, run, dir)
	if why, is := errors.AsType[*refusal](err); is {
		return nil, why, nil
	}
	return args, nil, err
}

func feed(ctx context.Context, s *sweep.Sweep, run sweep.Run, dir string) ([]value.Binding, error) {
	needs := s.Needed(run.ID)
	if len(needs) == 0 {
		return nil, nil
	}
	root := filepath.Join(dir, Folder)
	if err := os.Mkdir(root, 0o777); errors.Is(err, fs.ErrExist) {
		return nil, refuse("the template's folder has `%s` of its own, which is where a run finds what it needs", Folder)
	} else if err != nil {
		return nil, err
	}
	fed, room := make([]fedStep, len(needs)), maxScraps
	for i, n := range needs {
		var err error
		if fed[i], err = feedStep(ctx, s, n, root, &room); err != nil {
			return nil, err
		}
	}
	if err := writeMissing(filepath.Join(root, Missing), s, needs); err != nil {
		return nil, err
	}
	head, _ := s.Head()
	step, _ := head.Step(run.Template)
	return bind(step.With, fed)
}

// A fedStep is the runs of a needed step with what they left.
type fedStep struct {
	need sweep.Need
	runs []fedRun // those that succeeded
}

// A fedRun is a needed run. Its files are by name, relative to the working
// directory.
type fedRun struct {
	query.Run
	name   string
	scraps map[string]value.Value
	unfit  map[string]string // scrap → why no parameter can have it
	files  map[string]string
}

func feedStep(ctx context.Context, s *sweep.Sweep, n sweep.Need, root string, room *int) (fedStep, error) {
	fed := fedStep{need: n}
	for _, st := range n.Runs {
		if st.Status != outcome.Succeeded {
			continue
		}
		r := fedRun{Run: query.RunOf(s, st), name: s.RunName(st.Run.ID)}
		var err error
		if r.scraps, r.unfit, err = scrapsOf(ctx, s, st, room); err != nil {
			return fed, fmt.Errorf("read what %s recorded: %w", r.name, err)
		}
		under := n.Step
		if !n.One {
			under = path.Join(n.Step, st.Run.ID)
		}
		if r.files, err = fetch(ctx, s, r, root, under); err != nil {
			return fed, err
		}
		fed.runs = append(fed.runs, r)
	}
	f, err := os.Create(filepath.Join(root, n.Step+".parquet"))
	if err != nil {
		return fed, err
	}
	return fed, errors.Join(writeRows(f, s, fed), f.Close())
}

// fetch copies the files that a run kept.
func fetch(ctx context.Context, s *sweep.Sweep, r fedRun, root, under string) (map[string]string, error) {
	files := map[string]string{}
	if err := os.MkdirAll(filepath.Join(root, filepath.FromSlash(under)), 0o777); err != nil {
		return nil, err
	}
	for _, name := range r.BestOut.Files {
		to := path.Join(under, name)
		if !filepath.IsLocal(filepath.FromSlash(to)) {
			return nil, refuse("%s kept a file with the name %q, which leads out of its folder", r.name, name)
		}
		err := fetchFile(ctx, s.Store(), sweep.PrefixArtifacts+r.Run.Run.ID+"/"+name, filepath.Join(root, filepath.FromSlash(to)))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, refuse("%s kept %s, which is gone from the sweep: %s", r.name, unit.Line(name), again(s, r.RunState))
		}
		if _, large := errors.AsType[*store.LargeError](err); large || errors.Is(err, store.ErrIrregular) {
			return nil, refuse("fetch %s, which %s kept: %v", unit.Line(name), r.name, err)
		}
		if err != nil {
			return nil, fmt.Errorf("fetch %s of %s: %w", name, r.name, err)
		}
		files[name] = path.Join(Folder, to)
	}
	return files, nil
}

// again is how what a run left comes back.
func again(s *sweep.Sweep, st sweep.RunState) string {
	return fmt.Sprintf("execute it again with `fanout rerun %s %s`", unit.Quote(s.Where()), st.Run.ID)
}

// fetchFile copies an object.
func fetchFile(ctx context.Context, st store.Store, key, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return err
	}
	return store.Fetch(ctx, st, key, to)
}

func writeFile(name string, write func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return err
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

package local

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/kernel"
	"github.com/fanout-dev/fanout/internal/kernel/kernelspec"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/runner"
	"github.com/fanout-dev/fanout/internal/scratch"
	"github.com/fanout-dev/fanout/internal/secret"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// Single is how one notebook that belongs to no sweep is executed.
type Single struct {
	Kernel  string   // name of the kernelspec; empty is the notebook's own
	Python  string   // virtual environment or interpreter whose ipykernel is used
	Dir     string   // working directory of the kernel; empty is this process's
	Environ []string // environment of the kernel; nil is this process's
	Secrets []string // values that must not be written

	// Recipe is that of the sweep the notebook belongs to, or nil. Its kernel has
	// the sweep's variables, and neither its secrets nor fanout's credentials.
	Recipe *sweep.Recipe

	StartTimeout, CellTimeout, RunTimeout time.Duration // 0 is no limit
	Grace                                 time.Duration // between a limit and the end
	SaveEvery                             time.Duration

	Save func(doc []byte) error                 // the notebook while it runs
	End  func(doc []byte) error                 // and as it ended
	Log  func(stream string, text []byte) error // what cells print; nil is nowhere
}

// ExecuteSingle executes a prepared document and returns its status and the reason.
// An error means that there is no outcome: no kernel of that name, a file that
// cannot be written.
func ExecuteSingle(ctx context.Context, doc *notebook.Notebook, o Single) (outcome.Status, string, error) {
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	if o.Recipe != nil {
		o.keepSecrets()
	}
	if len(o.Secrets) > 0 {
		o.Environ = append(slices.Clip(o.Environ), plainFrames)
	}
	mask, err := secret.New(o.Secrets)
	if err != nil {
		return "", "", err
	}
	r, err := executeSingle(ctx, doc, o, mask)
	return r.Status, r.Reason, mask.Error(err)
}

func executeSingle(ctx context.Context, doc *notebook.Notebook, o Single, mask *secret.Mask) (r runner.Result, err error) {
	name := o.Kernel
	if name == "" {
		name, _ = doc.Kernel()
	}
	spec, err := kernelspec.Finder{Python: o.Python, Env: o.Environ}.Find(name)
	if err != nil {
		return r, err
	}
	folder, err := scratch.Make("", "fanout-")
	if err != nil {
		return r, fmt.Errorf("create a folder for modules: %w", err)
	}
	defer folder.Remove()
	if err := writeModules(folder.Path); err != nil {
		return r, err
	}
	spec = spec.WithModules(folder.Path)
	return runner.Run(ctx, runner.Task{
		Doc: doc,
		Launch: func(ctx context.Context) (*kernel.Kernel, error) {
			return kernel.Launch(ctx, spec, kernel.Options{Dir: o.Dir, Env: o.Environ, StartTimeout: o.StartTimeout})
		},
		Timeout: runner.Timeouts{Start: o.StartTimeout, Cell: o.CellTimeout, Run: o.RunTimeout},
		Grace:   o.Grace, SaveEvery: o.SaveEvery, Mask: mask,
	}, &singleSink{o})
}

// keepSecrets takes from the environment what the kernel must not have, and masks
// what it may know from elsewhere.
func (o *Single) keepSecrets() {
	var hidden []string
	for _, s := range o.Recipe.Secrets {
		hidden = append(hidden, s.Env)
	}
	for _, name := range slices.Concat(hidden, credentials, shared) {
		if v, set := lookup(o.Environ, name); set && secret.Check(v) == nil {
			o.Secrets = append(o.Secrets, v)
		}
	}
	env := baseEnv(o.Environ, o.Recipe.Env, thisMachine().cores, 1)
	o.Environ = slices.DeleteFunc(env, func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.Contains(hidden, name)
	})
}

// singleSink hands a run on to the caller's functions.
type singleSink struct{ o Single }

func (s *singleSink) Save(doc []byte) error { return s.o.Save(doc) }

func (s *singleSink) Log(stream string, text []byte) error {
	if s.o.Log == nil {
		return nil
	}
	return s.o.Log(stream, text)
}

func (s *singleSink) End(doc *notebook.Notebook, _ runner.Result) error {
	return s.o.End(doc.Encode())
}

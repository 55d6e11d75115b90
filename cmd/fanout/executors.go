package main

import (
	"context"
	"os"

	"github.com/fanout-dev/fanout/internal/fan"
	"github.com/fanout-dev/fanout/internal/local"
)

// executor is an Executor that holds something until it is closed.
type executor interface {
	fan.Executor
	Close() error
}

// localExecutor fits internal/local to the seam: machines know nothing of
// package fan.
type localExecutor struct{ *local.Executor }

// Limits is what this machine can take.
func (e localExecutor) Limits() fan.Limits {
	return fan.Limits{Parallel: e.Jobs(), PerShard: 1}
}

var _ fan.Recoverer = localExecutor{}

// executor is the machine that makes the runs of a job.
func (c *cli) executor(ctx context.Context, j *job, queue []string) (executor, error) {
	cut := int64(c.settings.GetSizeInBytes("output_cap"))
	e, err := local.New(ctx, j.Sweep, local.Options{
		Jobs: c.settings.GetInt("jobs"), Queue: queue, Warm: c.warm(), Grace: c.settings.GetDuration("grace"),
		Version: version(), Environ: c.kernelEnv(), MaxCellOutput: cut,
	})
	if err != nil {
		return nil, usageError{err}
	}
	return localExecutor{e}, nil
}

// warm is "off", or empty to leave it to the sweep file.
func (c *cli) warm() string {
	if c.settings.GetString("warm") == "off" {
		return "off"
	}
	return ""
}

// kernelEnv is the environment that kernels are found and started in.
func (c *cli) kernelEnv() []string {
	env := os.Environ()
	if more := c.settings.GetString("jupyter_path"); more != "" {
		if have := os.Getenv("JUPYTER_PATH"); have != "" {
			more += string(os.PathListSeparator) + have
		}
		env = append(env, "JUPYTER_PATH="+more)
	}
	return env
}

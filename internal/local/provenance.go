package local

import (
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/kernel/kernelspec"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// provenance is who computed, where and from which state of the source. It is
// part of no identity and makes nothing stale.
type provenance struct {
	Fanout string `json:"fanout,omitempty"`
	Host   string `json:"host"`
	User   string `json:"user,omitempty"`
	System string `json:"system"`
	Commit string `json:"git_commit,omitempty"`
	Dirty  bool   `json:"git_dirty,omitempty"`
	// Packages are those that the kernel's interpreter has, with their versions.
	Packages []string `json:"packages,omitempty"`
}

// provenanceOf freezes the provenance of this machine and returns its key.
func (e *executor) provenanceOf(ctx context.Context) (string, error) {
	p := provenance{Fanout: e.o.Version, Host: e.machine.host, System: runtime.GOOS + "/" + runtime.GOARCH}
	if u, err := user.Current(); err == nil {
		p.User = u.Username
	}
	p.Commit, p.Dirty = gitState(ctx, e.sweep.SourceDir())
	p.Packages = e.packages(ctx)
	b, err := json.Marshal(p)
	if err != nil {
		return "", err
	}
	return e.sweep.Freeze(ctx, append(e.exit.Mask().JSON(b), '\n'), ".json")
}

// packages lists what is installed beside the interpreter of the sweep's kernel,
// from its metadata folders: no process is started. Kernels of other languages
// have none.
func (e *executor) packages(ctx context.Context) []string {
	head, _ := e.sweep.Head()
	name := head.Recipe.Kernel
	if runs := e.sweep.Runs(); name == "" && len(runs) > 0 {
		if _, doc, err := e.sweep.TemplateOf(ctx, runs[0].Run); err == nil {
			name, _ = doc.Kernel()
		}
	}
	spec, err := kernelspec.Finder{Python: e.python(head.Recipe), Env: baseEnv(e.o.Environ, head.Recipe.Env, e.machine.cores, e.o.Jobs)}.Find(name)
	if err != nil || spec.Language != "python" || len(spec.Argv) == 0 {
		return nil
	}
	interpreter, err := exec.LookPath(spec.Argv[0])
	if err != nil {
		return nil
	}
	return packagesIn(filepath.Dir(filepath.Dir(interpreter)))
}

// python is the environment or interpreter that was asked for, here or by the sweep.
func (e *executor) python(r sweep.Recipe) string {
	if e.o.Python == "" && r.Python != "" {
		return e.sweep.Resolve(r.Python)
	}
	return e.o.Python
}

// packagesIn lists the packages of a Python environment, sorted.
func packagesIn(prefix string) []string {
	var out []string
	for _, place := range []string{"site-packages", "dist-packages"} {
		dirs, _ := fs.Glob(os.DirFS(prefix), path.Join("lib/python3*", place, "*.dist-info"))
		for _, dir := range dirs {
			name, version, ok := strings.Cut(strings.TrimSuffix(path.Base(dir), ".dist-info"), "-")
			if ok {
				out = append(out, name+" "+version)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// gitState returns the commit of dir and whether files differ from it. It is empty
// outside a repository.
func gitState(ctx context.Context, dir string) (commit string, dirty bool) {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", false
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	git := func(args ...string) (string, error) {
		out, err := exec.CommandContext(ctx, "git", append([]string{"-C", dir, "--no-optional-locks", "-c", "core.fsmonitor=false"}, args...)...).Output()
		return strings.TrimSpace(string(out)), err
	}
	commit, err := git("rev-parse", "HEAD")
	if err != nil {
		return "", false
	}
	changes, err := git("status", "--porcelain", "--untracked-files=no", "--", ".")
	return commit, err == nil && changes != ""
}

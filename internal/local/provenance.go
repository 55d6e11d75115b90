package local

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"strings"
	"time"
)

// provenance says who computed, where and from which state of the source. It
// identifies nothing and makes nothing stale.
type provenance struct {
	Fanout string `json:"fanout,omitempty"`
	Host   string `json:"host"`
	User   string `json:"user,omitempty"`
	System string `json:"system"`
	Commit string `json:"git_commit,omitempty"`
	Dirty  bool   `json:"git_dirty,omitempty"`
}

// provenanceOf freezes the provenance of this machine and returns its key.
func (e *Executor) provenanceOf(ctx context.Context) (string, error) {
	p := provenance{Fanout: e.o.Version, Host: e.machine.host, System: runtime.GOOS + "/" + runtime.GOARCH}
	if u, err := user.Current(); err == nil {
		p.User = u.Username
	}
	p.Commit, p.Dirty = gitState(ctx, e.sweep.SourceDir())
	b, err := json.Marshal(p)
	if err != nil {
		return "", err
	}
	return e.sweep.Freeze(ctx, append(b, '\n'), ".json")
}

// gitState is the commit that dir is at, and whether files differ from it. It
// is empty where git does not know.
func gitState(ctx context.Context, dir string) (commit string, dirty bool) {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", false
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	git := func(args ...string) (string, error) {
		out, err := exec.CommandContext(ctx, "git", append([]string{"-C", dir}, args...)...).Output()
		return strings.TrimSpace(string(out)), err
	}
	commit, err := git("rev-parse", "HEAD")
	if err != nil {
		return "", false
	}
	changes, err := git("status", "--porcelain", "--untracked-files=no", "--", ".")
	return commit, err == nil && changes != ""
}

package listen

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/fanout-dev/fanout/cmd/fanout/internal/describe"
	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/launch"
	"github.com/fanout-dev/fanout/internal/lease"
	"github.com/fanout-dev/fanout/internal/serve"
	"github.com/fanout-dev/fanout/internal/shelf"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/unit"
)

// launches are two orders at a time: a short one does not wait for a long one.
const launches = 2

// A launcher executes what browsers order, and keeps the audit log.
type launcher struct {
	Queue *launch.Queue
	audit *os.File
	mu    sync.Mutex
}

// newLauncher takes up what an earlier server of the same roots left.
func (f Flags) newLauncher(a *app.App, places []string, report func(string)) (*launcher, error) {
	folder, err := stateFolder(places)
	if err != nil {
		return nil, unit.Mistake(unit.WithHint(fmt.Errorf("--allow-launch: %w", err), "set XDG_STATE_HOME to a folder for orders and the audit log"))
	}
	l := &launcher{Queue: &launch.Queue{Folder: filepath.Join(folder, "orders"), AtOnce: launches, Open: a.OpenStore, Report: report}}
	l.Queue.Start = func(ctx context.Context, args []string, stdin string, log *os.File) (int, error) {
		if args[0] != "schedule" { // what a firing may use is the schedule's
			args = append(args, "-j", strconv.Itoa(max(1, a.Jobs/launches)), "--no-progress")
		}
		return start(ctx, args, stdin, log)
	}
	if err := l.Queue.Load(); err != nil {
		return nil, fmt.Errorf("--allow-launch: %w", err)
	}
	file := f.AuditLog
	if file == "" {
		file = filepath.Join(folder, "audit.jsonl")
	}
	if l.audit, err = os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
		return nil, unit.Mistake(fmt.Errorf("open the audit log: %w", err))
	}
	return l, nil
}

// stateFolder is where a server of some roots keeps what has to last.
func stateFolder(places []string) (string, error) {
	base := os.Getenv("XDG_STATE_HOME")
	if base == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		base = filepath.Join(home, ".local", "state")
	}
	where := make([]string, len(places))
	for i, p := range places {
		var err error
		if where[i], err = store.Absolute(p); err != nil {
			return "", err
		}
	}
	folder := filepath.Join(base, "fanout", "serve", shelf.Key(where))
	return folder, os.MkdirAll(folder, 0o700)
}

// Log adds a line to the audit log. It is on the disk before anything is done.
func (l *launcher) Log(e serve.AuditEntry) error {
	if e.At.IsZero() {
		e.At = time.Now().UTC()
	}
	e.At = e.At.Truncate(time.Millisecond)
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err = l.audit.Write(append(line, '\n'))
	return errors.Join(err, l.audit.Sync())
}

// stopWithin is how long a command may take to stop: it interrupts its kernels and
// writes its tables.
const stopWithin = 5 * time.Minute

// start executes the fanout command. It has a group of its own, so that Ctrl-C reaches
// it only through us, and does not see the token of the server; it outlives a server
// that is killed.
func start(ctx context.Context, args []string, stdin string, log *os.File) (code int, err error) {
	self, err := os.Executable()
	if err != nil {
		return -1, err
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "FANOUT_SERVE_") })
	if by := lease.DeedOf(ctx).For; by != "" {
		cmd.Env = append(cmd.Env, describe.AskedVariable+"="+by)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopWithin
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), log, log
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	return cmd.ProcessState.ExitCode(), err
}

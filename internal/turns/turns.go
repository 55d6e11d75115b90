// Package turns decides whose run begins next when several sweeps of one user share a
// machine.
//
// In go a folder that the sweeps' processes share, how many runs may execute at once in all
// of them together, and a weight; out comes the right to execute one run. A process that dies
// gives back what it had.
package turns

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fanout-dev/fanout/internal/unit"
)

// look is how often a process that waits looks whether it is its turn, and silent is after
// how long one that does not look any more, being suspended, holds up nobody.
const (
	look   = 50 * time.Millisecond
	silent = 2 * time.Second
)

// standing is what a process says of itself in its file.
type standing struct {
	Sweep   string    `json:"sweep"`
	Jobs    int       `json:"jobs"` // how many runs may execute at once, as far as it knows
	Weight  float64   `json:"weight"`
	Running int       `json:"running"`
	Waiting int       `json:"waiting"`
	Since   time.Time `json:"since"` // the first of those that wait began to, or last got a turn
	Looked  time.Time `json:"looked"`
}

// part is how much of the machine a process has, by its weight.
func (s standing) part() float64 { return float64(s.Running) / s.Weight }

// A Line is one process's place among those that share the machine. Its methods may be
// called concurrently.
type Line struct {
	dir  string
	file *os.File // locked as long as the process lives

	mu  sync.Mutex
	own standing
}

// Join enters the line that waits in dir, which is made if need be; "" is the user's, in the
// folder for caches. jobs is how many runs of
// all sweeps may execute at once, and weight how large a part of them this sweep has beside
// others that wait: with 2, twice that of one with 1.
func Join(dir, sweep string, jobs int, weight float64) (*Line, error) {
	if jobs < 1 || !(weight > 0) {
		return nil, fmt.Errorf("share the machine: %d runs at once with weight %v: want numbers above 0", jobs, weight)
	}
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("share the machine: %w", err)
		}
		dir = filepath.Join(cache, "fanout", "turns")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("share the machine: %w", err)
	}
	l := &Line{dir: dir, own: standing{Sweep: sweep, Jobs: jobs, Weight: weight}}
	err := l.locked(func() (err error) {
		if l.file, err = os.CreateTemp(dir, "*"+suffix); err != nil {
			return err
		}
		if err := unix.Flock(int(l.file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			return fmt.Errorf("lock %s: %w", l.file.Name(), err)
		}
		return l.write()
	})
	if err != nil {
		return nil, fmt.Errorf("share the machine: %w", err)
	}
	return l, nil
}

const suffix = ".turn"

// Close leaves the line.
func (l *Line) Close() error {
	return errors.Join(os.Remove(l.file.Name()), l.file.Close())
}

// Wait waits until one more run may begin, and returns what to call when it has ended. waits
// is told once, if it takes long, why.
func (l *Line) Wait(ctx context.Context, waits func(why string)) (done func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l.change(func(s *standing) {
		if s.Waiting++; s.Waiting == 1 {
			s.Since = time.Now()
		}
	})
	begin, told := time.Now(), false
	for {
		ours, why, err := l.try()
		if err == nil && ours {
			return sync.OnceFunc(l.leave), nil
		}
		if !told && why != "" && time.Since(begin) > silent {
			waits(why)
			told = true
		}
		select {
		case <-ctx.Done():
			err = ctx.Err()
		case <-time.After(look):
		}
		if err != nil {
			l.change(func(s *standing) { s.Waiting-- })
			return nil, err
		}
	}
}

func (l *Line) change(how func(*standing)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	how(&l.own)
}

// try takes a turn if it is ours.
func (l *Line) try() (ours bool, why string, err error) {
	err = l.locked(func() error {
		others, err := l.others()
		if err != nil {
			return err
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		now := time.Now()
		l.own.Looked = now
		if ours, why = isNext(l.own, others, now); ours {
			l.own.Running, l.own.Waiting, l.own.Since = l.own.Running+1, l.own.Waiting-1, now
		}
		return l.write()
	})
	if err != nil {
		err = fmt.Errorf("share the machine: %w", err)
	}
	return ours, why, err
}

func (l *Line) leave() {
	l.change(func(s *standing) { s.Running-- })
	_ = l.locked(func() error { // what is not written now is with the next look
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.write()
	})
}

// isNext says whether a process that waits may begin a run, and otherwise why not: all turns
// are taken, or another that waits has a smaller part of them, or as small a one for longer.
func isNext(own standing, others []standing, now time.Time) (ours bool, why string) {
	running, names := 0, []string{}
	for _, s := range append(others, own) {
		running += s.Running
		if s.Running > 0 && !slices.Contains(names, s.Sweep) {
			names = append(names, s.Sweep)
		}
	}
	if running >= own.Jobs {
		return false, fmt.Sprintf("waits for its turn: %s of %s at once on this machine, and machine_jobs is %d",
			unit.Plural(running, "run"), unit.List(names), own.Jobs)
	}
	for _, o := range others {
		if o.Waiting == 0 || running >= o.Jobs || now.Sub(o.Looked) > silent {
			continue
		}
		if o.part() < own.part() || o.part() == own.part() && o.Since.Before(own.Since) {
			return false, fmt.Sprintf("waits for its turn: %s is next on this machine", o.Sweep)
		}
	}
	return true, ""
}

// others reads what the living say, and removes what the dead have left.
func (l *Line) others() (all []standing, err error) {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		path := filepath.Join(l.dir, e.Name())
		if !strings.HasSuffix(path, suffix) || path == l.file.Name() {
			continue
		}
		if s, alive := read(path); alive {
			all = append(all, s)
		}
	}
	return all, nil
}

// maxStanding bounds what is read of another process's file, in bytes.
const maxStanding = 64 << 10

// read reads a file whose process lives.
func read(path string) (s standing, alive bool) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return s, false
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) == nil {
		os.Remove(path)
		return s, false
	}
	text, err := io.ReadAll(io.LimitReader(f, maxStanding))
	return s, err == nil && json.Unmarshal(text, &s) == nil && s.Weight > 0
}

// write writes what this process says of itself; the folder is locked.
func (l *Line) write() error {
	text, err := json.Marshal(l.own)
	if err != nil {
		return err
	}
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err = l.file.WriteAt(text, 0)
	return err
}

// locked does something while no other process of the line does.
func (l *Line) locked(do func() error) error {
	lock, err := os.OpenFile(filepath.Join(l.dir, "lock"), os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close() // which unlocks
	for {
		if err = unix.Flock(int(lock.Fd()), unix.LOCK_EX); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	return do()
}

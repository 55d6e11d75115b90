package local

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/fanout-dev/fanout/internal/kernel"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// recoverLimit is how long the processes of one attempt may take to end.
const recoverLimit = 10 * time.Second

// Recover ends what is left of attempts that an earlier controller began on this
// machine: every process that carries the mark of their kernel. Attempts of
// another machine, or of before its last boot, are left alone: a kernel dies with
// the controller that started it. So are those of the sweep that this one is a
// copy of: its controller may be alive.
func (e *Executor) Recover(ctx context.Context, orphans []sweep.Began) error {
	return Recover(ctx, e.in.sweep, orphans)
}

// Recover is Executor.Recover for a controller whose runs are executed elsewhere.
func Recover(ctx context.Context, s *sweep.Sweep, orphans []sweep.Began) error {
	here, place := thisMachine(), placeOf(s)
	for _, b := range orphans {
		if b.Kernel == "" || b.Worker != "" || b.Host != here.host || b.Boot != here.boot || b.Place != "" && b.Place != place {
			continue
		}
		if err := endMarked(ctx, b.Kernel); err != nil {
			return fmt.Errorf("end what is left of run %s: %w", b.Run, err)
		}
	}
	return nil
}

// placeOf tells a sweep from its copies until this machine boots: a directory by
// what stays when it gets another name, a bucket by its address.
func placeOf(s *sweep.Sweep) string {
	if info, err := os.Stat(s.Where()); err == nil {
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			return fmt.Sprintf("%d:%d", st.Dev, st.Ino)
		}
	}
	return s.Where()
}

// endMarked kills until no process is found.
func endMarked(ctx context.Context, mark string) error {
	ctx, cancel := context.WithTimeout(ctx, recoverLimit)
	defer cancel()
	for kernel.KillMarked(mark) > 0 {
		if wait := ctx.Err(); wait != nil {
			return fmt.Errorf("processes marked %s have not ended: %w", mark, wait)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil
}

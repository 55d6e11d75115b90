//go:build unix && !linux

package proc

import (
	"errors"
	"os"
	"syscall"
)

// bound makes a child the leader of its own session. Only the keeper ties it
// to our life.
func bound() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

func lockThread() {}

func selfPath() string {
	p, _ := os.Executable()
	return p
}

// awaitExit does nothing: Wait follows.
func awaitExit(int) {}

func maxRSS(ru *syscall.Rusage) int64 { return int64(ru.Maxrss) }

func processes() []int { return nil }

func environOf(int) (string, bool) { return "", false }

// setTag needs limits that can be read from outside.
func setTag(int, uint64) {}

func untag()               {}
func tagged(int) uint64    { return 0 }
func membersOf(int) []int  { return nil }
func commandOf(int) string { return "" }

func reapOrphan(int) {}

// A Meter measures memory, which needs /proc.
type Meter struct{}

// StartMeter measures nothing.
func StartMeter(Process, int64) *Meter { return &Meter{} }
func (*Meter) Sample(bool)             {}
func (*Meter) Stop()                   {}
func (*Meter) Peak(maxRSS int64) int64 { return maxRSS }
func (*Meter) Exceeded() string        { return "" }

// An OOMWatch sees nothing.
type OOMWatch struct{}

// WatchOOM watches nothing.
func WatchOOM() OOMWatch             { return OOMWatch{} }
func (OOMWatch) Happened(int) string { return "" }

// Overlay needs mounts that only some processes see.
func Overlay(at, upper, work string, layers []string) error { return errors.ErrUnsupported }

// Unmount has nothing to undo.
func Unmount(string) error { return nil }

//go:build unix && !linux

package kernel

import (
	"os"
	"syscall"
)

// bound makes a child the leader of its own session. The keeper alone ties it
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

func environ(int) (string, bool) { return "", false }

func reapOrphan(int) {}

// A meter measures memory, which needs /proc.
type meter struct{}

func startMeter(process, int64) *meter { return &meter{} }
func (*meter) sample(bool)             {}
func (*meter) stop()                   {}
func (*meter) peak(maxRSS int64) int64 { return maxRSS }
func (*meter) exceeded() string        { return "" }

type oomWatch struct{}

func watchOOM() oomWatch             { return oomWatch{} }
func (oomWatch) happened(int) string { return "" }

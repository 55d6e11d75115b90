//go:build linux && !race

package grid

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A grid of a million points is counted in less than 2 s and 64 MB, the
// process and the test included.
func TestMillionIsSmall(t *testing.T) {
	for _, name := range []string{"include and exclude", "one long axis", "where over every point", "derive and where on few"} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestMillion$/^"+strings.ReplaceAll(name, " ", "_")+"$", "-test.v")
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "counted after") {
				t.Fatalf("%v\n%s", err, out)
			}
			rss := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss >> 10
			cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
			t.Logf("%d MB, %v of CPU", rss, cpu)
			if rss > 64 {
				t.Errorf("%d MB, want at most 64", rss)
			}
			if cpu > 4*time.Second { // two cores, and a machine that may be slower
				t.Errorf("%v of CPU", cpu)
			}
		})
	}
}

//go:build linux && !race

package grid

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A grid of a million points is counted in less than 2 s and 64 MB, the
// process and the test included.
func TestMillionIsSmall(t *testing.T) {
	for _, name := range []string{"include and exclude", "one long axis", "where over every point", "derive and where on few", "three steps", "three steps, where over every point"} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestMillion$/^"+strings.ReplaceAll(name, " ", "_")+"$", "-test.v")
			out, err := cmd.CombinedOutput()
			m := regexp.MustCompile(`VmHWM:\s*(\d+) kB`).FindSubmatch(out)
			if err != nil || m == nil || !strings.Contains(string(out), "counted after") {
				t.Fatalf("%v\n%s", err, out)
			}
			peak, _ := strconv.Atoi(string(m[1]))
			cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
			t.Logf("%d MB, %v of CPU", peak>>10, cpu)
			if peak>>10 > 64 {
				t.Errorf("%d MB, want at most 64", peak>>10)
			}
			if cpu > 4*time.Second { // two cores, and a machine that may be slower
				t.Errorf("%v of CPU", cpu)
			}
		})
	}
}

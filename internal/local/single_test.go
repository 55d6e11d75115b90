package local

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/sweep"
)

// TestReportsHaveNoSecrets: the kernel of a sweep's report has the sweep's
// variables, and neither its secrets nor fanout's credentials; what it learns of
// them otherwise is masked.
func TestReportsHaveNoSecrets(t *testing.T) {
	o := Single{
		Environ: []string{"PATH=/bin", "KEY=the-secret", "SHORT=abc", "NOMAD_TOKEN=a-token", "AWS_SECRET_ACCESS_KEY=of-a-bucket", "FANOUT_ON=nomad", "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1", "MKL_NUM_THREADS=1", "AWS=1"},
		Recipe:  &sweep.Recipe{Env: []string{"AWS=2"}, Secrets: []sweep.Secret{{Param: "k", Env: "KEY"}, {Param: "s", Env: "SHORT"}, {Param: "u", Env: "UNSET"}}},
	}
	o.keepSecrets()
	slices.Sort(o.Environ)
	want := []string{"AWS=2", "AWS_SECRET_ACCESS_KEY=of-a-bucket", "MKL_NUM_THREADS=1", "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1", "PATH=/bin"}
	if d := cmp.Diff(want, o.Environ); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"the-secret", "a-token", "of-a-bucket"}, o.Secrets); d != "" {
		t.Errorf("masked (-want +got):\n%s", d)
	}
}

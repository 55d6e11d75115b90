package local

import (
	"errors"
	"fmt"
	"os"
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
		Environ: []string{"PATH=/bin", "KEY=the-secret", "SHORT=abc", "NOMAD_TOKEN=t", "FANOUT_ON=nomad", "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1", "MKL_NUM_THREADS=1", "AWS=1"},
		Recipe:  &sweep.Recipe{Env: []string{"AWS=2"}, Secrets: []sweep.Secret{{Param: "k", Env: "KEY"}, {Param: "s", Env: "SHORT"}, {Param: "u", Env: "UNSET"}}},
	}
	o.keepSecrets()
	slices.Sort(o.Environ)
	want := []string{"AWS=2", "MKL_NUM_THREADS=1", "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1", "PATH=/bin"}
	if d := cmp.Diff(want, o.Environ); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"the-secret"}, o.Secrets); d != "" {
		t.Errorf("masked (-want +got):\n%s", d)
	}
}

// TestRemarksHoldNoSecrets: remarks and errors quote what modules and kernels
// write before a run has a document to mask.
func TestRemarksHoldNoSecrets(t *testing.T) {
	e := &Executor{secrets: []string{"the-secret"}, remarks: map[string]bool{}}
	broken := fmt.Errorf("start kernel: it wrote the-\nsecret: %w", os.ErrNotExist)
	if err := e.maskError(broken); err.Error() != "start kernel: it wrote [secret]: file does not exist" || !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if other := errors.New("plain"); e.maskError(other) != other || e.maskError(nil) != nil {
		t.Error("an error without a secret is another one")
	}
}

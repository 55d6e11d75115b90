package patience

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fanout-dev/fanout/internal/unit"
)

// Whoever types a verb learns which bucket is waited for and how long at most, once
// for all sweeps in it, and not while something else says it.
func TestTold(t *testing.T) {
	for verb, want := range map[string]string{
		"run":    "fanout: s3://b/x?endpoint=e does not answer: fanout waits for it, for up to 4 min\n",
		"status": "fanout: s3://b/x?endpoint=e does not answer: fanout waits for it, for up to 60 s\n",
	} {
		synctest.Test(t, func(t *testing.T) {
			var said bytes.Buffer
			elsewhere := true
			w := waitOf(verb, unit.NewPrinter(&said), func() bool { return elsewhere })
			w.Tell("s3://b/x?endpoint=e")
			elsewhere = false
			w.Tell("s3://b/x?endpoint=e")
			w.Tell("s3://b/y?endpoint=e")
			if said.String() != want {
				t.Errorf("%s: %q", verb, said.String())
			}
			time.Sleep(w.Limit)
			w.Tell("s3://b/x?endpoint=e")
			if said.String() != want+want {
				t.Errorf("%s, later: %q", verb, said.String())
			}
		})
	}
}

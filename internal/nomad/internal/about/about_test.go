package about

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"

	"github.com/fanout-dev/fanout/internal/sweep"
)

// Metadata name the first runs and say how many there are, in one line within bounds; and
// the job takes no others.
func TestOfShard(t *testing.T) {
	shard := sweep.Shard{ID: "1-4"}
	for i := range 500 {
		shard.Runs = append(shard.Runs, fmt.Sprintf("run%04d", i))
	}
	name := func(run string) string { return "x=" + run + "\n\x1b[31m" + strings.Repeat("y", 1000) }
	meta := OfShard(shard, name)
	if meta["fanout_runs"] != "run0000 run0001 run0002 run0003 run0004 run0005 run0006 run0007 and 492 more" || meta["fanout_count"] != "500" || meta["shard"] != "1-4" {
		t.Errorf("%q", meta)
	}
	if names := meta["fanout_names"]; !strings.HasPrefix(names, "x=run0000 yyy") || strings.ContainsAny(names, "\n\x1b") || len(names) > 8*(maxName+10)+20 || !strings.HasSuffix(names, "and 492 more") {
		t.Errorf("%q", names)
	}
	var job api.Job
	Job(&job, "d", nil)
	takes := map[string]bool{}
	for _, key := range append(job.ParameterizedJob.MetaRequired, job.ParameterizedJob.MetaOptional...) {
		takes[key] = true
	}
	for key := range meta {
		if !takes[key] {
			t.Errorf("the job does not take %s", key)
		}
	}
	if probe := OfShard(sweep.Shard{ID: "p"}, nil); len(probe) != 1 || probe["shard"] != "p" {
		t.Errorf("%q", probe)
	}
}

package worker_test

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/internal/worker"
)

// The log of a worker is in the sweep: what it executed, by parameters, and why it
// stopped, each line with its time.
func TestLogIsInTheSweep(t *testing.T) {
	controller, own := stored(t, 2)
	lacking, err := worker.Logs(t.Context(), controller, nil, func(shard, text string) { t.Errorf("before it began, shard %s: %s", shard, text) })
	if err != nil || !slices.Equal(lacking, []string{"1-1"}) {
		t.Errorf("before it began: %v lack, %v", lacking, err)
	}
	if err := work(t.Context(), own, &machine{}); err != nil {
		t.Fatal(err)
	}
	run := controller.Runs()[0].Run.ID
	var got string
	lacking, err = worker.Logs(t.Context(), controller, []string{run}, func(shard, text string) { got += shard + " " + text })
	if err != nil || len(lacking) > 0 {
		t.Errorf("%v lack, %v", lacking, err)
	}
	stamp := regexp.MustCompile(`(?m)^(1-1 )?20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ `)
	lines := strings.Split(stamp.ReplaceAllString(got, ""), "\n")
	if n := len(stamp.FindAllString(got, -1)); n != len(lines)-1 || !strings.HasPrefix(lines[0], "fanout 1.2: shard 1-1 of sweep ") || lines[n-1] != "the worker has ended" {
		t.Errorf("%d lines with a time:\n%s", n, got)
	}
	for _, want := range []string{run + " began: " + controller.RunName(run), run + " succeeded"} {
		if !slices.Contains(lines, want) {
			t.Errorf("no line %q in\n%s", want, got)
		}
	}
	if other, err := worker.Logs(t.Context(), controller, []string{"another"}, func(shard, _ string) { t.Errorf("shard %s", shard) }); err != nil || len(other) > 0 {
		t.Errorf("of a run of no shard: %v, %v", other, err)
	}
}

// Why a worker could not begin is the last thing in its log.
func TestLogSaysWhyAWorkerFailed(t *testing.T) {
	controller, own := stored(t, 1)
	if err := work(t.Context(), own, &machine{lacks: errors.New("no kernel python3")}); err == nil {
		t.Fatal("it worked")
	}
	text, err := controller.Stored("1-1").Diary(t.Context())
	if err != nil || !regexp.MustCompile(`Z no kernel python3\n\S+ the worker has ended\n$`).Match(text) {
		t.Errorf("%v\n%s", err, text)
	}
}

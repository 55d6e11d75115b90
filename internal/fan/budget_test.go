package fan_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/fanout-dev/fanout/internal/fan"
	"github.com/fanout-dev/fanout/internal/fan/fantest"
	"github.com/fanout-dev/fanout/internal/outcome"
)

// Ten runs of a minute, and of forty seconds of CPU time, two at a time. What is running when the
// budget is spent is finished, and a sweep that is finished is not halted.
func TestBudget(t *testing.T) {
	for name, tt := range map[string]struct {
		cpu, wall time.Duration
		failing   []int
		halted    string
		executed  int
		took      time.Duration
	}{
		"none":                    {0, 0, nil, "", 10, 5 * time.Minute},
		"CPU":                     {100 * time.Second, 0, nil, "its runs took 0.03333 CPU hours, and their budget is 0.02778; the same command goes on, with the budget anew", 4, 2 * time.Minute},
		"CPU of what failed":      {100 * time.Second, 0, []int{0, 1, 2, 3}, "its runs took 0.03333 CPU hours, and their budget is 0.02778; the same command goes on, with the budget anew", 4, 2 * time.Minute},
		"wall":                    {400 * time.Second, 150 * time.Second, nil, "it began 3m ago, and its budget is 2m30s; the same command goes on, with the budget anew", 6, 3 * time.Minute},
		"an end that is the last": {400 * time.Second, 5 * time.Minute, nil, "", 10, 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, 10, fantest.Succeed)
				b.fake.CPU = 40 * time.Second
				b.failing(1, tt.failing...)
				begin := time.Now()
				sum := b.fan(t, fan.Options{Jobs: 2, Budget: fan.NewBudget(tt.cpu, tt.wall)})
				if took := time.Since(begin); sum.Halted != tt.halted || sum.Executed != tt.executed || took != tt.took {
					t.Errorf("%+v after %v", sum, took)
				}
				if open := b.Counts()[outcome.Planned]; sum.Unstarted != open {
					t.Errorf("%d did not begin, and %d are planned", sum.Unstarted, open)
				}
			})
		})
	}
}

// A run that waits for another attempt has begun.
func TestWaitingIsNotUnstarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 10, fantest.Succeed)
		b.failing(1, 0)
		sum := b.fan(t, fan.Options{Jobs: 2, Budget: fan.NewBudget(0, 150*time.Second), Retry: fan.Retry{N: 1, Backoff: time.Hour}})
		if open := b.Counts()[outcome.Planned]; sum.Retried != 1 || sum.Unstarted != open || open == 0 {
			t.Errorf("%+v, and %d are planned", sum, open)
		}
	})
}

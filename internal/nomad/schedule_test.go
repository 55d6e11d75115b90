package nomad

import (
	"testing"
	"time"
)

// TestFiringsAtClockChanges holds down what Nomad's cron does when clocks
// change: on the day whose night lacks the hour nothing fires, and in the hour
// that comes twice it fires twice.
func TestFiringsAtClockChanges(t *testing.T) {
	for name, c := range map[string]struct {
		cron, after string
		want        []string
	}{
		"in the gap":           {"30 2 * * *", "2026-03-28T02:30:00+01:00", []string{"2026-03-30T02:30:00+02:00", "2026-03-31T02:30:00+02:00"}},
		"where the gap begins": {"0 2 * * *", "2026-03-28T02:00:00+01:00", []string{"2026-03-30T02:00:00+02:00"}},
		"after the gap":        {"0 3 * * *", "2026-03-28T03:00:00+01:00", []string{"2026-03-29T03:00:00+02:00"}},
		"twice":                {"30 2 * * *", "2026-10-24T02:30:00+02:00", []string{"2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00", "2026-10-26T02:30:00+01:00"}},
		"before the hour":      {"59 1 * * *", "2026-10-24T01:59:00+02:00", []string{"2026-10-25T01:59:00+02:00", "2026-10-26T01:59:00+01:00"}},
	} {
		t.Run(name, func(t *testing.T) {
			at, err := time.Parse(time.RFC3339, c.after)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.want {
				if at, err = NextFiring([]string{c.cron}, "Europe/Berlin", at); err != nil || at.Format(time.RFC3339) != want {
					t.Errorf("%s, %v, want %s", at.Format(time.RFC3339), err, want)
				}
			}
		})
	}
}

func TestNextFiring(t *testing.T) {
	after := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	next, err := NextFiring([]string{"0 6 * * *", "30 17 * * MON-FRI"}, "America/New_York", after)
	if want := "2026-05-01T17:30:00-04:00"; err != nil || next.Format(time.RFC3339) != want {
		t.Errorf("two crons: %s, %v, want %s", next.Format(time.RFC3339), err, want)
	}
	if next, err := NextFiring([]string{"0 0 31 2 *", "@daily"}, "", after); err != nil || next.Format(time.RFC3339) != "2026-05-02T00:00:00Z" {
		t.Errorf("one never fires: %s, %v", next, err)
	}
	if next, err := NextFiring([]string{"0 0 31 2 *"}, "", after); err != nil || !next.IsZero() {
		t.Errorf("never: %s, %v", next, err)
	}
}

func TestFiringTime(t *testing.T) {
	if at, err := FiringTime("fanout-schedule-x-0badcafe/periodic-1774830600"); err != nil || at.Unix() != 1774830600 {
		t.Errorf("%s, %v", at, err)
	}
	for _, id := range []string{"", "fanout-x/dispatch-1774830600-deadbeef", "x/periodic-", "x/periodic-soon"} {
		if at, err := FiringTime(id); err == nil {
			t.Errorf("%q: %s, want an error", id, at)
		}
	}
}

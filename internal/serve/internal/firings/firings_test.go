package firings

import (
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/firing"
	"github.com/fanout-dev/fanout/internal/schedule"
	"github.com/fanout-dev/fanout/internal/serve/internal/nights"
)

func day(v View, date string) (found nights.Day) {
	for _, m := range v.Months {
		for _, d := range m.Days {
			if d.Date == date {
				found = d
			}
		}
	}
	return found
}

// A day shows its last firing and what is due; days and times are the schedule's, on
// both sides of a change of the clocks.
func TestCalendar(t *testing.T) {
	now := time.Date(2026, 3, 28, 20, 0, 0, 0, time.UTC)
	at := func(d, h int) time.Time { return time.Date(2026, 3, d, h, 30, 0, 0, time.UTC) }
	ended := func(code int) *firing.End {
		return &firing.End{At: at(27, 3), Code: code, Reason: "it\nwas held"}
	}
	history := []firing.Firing{
		{Due: at(27, 1), Began: at(27, 1)},
		{Due: at(26, 23), Began: at(27, 2), End: ended(0), Asked: "bo"}, // on the 27th in Berlin
		{Due: at(20, 1), Began: at(20, 1), End: ended(4)},
		{Due: at(20, 1), Began: at(20, 1), End: ended(0)},
	}
	s := schedule.Schedule{Crons: []string{"30 2 * * *"}, Zone: "Europe/Berlin"}
	v := of(&s, history, true, now)
	if len(v.Months) != 2 || v.Months[0].Name != "March 2026" || len(v.Months[0].Lead) != 6 || v.Rows[0].State != "running" {
		t.Errorf("%+v", v)
	}
	if v.Next[0] != "Mon 2026-03-30 02:30 CEST" { // that time does not exist on the 29th
		t.Errorf("next %q", v.Next)
	}
	for date, want := range map[string]string{
		"2026-03-27": "partial 2 firings, the last 02:30 nobody",
		"2026-03-20": "failed 2 firings, the last 02:30 exit code 4: another fanout held the sweep: it was held",
		"2026-03-26": " ", "2026-03-29": " ", "2026-03-28": " ",
		"2026-03-30": " due at 02:30",
		"2026-04-30": " due at 02:30",
	} {
		d := day(v, date)
		if got := d.State + " " + d.Fired; !strings.HasPrefix(got, want) || want == " " && got != want || d.Catchup != strings.Contains(want, "due") {
			t.Errorf("%s: %q, want %q", date, got, want)
		}
	}
	s.Paused = true
	if v := of(&s, nil, false, now); len(v.Next) != 0 || day(v, "2026-03-30").Fired != "" || len(v.Months) != 2 {
		t.Errorf("%+v", v)
	}
	if v := of(nil, nil, false, now); v.Scheduled || v.Zone != "UTC" {
		t.Errorf("%+v", v)
	}
}

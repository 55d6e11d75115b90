package dates

import (
	"testing"
	"time"
)

// parseDate is the instant of a moment in the zone of the logical date.
func parseDate(s string, asOf time.Time) (time.Time, error) {
	m, err := Parse(s, asOf)
	return onClock(m.first, asOf.Location()), err
}

func TestRelativeDates(t *testing.T) {
	asOf := time.Date(2026, 3, 31, 1, 30, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"today": "2026-03-31", "yesterday": "2026-03-30", "tomorrow": "2026-04-01", "-7d": "2026-03-24", "today-1mo": "2026-02-28",
		"month_start": "2026-03-01", "month_end": "2026-03-31", "week_start": "2026-03-30", "quarter_start": "2026-01-01",
		"year_end": "2026-12-31", "month_start-1mo": "2026-02-01", "2024-02-29": "2024-02-29",
	} {
		got, err := parseDate(text, asOf)
		if err != nil || got.Format(time.DateOnly) != want {
			t.Errorf("parseDate(%q) = %v, %v, want %s", text, got, err, want)
		}
	}
	// The logical date is that of the zone: just after midnight UTC it is still yesterday in New York.
	ny, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := parseDate("today", asOf.In(ny)); got.Format(time.DateOnly) != "2026-03-30" {
		t.Errorf("today in New York is %v", got)
	}
}

package cron

import (
	"os"
	"strings"
	"testing"
	"time"
)

// changing are zones whose clocks change in different ways: by an hour at night, the
// other way round on the southern half, by half an hour, at midnight, and never.
var changing = []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Asia/Kathmandu"}

// A wall is what the clock on a wall shows.
type wall struct {
	weekday           time.Weekday
	day, hour, minute int
}

// A reading is an expression, and what it says of a wall clock.
type reading struct {
	spec string
	due  func(wall) bool
}

var readings = []reading{
	{"30 2 * * *", func(t wall) bool { return t.hour == 2 && t.minute == 30 }},
	{"0 0 * * *", func(t wall) bool { return t.hour == 0 && t.minute == 0 }},
	{"45 1 * * *", func(t wall) bool { return t.hour == 1 && t.minute == 45 }},
	{"0 23 * * 6", func(t wall) bool { return t.weekday == time.Saturday && t.hour == 23 && t.minute == 0 }},
	{"15 */6 * * *", func(t wall) bool { return t.hour%6 == 0 && t.minute == 15 }},
	{"0 4 1 * *", func(t wall) bool { return t.day == 1 && t.hour == 4 && t.minute == 0 }},
	{"*/20 1-3 * * *", func(t wall) bool { return t.hour >= 1 && t.hour <= 3 && t.minute%20 == 0 }},
}

// known is where Nomad's library differs: of an hour of which a change of the clocks
// skips the first half, it skips the second, too.
var known = map[string]string{
	" not 2025-10-05T02:30:00+11:00": "30 2 * * * Australia/Lord_Howe",
	" not 2025-10-05T02:30:00+11:00 not 2026-10-04T02:30:00+11:00 not 2027-10-03T02:30:00+11:00": "30 2 * * * Australia/Lord_Howe",
}

// step divides all that readings name, and all that clocks change by.
const step = 5 * time.Minute

// Over a year with both changes of the clocks, or three where there is time, what
// is due is every minute of the wall clock that the expression names, each time
// that it occurs.
func TestNextIsTheWallClocks(t *testing.T) {
	from := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	to := from.AddDate(1, 0, 0)
	if os.Getenv("FANOUT_TEST_LONG") != "" {
		to = from.AddDate(3, 0, 0)
	}
	for _, zone := range changing {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		want := make([][]time.Time, len(readings))
		for at := from.Add(step); !at.After(to); at = at.Add(step) {
			local := at.In(loc)
			now := wall{weekday: local.Weekday(), day: local.Day()}
			now.hour, now.minute, _ = local.Clock()
			for i, r := range readings {
				if r.due(now) {
					want[i] = append(want[i], at)
				}
			}
		}
		for i, r := range readings {
			var got []time.Time
			for at := from; ; {
				next, err := Next([]string{r.spec}, zone, at)
				if err != nil {
					t.Fatalf("%s in %s after %s: %v", r.spec, zone, at, err)
				}
				if at = next; at.After(to) {
					break
				}
				got = append(got, at.UTC())
			}
			if d := difference(got, want[i], loc); d != "" && known[d] != r.spec+" "+zone {
				t.Errorf("%s in %s: %d moments, want %d:%s", r.spec, zone, len(got), len(want[i]), d)
			}
		}
	}
}

// difference names what one of two lists in order has more than the other.
func difference(got, want []time.Time, loc *time.Location) string {
	var b strings.Builder
	for len(got)+len(want) > 0 {
		switch {
		case len(want) == 0 || len(got) > 0 && got[0].Before(want[0]):
			b.WriteString(" more " + got[0].In(loc).Format(time.RFC3339))
			got = got[1:]
		case len(got) == 0 || want[0].Before(got[0]):
			b.WriteString(" not " + want[0].In(loc).Format(time.RFC3339))
			want = want[1:]
		default:
			got, want = got[1:], want[1:]
		}
	}
	return b.String()
}

// Last is the last of the moments that Next walks through, however many there are
// and however long nobody looked.
func TestLast(t *testing.T) {
	now := time.Date(2026, 10, 25, 1, 30, 0, 0, time.UTC) // Berlin's 02:30, the second time
	for _, c := range []struct{ spec, after, want string }{
		{"30 2 * * *", "2026-01-01T00:00:00Z", "2026-10-25T01:30:00Z"},
		{"30 2 * * *", "2026-10-25T01:30:00Z", ""},
		{"29 2 * * *", "2026-10-25T00:00:00Z", "2026-10-25T01:29:00Z"},
		{"* * * * * * *", "1990-01-01T00:00:00Z", "2026-10-25T01:30:00Z"},
		{"0 0 29 2 *", "2000-01-01T00:00:00Z", "2024-02-28T23:00:00Z"},
		{"0 0 29 2 *", "2025-01-01T00:00:00Z", ""},
		{"0 0 31 2 *", "1800-01-01T00:00:00Z", ""},
	} {
		after, err := time.Parse(time.RFC3339, c.after)
		if err != nil {
			t.Fatal(err)
		}
		last, err := Last([]string{c.spec}, "Europe/Berlin", after, now)
		got := ""
		if !last.IsZero() {
			got = last.UTC().Format(time.RFC3339)
		}
		if err != nil || got != c.want {
			t.Errorf("%s after %s: %q, %v, want %q", c.spec, c.after, got, err, c.want)
		}
	}
}

// A range that ends before it begins is said, at once.
func TestBackwards(t *testing.T) {
	for spec, bad := range map[string]bool{"5-1 * * * *": true, "0 0 1,9-2/3 * *": true, "0 22-3 * * *": true, "0 1-5 * * 1-5": false, "0 2 * * MON-FRI": false, "1-1 * * * *": false} {
		_, err := Next([]string{spec}, "UTC", time.Unix(1_790_000_000, 0))
		if (err != nil) != bad || bad && !strings.Contains(err.Error(), "ends before it begins") {
			t.Errorf("%s: %v", spec, err)
		}
	}
}

// Whatever is typed gives a later moment, none, or an error.
func FuzzNext(f *testing.F) {
	for _, spec := range []string{"0 2 * * *", "@daily", "*/0 * * * *", "0 0 L * 5#3", "0 0 15W 2 *", "5-1 * * * *", "* * * * * * 2099", "%", "0 0 32 13 8"} {
		f.Add(spec, int64(1_790_000_000))
	}
	f.Fuzz(func(t *testing.T, spec string, unix int64) {
		after := time.Unix(unix%4_000_000_000, 0)
		next, err := Next([]string{spec}, "Europe/Berlin", after)
		if err == nil && !next.IsZero() && !next.After(after) {
			t.Errorf("%q after %s: %s", spec, after, next)
		}
	})
}

// TestClockChanges holds down what happens when clocks
// change: on the day whose night lacks the hour nothing fires, and in the hour
// that comes twice it fires twice.
func TestClockChanges(t *testing.T) {
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
				if at, err = Next([]string{c.cron}, "Europe/Berlin", at); err != nil || at.Format(time.RFC3339) != want {
					t.Errorf("%s, %v, want %s", at.Format(time.RFC3339), err, want)
				}
			}
		})
	}
}

func TestSeveralCrons(t *testing.T) {
	after := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	next, err := Next([]string{"0 6 * * *", "30 17 * * MON-FRI"}, "America/New_York", after)
	if want := "2026-05-01T17:30:00-04:00"; err != nil || next.Format(time.RFC3339) != want {
		t.Errorf("two crons: %s, %v, want %s", next.Format(time.RFC3339), err, want)
	}
	if next, err := Next([]string{"0 0 31 2 *", "@daily"}, "", after); err != nil || next.Format(time.RFC3339) != "2026-05-02T00:00:00Z" {
		t.Errorf("one never fires: %s, %v", next, err)
	}
	if next, err := Next([]string{"0 0 31 2 *"}, "", after); err != nil || !next.IsZero() {
		t.Errorf("never: %s, %v", next, err)
	}
}

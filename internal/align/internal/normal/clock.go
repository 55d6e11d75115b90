package normal

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/pattern"
)

// slack is how far a printed time may lie outside of the execution: clocks of
// a kernel and of whoever recorded its start are not read at once.
const slack = 2 * time.Second

var (
	moments   = pattern.Of(`\b\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?`)
	calendars = pattern.Of(`\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? )?(?:[A-Z][a-z]{2} [ \d]\d|\d\d? [A-Z][a-z]{2} \d{4}) \d\d:\d\d:\d\d(?: [A-Z]{3,4})?(?: \d{4})?`)
	ofDay     = pattern.Of(`\b\d\d:\d\d:\d\d(?:[.,]\d+)?\b`)
	epochs    = pattern.Of(`\b1[5-9]\d{8}(?:\d{3}|\.\d+)?\b`)
)

// During masks points in time at which the notebook was being executed, in any
// zone. It is for outputs that differ otherwise: data may hold such times, too.
func (c Clock) During(parts []Part) []Part {
	if c.Start.IsZero() || c.End.IsZero() {
		return parts
	}
	masked := slices.Clone(parts)
	for i := range masked {
		if masked[i].Kind != Picture && len(masked[i].Text) < maxMarkup {
			masked[i].Text = c.mask(masked[i].Text)
		}
	}
	return masked
}

func (c Clock) mask(s string) string {
	each := func(pattern *regexp.Regexp, read func(string) (time.Time, bool)) {
		s = pattern.ReplaceAllStringFunc(s, func(text string) string {
			if t, ok := read(text); ok && c.during(t) {
				return "‹now›"
			}
			return text
		})
	}
	if c.namesYear(s) {
		each(moments(), readMoment)
		each(calendars(), readCalendar)
	}
	if hasClockTime(s) {
		s = c.ofDays(s)
	}
	if strings.Contains(s, strconv.FormatInt(c.Start.Unix(), 10)[:4]) {
		each(epochs(), readEpoch)
	}
	return s
}

// namesYear reports whether a text may hold a date of the execution; most do
// not.
func (c Clock) namesYear(s string) bool {
	for _, t := range []time.Time{c.Start.Add(-14 * time.Hour), c.End.Add(14 * time.Hour)} {
		if strings.Contains(s, strconv.Itoa(t.Year())) {
			return true
		}
	}
	return false
}

// hasClockTime reports whether a text may hold a time of day.
func hasClockTime(s string) bool {
	for i := strings.IndexByte(s, ':'); i >= 0 && i+3 < len(s); {
		if s[i+3] == ':' {
			return true
		}
		next := strings.IndexByte(s[i+1:], ':')
		if next < 0 {
			return false
		}
		i += 1 + next
	}
	return false
}

// during reports whether a wall clock somewhere showed t during the execution:
// zones differ from UTC by quarters of an hour.
func (c Clock) during(t time.Time) bool {
	const quarter = 15 * time.Minute
	from, to := c.Start.Add(-slack), c.End.Add(slack)
	off := t.Sub(from)
	if off < -14*time.Hour || off > 14*time.Hour+to.Sub(from) {
		return false
	}
	into := off % quarter
	if into < 0 {
		into += quarter
	}
	return into <= to.Sub(from)
}

func readMoment(text string) (time.Time, bool) {
	text = strings.NewReplacer("/", "-", ",", ".", "T", " ").Replace(text)
	if len(text) > 19 { // its zone does not matter
		if i := strings.LastIndexAny(text, "Z+-"); i > 10 {
			text = text[:i]
		}
	}
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02 15:04"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

func readCalendar(text string) (time.Time, bool) {
	for _, layout := range []string{"Mon Jan _2 15:04:05 2006", "Mon Jan _2 15:04:05 MST 2006", "Mon, 02 Jan 2006 15:04:05 MST", "Mon, 2 Jan 2006 15:04:05", "02 Jan 2006 15:04:05", "Jan _2 15:04:05 2006"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

func readEpoch(text string) (time.Time, bool) {
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return time.Time{}, false
	}
	if seconds > 1e12 {
		seconds /= 1000
	}
	return time.UnixMicro(int64(seconds * 1e6)), true
}

// ofDays masks times of day that stand by themselves: not after a date.
func (c Clock) ofDays(s string) string {
	var b strings.Builder
	last := 0
	for _, m := range ofDay().FindAllStringIndex(s, -1) {
		before := strings.TrimRight(s[last:m[0]], " ")
		apart := before == s[last:m[0]]
		if before != "" && (isDigit(before[len(before)-1]) || apart && !strings.HasSuffix(before, "[") && !strings.HasSuffix(before, "(") && !strings.HasSuffix(before, "\n")) {
			continue
		}
		if c.isNow(s[m[0]:m[1]]) {
			b.WriteString(s[last:m[0]] + "‹now›")
			last = m[1]
		}
	}
	return b.String() + s[last:]
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// isNow reports whether a time of day was that of the execution.
func (c Clock) isNow(text string) bool {
	t, err := time.Parse("15:04:05", strings.ReplaceAll(text, ",", "."))
	if err != nil {
		return false
	}
	clock := c.Start.UTC().Truncate(24 * time.Hour).Add(t.Sub(t.Truncate(24 * time.Hour)))
	for _, days := range []time.Duration{-24, 0, 24} {
		if c.during(clock.Add(days * time.Hour)) {
			return true
		}
	}
	return false
}

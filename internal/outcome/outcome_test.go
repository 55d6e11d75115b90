package outcome

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestReasons(t *testing.T) {
	for want, got := range map[string]string{
		"cell 3 raised KeyError: 'k'":                      Raised(3, "KeyError", "'k'"),
		"cell 3 raised E: a …":                             Raised(3, "E", "a\nb"),
		"cell 3 raised E: a":                               Raised(3, "E", "a\n"),
		"cell 1 raised KeyboardInterrupt":                  Raised(1, "KeyboardInterrupt", ""),
		"stopped before its first cell":                    StoppedIn(0),
		"stopped on request in cell 4":                     StoppedIn(4),
		"cell 2 took longer than 10m":                      CellTooLong(2, 10*time.Minute),
		"cell 2 took longer than 10s":                      CellTooLong(2, 10*time.Second),
		"the run took longer than 1h; it was in cell 2":    RunTooLong(2, time.Hour),
		"the run took longer than 1h30m; it was in cell 2": RunTooLong(2, 90*time.Minute),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	long := Raised(1, "E", strings.Repeat("é", 10_000))
	if len(long) > 600 || !utf8.ValidString(long) || !strings.HasSuffix(long, " …") {
		t.Errorf("a long message is %d bytes", len(long))
	}
}

func TestWords(t *testing.T) {
	if TimedOut.Words() != "timed out" || OutOfMemory.Words() != "out of memory" {
		t.Error(TimedOut.Words(), OutOfMemory.Words())
	}
	for _, s := range Statuses() {
		if s.Ended() == (s == Running || s == Planned) {
			t.Error(s)
		}
	}
}

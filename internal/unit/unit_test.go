package unit_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

func TestNumber(t *testing.T) {
	for x, want := range map[float64]string{
		0: "0", math.Copysign(0, -1): "0", 1: "1", -3: "−3", 9999999: "9999999", 1e7: "1e+07",
		0.9969: "0.9969", 0.997: "0.997", 21831.7: "21832", 218.317: "218.3", 1234567.8: "1234568",
		0.000123456: "0.0001235", 0.00001: "1e−05", 9.99996: "10", 0.00009999999: "0.0001",
		1.5e12: "1.5e+12", -0.25: "−0.25", math.Inf(1): "∞", math.Inf(-1): "−∞",
	} {
		if got := unit.Number(x); got != want {
			t.Errorf("Number(%v) = %q, want %q", x, got, want)
		}
	}
	if got := unit.Number(math.NaN()); got != "" {
		t.Errorf("Number(NaN) = %q", got)
	}
}

func TestCount(t *testing.T) {
	for x, want := range map[float64]string{0: "0", 999: "999", 1000: "1,000", 2_999_999: "2,999,999", 1e14 + 1: "100,000,000,000,001", 1e15: "about 1e+15", math.Inf(1): "about ∞"} {
		if got := unit.Count(x); got != want {
			t.Errorf("Count(%v) = %q, want %q", x, got, want)
		}
	}
}

func TestPercent(t *testing.T) {
	for x, want := range map[float64]string{0.0412: "+4.12%", -0.5: "−50.00%", -0.00001: "0.00%", 0: "0.00%", math.Inf(1): "+∞%"} {
		if got := unit.Percent(x); got != want {
			t.Errorf("Percent(%v) = %q, want %q", x, got, want)
		}
	}
}

func TestChange(t *testing.T) {
	for x, want := range map[float64]string{0.25: "+0.25", -2: "−2", 0: "0"} {
		if got := unit.Change(x); got != want {
			t.Errorf("Change(%v) = %q, want %q", x, got, want)
		}
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 bytes", 1: "1 byte", 999: "999 bytes", 1000: "1 kB", 999_499: "999 kB", 999_500: "1.0 MB", 1_500_000: "1.5 MB", 117_400_000: "117 MB", 2_340_000_000: "2.3 GB"} {
		if got := unit.Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 ms", 999 * time.Millisecond: "999 ms", 515_966 * time.Microsecond: "516 ms", 999_600 * time.Microsecond: "1.0 s", 1500 * time.Millisecond: "1.5 s", 95 * time.Second: "95 s",
		12 * time.Minute: "12 min", 3 * time.Hour: "3.0 h", 60 * time.Hour: "2.5 days",
	} {
		if got := unit.Duration(d); got != want {
			t.Errorf("Duration(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestLine(t *testing.T) {
	for text, want := range map[string]string{
		"a\x1b[31mred\x1b[0m":                      "ared",
		"\x1b]52;c;aGVsbG8=\x07clip":               "clip",
		"\x1b]0;title\x1b\\x":                      "x",
		"two\nlines\r\n":                           "two lines  ",
		"right \u202eto left\u2066 and\u2069 back": "right to left and back",
		"c1\u009b31m":                              "c131m",
		"Zürich 東京":                                "Zürich 東京",
	} {
		if got := unit.Line(text); got != want {
			t.Errorf("Line(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestNamesAndLists(t *testing.T) {
	of := func(x any) value.Value { v, _ := value.Of(x); return v }
	if got := unit.Name([]value.Binding{{Name: "region", Value: of("apac")}, {Name: "rate", Value: of(0.5)}}); got != "region=apac rate=0.5" {
		t.Error(got)
	}
	if got := unit.List([]string{"a", "b", "c"}); got != "a, b and c" {
		t.Error(got)
	}
	if got := unit.List([]string{"1", "2", "3", "4", "5", "6", "7", "8"}); got != "1, 2, 3, 4, 5, 6 and 2 more" {
		t.Error(got)
	}
	if got := unit.Quote("it's"); got != `'it'\''s'` {
		t.Error(got)
	}
	if got := unit.Cut("abcdef", 4); got != "abc…" {
		t.Error(got)
	}
}

func TestShort(t *testing.T) {
	huge := "a\x1b[31m\n" + strings.Repeat("é", 50<<20)
	if got, allocated := unit.Short(huge, 5), testing.AllocsPerRun(1, func() { unit.Short(huge, 5) }); got != "a éé…" || allocated > 20 {
		t.Errorf("%q after %v allocations", got, allocated)
	}
	for text, want := range map[string]string{"": "", "abc": "abc", "abcdef": "abcd…", strings.Repeat("\x1b[31m", 200) + "abc": "…"} {
		if got := unit.Short(text, 5); got != want {
			t.Errorf("%.20q became %q, want %q", text, got, want)
		}
	}
}

// Package unit writes things for people: numbers, percentages, sizes,
// durations, counts, lists, names of runs and commands to type. It is the only
// package that does, so that one quantity looks the same wherever it is read.
// It also is the gate for foreign text: what a notebook, a server or a file
// name says reaches a terminal through Line.
//
// It imports nothing of fanout but value.
package unit

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Number writes x with four significant digits, and whole numbers below ten
// million in full. It is empty for NaN.
func Number(x float64) string {
	switch abs := math.Abs(x); {
	case math.IsNaN(x):
		return ""
	case math.IsInf(x, 1):
		return "∞"
	case math.IsInf(x, -1):
		return "−∞"
	case x == math.Trunc(x) && abs < 1e7:
		return minus(strconv.FormatFloat(x, 'f', 0, 64))
	case abs >= 1e-4 && abs < 1e7:
		return minus(trimZeros(strconv.FormatFloat(x, 'f', max(3-exponent(abs), 0), 64)))
	}
	return minus(strconv.FormatFloat(x, 'g', 4, 64))
}

// Change is Number with a sign, for a difference.
func Change(x float64) string { return Signed(Number)(x) }

// Percent writes a share of change as a signed percentage with two decimals:
// Percent(0.0412) is "+4.12%".
func Percent(share float64) string {
	if math.IsInf(share, 0) {
		return Change(share) + "%"
	}
	return minus(fmt.Sprintf("%+.2f", 100*share)) + "%"
}

// P writes a probability with three decimals.
func P(p float64) string {
	if p < 0.001 {
		return "<0.001"
	}
	return strconv.FormatFloat(p, 'f', 3, 64)
}

// exponent is the power of ten of the first digit of x once it is rounded to
// four digits.
func exponent(x float64) int {
	_, e, _ := strings.Cut(strconv.FormatFloat(x, 'e', 3, 64), "e")
	n, _ := strconv.Atoi(e)
	return n
}

func trimZeros(s string) string {
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// minus writes the sign that people read, and none before zero.
func minus(s string) string {
	if !strings.ContainsAny(s, "123456789") {
		return strings.TrimLeft(s, "+-")
	}
	return strings.ReplaceAll(s, "-", "−")
}

// Bytes writes a size in decimal units: 1 MB is a million bytes.
func Bytes(n int64) string {
	switch x := float64(n); {
	case n < 1000:
		return Plural(int(n), "byte")
	case x < 999_500:
		return fmt.Sprintf("%.0f kB", x/1e3)
	case x < 9.95e6:
		return fmt.Sprintf("%.1f MB", x/1e6)
	case x < 999.5e6:
		return fmt.Sprintf("%.0f MB", x/1e6)
	default:
		return fmt.Sprintf("%.1f GB", x/1e9)
	}
}

// Duration writes how long something took, with the precision people want.
func Duration(d time.Duration) string {
	switch {
	case d < time.Second-time.Millisecond/2:
		return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%.1f h", d.Hours())
	}
	return fmt.Sprintf("%.1f days", d.Hours()/24)
}

// AsWritten is a limit as people write it: 10m, 1h30m.
func AsWritten(limit time.Duration) string {
	s := limit.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = s[:len(s)-2]
		}
	}
	return s
}

// Plural counts things: "1 run", "3 runs".
func Plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Count writes a whole number with its thousands apart: 3,000,000. One that is too
// large to be precise is rounded.
func Count(n float64) string {
	if !(n < 1e15) {
		return "about " + Number(n)
	}
	digits := strconv.FormatFloat(n, 'f', 0, 64)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

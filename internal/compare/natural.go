package compare

import (
	"cmp"
	"strconv"
	"strings"
)

// compareText orders as people do: numbers by size and before all else, and
// the numbers within names by size.
func compareText(a, b string) int {
	x, err1 := strconv.ParseFloat(a, 64)
	y, err2 := strconv.ParseFloat(b, 64)
	switch {
	case err1 == nil && err2 == nil && x != y:
		return compareFloat(x, y)
	case err1 == nil && err2 != nil:
		return -1
	case err1 != nil && err2 == nil:
		return 1
	}
	if d := compareChunks(a, b); d != 0 {
		return d
	}
	return strings.Compare(a, b) // 7 and 07
}

func compareChunks(a, b string) int {
	for a != "" && b != "" {
		m, n := digitsAt(a), digitsAt(b)
		if m > 0 && n > 0 {
			x, y := strings.TrimLeft(a[:m], "0"), strings.TrimLeft(b[:n], "0")
			if d := cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y)); d != 0 {
				return d
			}
			a, b = a[m:], b[n:]
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

// digitsAt is how many digits a text begins with.
func digitsAt(s string) int {
	return len(s) - len(strings.TrimLeft(s, "0123456789"))
}

package delta

import (
	"cmp"
	"crypto/sha256"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/fanout-dev/fanout/internal/align/internal/normal"
	"github.com/fanout-dev/fanout/internal/pattern"
)

// A Frame is what a cell's outputs are apart from their numbers.
type Frame struct {
	Digest  [16]byte  // of everything but numbers and pixels
	Numbers []float64 // in order
	Raster  []*normal.Part
}

// FrameOf takes the numbers out of parts: the first ones, at most this many.
func FrameOf(parts []normal.Part, most int) Frame {
	var f Frame
	h := sha256.New()
	for i := range parts {
		p := &parts[i]
		h.Write([]byte(p.What + "\x00"))
		if p.Kind == normal.Picture {
			f.Raster = append(f.Raster, p)
			continue
		}
		last := 0
		eachNumber(p.Text, func(start, end int) bool {
			x, err := strconv.ParseFloat(p.Text[start:end], 64)
			if err != nil || len(f.Numbers) >= most {
				return len(f.Numbers) < most
			}
			h.Write([]byte(p.Text[last:start]))
			h.Write([]byte{0})
			f.Numbers, last = append(f.Numbers, x), end
			return true
		})
		h.Write([]byte(p.Text[last:]))
		h.Write([]byte{1})
	}
	f.Digest = [16]byte(h.Sum(nil))
	return f
}

// Near reports whether the numbers of two cells with equal frames are equal
// within the tolerance. One that is apart is noted in likely, and looked at
// first: outputs of one cell mostly differ in the same place.
func (f Frame) Near(g Frame, tolerance float64, likely *int) bool {
	if f.Digest != g.Digest || len(f.Numbers) != len(g.Numbers) {
		return false
	}
	if i := *likely; i < len(f.Numbers) && !near(f.Numbers[i], g.Numbers[i], tolerance) {
		return false
	}
	for i, x := range f.Numbers {
		if !near(x, g.Numbers[i], tolerance) {
			*likely = i
			return false
		}
	}
	return true
}

func near(x, y, tolerance float64) bool {
	return x == y || math.Abs(x-y) <= tolerance*math.Max(math.Abs(x), math.Abs(y))
}

// eachNumber finds the numbers in a text: not the digits in names, dates,
// times and versions.
func eachNumber(s string, yield func(start, end int) bool) {
	for i := 0; i < len(s); {
		if !isDigit(s[i]) {
			i++
			continue
		}
		start, end := i, numberEnd(s, i)
		if start > 0 && s[start-1] == '.' {
			start--
		}
		i = end
		if start > 0 && (s[start-1] == '-' || s[start-1] == '+') && (start == 1 || !isWord(s[start-2])) {
			start--
		}
		if start > 0 && (isWord(s[start-1]) || s[start-1] == '.' || s[start-1] == '#') || inName(s, start, end) {
			for i < len(s) && (isWord(s[i]) || isJoint(s, i)) {
				i++
			}
			continue
		}
		if !yield(start, end) {
			return
		}
	}
}

// numberEnd is where a number ends that begins with a digit at i.
func numberEnd(s string, i int) int {
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	if i+1 < len(s) && s[i] == '.' && isDigit(s[i+1]) {
		for i++; i < len(s) && isDigit(s[i]); i++ {
		}
	} else if i < len(s) && s[i] == '.' && (i+1 == len(s) || !isWord(s[i+1])) && i+1 < len(s) && s[i+1] == ' ' {
		return i // the end of a sentence
	}
	if j := i; j < len(s) && (s[j] == 'e' || s[j] == 'E') {
		j++
		if j < len(s) && (s[j] == '+' || s[j] == '-') {
			j++
		}
		if j < len(s) && isDigit(s[j]) {
			for i = j; i < len(s) && isDigit(s[i]); i++ {
			}
		}
	}
	return i
}

// inName reports whether digits are part of a name, a date or a time.
func inName(s string, start, end int) bool {
	if end < len(s) && (s[end] == '_' || isJoint(s, end)) {
		return true
	}
	return start > 1 && isJoint(s, start-1) && isDigit(s[start-2])
}

// isJoint reports whether the character at i joins digits to a date, a time or
// a version: 2026-11-30, 10:30, 1.2.3.
func isJoint(s string, i int) bool {
	if s[i] != '-' && s[i] != ':' && s[i] != '.' {
		return false
	}
	return i > 0 && i+1 < len(s) && isDigit(s[i-1]) && isDigit(s[i+1])
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isWord(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}

// lines compares two texts line by line.
func (c *comparer) lines(what, a, b string) {
	for _, ch := range changes(strings.Split(a, "\n"), strings.Split(b, "\n")) {
		n := min(len(ch.a), len(ch.b))
		for i := range n {
			c.line(what, ch.a[i], ch.b[i])
		}
		c.surplus(what, Removed, ch.a[n:])
		c.surplus(what, Added, ch.b[n:])
	}
}

// surplus adds lines that are only in one of the texts, as one difference.
func (c *comparer) surplus(what string, kind Kind, lines []string) {
	lines = slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return strings.TrimSpace(l) == "" })
	if len(lines) == 0 {
		return
	}
	d := Delta{Output: what, Kind: kind}
	text := lines[0]
	if len(lines) > 1 {
		d.Count = len(lines)
	}
	if kind == Added {
		d.To = text
	} else {
		d.From = text
	}
	c.add(d)
}

// line compares one line with another: as numbers where the words are equal.
func (c *comparer) line(what, a, b string) {
	if a == b {
		return
	}
	x, y := numbersOf(a), numbersOf(b)
	if len(x) != len(y) || wordsBetween(a, x) != wordsBetween(b, y) {
		c.add(Delta{Output: what, Kind: Text, From: a, To: b})
		return
	}
	for i := range x {
		from, to := a[x[i].start:x[i].end], b[y[i].start:y[i].end]
		if from != to && !near(x[i].value, y[i].value, c.tolerance) {
			c.moved(Delta{Output: what, Kind: Number, Where: labelOf(b, y[i].start), From: from, To: to}, x[i].value, y[i].value)
		}
	}
}

type token struct {
	start, end int
	value      float64
}

func numbersOf(s string) (all []token) {
	eachNumber(s, func(start, end int) bool {
		x, err := strconv.ParseFloat(s[start:end], 64)
		if err == nil {
			all = append(all, token{start, end, x})
		}
		return true
	})
	return all
}

func wordsBetween(s string, numbers []token) string {
	var b strings.Builder
	last := 0
	for _, t := range numbers {
		b.WriteString(s[last:t.start])
		b.WriteByte(0)
		last = t.end
	}
	b.WriteString(s[last:])
	return strings.Join(strings.Fields(b.String()), " ") // columns are as wide as their numbers
}

var words = pattern.Of(`[\p{L}_][\p{L}\d_.²%-]*`)

// labelOf are the words before a number in its line.
func labelOf(line string, at int) string {
	before := line[:at]
	if i := strings.LastIndexAny(before, ",;|\t"); i >= 0 && words().MatchString(before[i:]) {
		before = before[i:]
	}
	found := words().FindAllString(before, -1)
	return strings.Join(found[max(0, len(found)-3):], " ")
}

// A change is a run of lines that differ.
type change struct{ a, b []string }

// maxTable is how many pairs of lines are looked at to find which are the same.
const maxTable = 4 << 20

// changes are where two lists of lines differ.
func changes(a, b []string) []change {
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	a, b = a[head:], b[head:]
	tail := 0
	for tail < len(a) && tail < len(b) && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	a, b = a[:len(a)-tail], b[:len(b)-tail]
	if len(a) == 0 && len(b) == 0 {
		return nil
	}
	if len(a) == len(b) || len(a)*len(b) > maxTable {
		return inPlace(a, b)
	}
	var all []change
	i, j := 0, 0
	for _, m := range append(Common(a, b), [2]int{len(a), len(b)}) {
		if i < m[0] || j < m[1] {
			all = append(all, change{a[i:m[0]], b[j:m[1]]})
		}
		i, j = m[0]+1, m[1]+1
	}
	return all
}

// inPlace takes line by line.
func inPlace(a, b []string) []change {
	var all []change
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			all = append(all, change{a[i : i+1], b[i : i+1]})
		}
	}
	if len(a) != len(b) {
		all = append(all, change{a[n:], b[n:]})
	}
	return all
}

// Common is a longest common subsequence: pairs of indices of equal elements,
// in order.
func Common[T cmp.Ordered](a, b []T) [][2]int {
	width := len(b) + 1
	length := make([]int32, (len(a)+1)*width)
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				length[i*width+j] = length[(i+1)*width+j+1] + 1
			} else {
				length[i*width+j] = max(length[(i+1)*width+j], length[i*width+j+1])
			}
		}
	}
	var pairs [][2]int
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			pairs = append(pairs, [2]int{i, j})
			i, j = i+1, j+1
		case length[(i+1)*width+j] >= length[i*width+j+1]:
			i++
		default:
			j++
		}
	}
	return pairs
}

package dialect

import "strings"

// UnixLines is a text with newlines at the ends of its lines, whatever is there.
func UnixLines(s string) string { return strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s) }

// SplitLines is Python's splitlines.
func SplitLines(s string) []string {
	var all []string
	for s != "" {
		n := LineEnd(s)
		line := s[:n]
		for _, end := range []string{"\r\n", "\n", "\r", "\v", "\f", "\x1c", "\x1d", "\x1e", "\u0085", "\u2028", "\u2029"} {
			if cut, ok := strings.CutSuffix(line, end); ok {
				line = cut
				break
			}
		}
		all = append(all, line)
		s = s[n:]
	}
	return all
}

// LineEnd is the length of the first line of s with its end, where Python's
// splitlines sees it.
func LineEnd(s string) int {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\r' && i+1 < len(s) && s[i+1] == '\n':
			return i + 2
		case c >= '\n' && c <= '\r', c >= 0x1c && c <= 0x1e:
			return i + 1
		case c == 0xc2 && i+1 < len(s) && s[i+1] == 0x85:
			return i + 2
		case c == 0xe2 && i+2 < len(s) && s[i+1] == 0x80 && s[i+2]|1 == 0xa9:
			return i + 3
		}
	}
	return len(s)
}

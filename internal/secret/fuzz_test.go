package secret

import (
	"strings"
	"testing"
)

// Whatever is around a secret, and wherever a text is divided, no form of it comes out,
// and what is no secret stays readable.
func FuzzMask(f *testing.F) {
	const value = `hunter2-"Zq\wö`
	m, err := New([]string{value})
	if err != nil {
		f.Fatal(err)
	}
	all := forms(value)
	f.Add("before ", " after", uint8(0), uint16(3), uint16(9))
	f.Add("[sec", "ret]", uint8(1), uint16(0), uint16(12))
	f.Add("\x1b[31m", "\x1b[0m\u200b", uint8(7), uint16(20), uint16(40))
	f.Add(`\`, `\\`, uint8(3), uint16(5), uint16(6))
	f.Fuzz(func(t *testing.T, before, after string, form uint8, first, second uint16) {
		hidden := all[int(form)%len(all)]
		text := before + hidden + after
		if got := m.Text(text); strings.Contains(got, hidden) && !strings.Contains(Mark, hidden) {
			t.Errorf("%q is not masked in %q: %q", hidden, text, got)
		}
		a := int(first) % (len(text) + 1)
		b := a + int(second)%(len(text)-a+1)
		var out strings.Builder
		open := ""
		for _, part := range []string{text[:a], text[a:b], text[b:]} {
			var sure string
			sure, open = m.Split(open + part)
			out.WriteString(sure)
		}
		out.WriteString(m.Text(open))
		if got := out.String(); strings.Contains(got, value) {
			t.Errorf("%q in three pieces, at %d and %d: %q", text, a, b, got)
		}
	})
}

package tail

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/notebook"
)

// TestLinesOf: progress bars end as one line, and lines that may still grow
// wait.
func TestLinesOf(t *testing.T) {
	out := func(stream, text string) notebook.Print { return notebook.Print{Cell: 1, Stream: stream, Text: text} }
	next := notebook.Print{Cell: 2, Stream: "stdout", Text: "two\n"}
	for name, c := range map[string]struct {
		prints []notebook.Print
		open   bool
		want   []string
	}{
		"nothing":                 {nil, true, nil},
		"a progress bar":          {[]notebook.Print{out("stderr", "\r 1%\r50%\r100%\n")}, true, []string{"100%"}},
		"a bar under way":         {[]notebook.Print{out("stderr", "\r 1%\r50%")}, true, nil},
		"a bar that stopped":      {[]notebook.Print{out("stderr", "\r 1%\r50%")}, false, []string{"50%"}},
		"Windows":                 {[]notebook.Print{out("stdout", "a\r\nb\r\n")}, true, []string{"a", "b"}},
		"half a line":             {[]notebook.Print{out("stdout", "a\nb")}, true, []string{"a"}},
		"half a line, cell over":  {[]notebook.Print{out("stdout", "a\nb"), next}, true, []string{"a", "b", "two"}},
		"half a line, other said": {[]notebook.Print{out("stdout", "a\nb"), out("stderr", "c\n")}, true, []string{"a", "c"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, l := range linesOf(c.prints, c.open) {
				got = append(got, l.text)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

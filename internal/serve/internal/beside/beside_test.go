package beside

import "testing"

// Sections go to one part or the other, whole and in their order, and nothing is lost.
func TestSplit(t *testing.T) {
	main, side := Split(`<p>first</p><h2 id="odd">Odd</h2><ul></ul><h2 id="y">y</h2><h3 id="odd-1">x</h3><h2 id="best-runs">Best runs</h2>1<h2 id="odder">z</h2>`)
	if main != `<p>first</p><h2 id="y">y</h2><h3 id="odd-1">x</h3><h2 id="odder">z</h2>` {
		t.Errorf("main: %s", main)
	}
	if side != `<h2 id="odd">Odd</h2><ul></ul><h2 id="best-runs">Best runs</h2>1` {
		t.Errorf("side: %s", side)
	}
	if main, side = Split(""); main+side != "" {
		t.Errorf("%q, %q", main, side)
	}
}

package grid

import (
	"strings"
	"testing"
)

// A mistake that only some point has is found before anything runs.
func TestExpressionOfOnePoint(t *testing.T) {
	err := mistakes("template: t.ipynb\ngrid:\n  a: {range: {from: 1, to: 50}}\n  b: [1, 2]\nderive: {c: '10 % (a - 37)'}")
	if err == nil || !strings.Contains(err.Error(), "sweep.yaml:5:13") || !strings.Contains(err.Error(), "where a = 37") {
		t.Errorf("error is %v", err)
	}
	err = mistakes("template: t.ipynb\ngrid: {a: [0, 1]}\nderive: {c: 1 / a}")
	if err == nil || !strings.Contains(err.Error(), "+Inf is not a value") {
		t.Errorf("error is %v", err)
	}
}

// A mistake beyond what is checked beforehand ends Points, and Count says so.
func TestExpressionOfALatePoint(t *testing.T) {
	g := mustGrid(t, "template: t.ipynb\ngrid:\n  a: {range: {from: 1, to: 400}}\n  b: {range: {from: 1, to: 400}}\nderive: {c: 10 % (a * 1000 + b - 350200)}\nwhere: c >= 0", nil)
	if _, err := g.Count(t.Context()); err == nil || !strings.Contains(err.Error(), "sweep.yaml:5:13") || !strings.Contains(err.Error(), "where a = 350, b = 200") {
		t.Errorf("Count says %v", err)
	}
	n := 0
	for range g.Points() {
		n++
	}
	if n != 349*400+199 || g.Err() == nil {
		t.Errorf("%d points, and Err says %v", n, g.Err())
	}
}

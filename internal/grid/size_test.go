package grid

import (
	"context"
	"os"
	"regexp"
	"testing"
	"time"
)

// millions are grids of a million points that must be counted quickly, in
// little memory, and give their first points at once.
var millions = map[string]struct {
	spec string
	want int
}{
	"include and exclude": {`
template: t.ipynb
grid:
  a: {range: {from: 1, to: 100}}
  b: {range: {from: 1, to: 100}}
  c: {range: {from: 1, to: 100}}
exclude: [{a: 3}, {b: 5, a: 7}, {c: 9, b: 2, a: 1}]
include: [{a: 1, d: 1}, {a: 1000, d: 2}, {a: 3, b: 1, c: 1}]
`, 1000000 - 10000 - 100 - 1 + 2},
	"one long axis": {`
template: t.ipynb
grid: {a: {range: {from: 1, to: 1000000}}}
exclude: [{a: 3}]
include: [{a: 0}]
`, 1000000},
	"where over every point": {`
template: t.ipynb
grid:
  a: {range: {from: 1, to: 1000}}
  b: {range: {from: 1, to: 1000}}
where: a != b
`, 999000},
	"derive and where on few": {`
template: t.ipynb
grid:
  a: {range: {from: 1, to: 10000}}
  b: [x, y]
  c: {range: {from: 1, to: 50}}
where: d != "y!"
derive: {d: b + "!"}
`, 500000},
	"three steps": {threeSteps + `
where: b != 7 and not (a == 3 and c > 50)
`, 2*(1000000-10000-99*50) + 100},
	"three steps, where over every point": {threeSteps + `
where: (a + b + c) % 7 != 0
`, 2*857144 + 100},
	"union": {`
template: t.ipynb
any_of:
  - grid: {a: {range: {from: 1, to: 1000}}, b: {range: {from: 1, to: 500}}}
  - grid: {a: {range: {from: 1, to: 1000}}, b: {range: {from: 500, to: 1000}}}
`, 1000000},
}

const threeSteps = `
steps:
  extract: {template: e.ipynb}
  report: {template: r.ipynb, needs: extract}
  end: {template: w.ipynb, needs: report, over: a}
grid:
  a: {range: {from: 1, to: 100}}
  b: {range: {from: 1, to: 100}}
  c: {range: {from: 1, to: 100}}
`

func TestMillion(t *testing.T) {
	for name, c := range millions {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			g := mustGrid(t, c.spec, nil)
			n := 0
			for range g.Points() {
				if n++; n == 10 {
					break
				}
			}
			first := time.Since(start)
			count, err := g.Count(context.Background())
			took := time.Since(start)
			if err != nil || count != c.want {
				t.Errorf("Count = %d, %v, want %d", count, err, c.want)
			}
			if n != 10 {
				t.Errorf("%d points, want the first ten", n)
			}
			t.Logf("first ten after %v, counted after %v", first, took)
			// The most memory this process ever had, where the system says it;
			// what it says to a parent would count the parent, too.
			if status, err := os.ReadFile("/proc/self/status"); err == nil {
				t.Logf("%s", regexp.MustCompile(`VmHWM:.*`).Find(status))
			}
		})
	}
}

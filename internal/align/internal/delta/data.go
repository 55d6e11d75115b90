package delta

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/fanout-dev/fanout/internal/align/internal/normal"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

// data compares JSON value by value.
func (c *comparer) data(a, b *normal.Part) {
	if b.What == "application/vnd.dataresource+json" {
		x, ok := resource(a.Text)
		if y, both := resource(b.Text); ok && both {
			c.table(b.What, x, y)
			return
		}
	}
	x, errX := value.Decode([]byte(a.Text))
	y, errY := value.Decode([]byte(b.Text))
	if errX != nil || errY != nil {
		c.lines(b.What, a.Text, b.Text)
		return
	}
	c.values(b.What, "", x, y)
}

func (c *comparer) values(what, path string, x, y any) {
	switch from := x.(type) {
	case map[string]any:
		if to, ok := y.(map[string]any); ok {
			c.objects(what, path, from, to)
			return
		}
	case []any:
		if to, ok := y.([]any); ok {
			c.lists(what, path, from, to)
			return
		}
	case json.Number:
		if to, ok := y.(json.Number); ok {
			f, g := float(from), float(to)
			if from != to && !near(f, g, c.tolerance) {
				c.moved(Delta{Output: what, Kind: Value, Where: path, From: string(from), To: string(to)}, f, g)
			}
			return
		}
	}
	if p, q := plain(x), plain(y); p != q {
		c.add(Delta{Output: what, Kind: Value, Where: path, From: p, To: q})
	}
}

func float(n json.Number) float64 {
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil && !math.IsInf(f, 0) {
		return math.NaN()
	}
	return f
}

func plain(v any) string {
	if text, ok := v.(string); ok {
		return text
	}
	b, err := json.Marshal(v)
	if err != nil {
		return "a value"
	}
	return string(b)
}

func (c *comparer) objects(what, path string, x, y map[string]any) {
	for _, key := range slices.Sorted(maps.Keys(y)) {
		at := key
		if path != "" {
			at = path + "." + key
		}
		if from, both := x[key]; both {
			c.values(what, at, from, y[key])
		} else {
			c.add(Delta{Output: what, Kind: Added, Where: at, To: plain(y[key])})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(x)) {
		if _, both := y[key]; !both {
			c.add(Delta{Output: what, Kind: Removed, Where: key, From: plain(x[key])})
		}
	}
}

// manyNumbers is from how many numbers that moved in one list they are one
// difference.
const manyNumbers = 3

func (c *comparer) lists(what, path string, x, y []any) {
	if len(x) != len(y) {
		c.add(Delta{Output: what, Kind: Shape, Where: path, From: unit.Plural(len(x), "value"), To: unit.Plural(len(y), "value")})
		return
	}
	moved, most, by := 0, 0, 0.0
	for i := range y {
		from, isNumber := x[i].(json.Number)
		to, isToo := y[i].(json.Number)
		if !isNumber || !isToo {
			continue
		}
		f, g := float(from), float(to)
		if from == to || near(f, g, c.tolerance) {
			continue
		}
		moved++
		if d := math.Abs(g - f); moved == 1 || d > by {
			most, by = i, d
		}
	}
	for i := range y {
		if _, isNumber := y[i].(json.Number); isNumber && moved >= manyNumbers {
			if _, both := x[i].(json.Number); both {
				continue
			}
		}
		c.values(what, path+"["+strconv.Itoa(i)+"]", x[i], y[i])
	}
	if moved >= manyNumbers {
		from, to := x[most].(json.Number), y[most].(json.Number)
		d := Delta{Output: what, Kind: Numbers, Where: path + "[" + strconv.Itoa(most) + "]", From: string(from), To: string(to), Count: moved}
		c.moved(d, float(from), float(to))
	}
}

package grid

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// A drawnSpec is a sweep file in parts that may be put together in any order.
type drawnSpec struct {
	head   string
	blocks []drawnBlock
	tail   string
}

// A drawnBlock is one way to say points: its word, and the lines below it.
type drawnBlock struct {
	word  string
	parts []string
	names []string
	first int // a value of the first name
}

func (s drawnSpec) text(t *rapid.T, shuffle bool) string {
	var b strings.Builder
	b.WriteString(s.head)
	for i, block := range s.blocks {
		parts := block.parts
		if shuffle {
			parts = rapid.Permutation(parts).Draw(t, fmt.Sprint("order", i))
		}
		if len(s.blocks) == 1 {
			fmt.Fprintf(&b, "%s: %s\n", block.word, wrap(block.word, parts))
			continue
		}
		if i == 0 {
			b.WriteString("any_of:\n")
		}
		fmt.Fprintf(&b, "  - %s: %s\n", block.word, wrap(block.word, parts))
	}
	b.WriteString(s.tail)
	return b.String()
}

func wrap(word string, parts []string) string {
	if word == "list" {
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

var drawnNames = []string{"a", "b", "c"}

// drawSpec draws a sweep file of every shape: one block or several, bundles,
// several templates, include, exclude, where, derive, sample, repeat. Values
// are few, so that much of it meets.
func drawSpec(t *rapid.T) drawnSpec {
	var s drawnSpec
	s.head = "template: t.ipynb\n"
	slots := rapid.Bool().Draw(t, "templates")
	if slots {
		s.head = "template: {axis: v, of: {p: p.ipynb, q: q.ipynb}}\n"
	}
	for range rapid.IntRange(1, 3).Draw(t, "blocks") {
		s.blocks = append(s.blocks, drawBlock(t))
	}
	var tail strings.Builder
	value := func() int { return rapid.IntRange(0, 3).Draw(t, "value") }
	var names []string
	for _, b := range s.blocks {
		names = append(names, b.names...)
	}
	name := func() string { return rapid.SampledFrom(names).Draw(t, "name") }
	if rapid.Bool().Draw(t, "include") {
		tail.WriteString("include:\n")
		for range rapid.IntRange(1, 3).Draw(t, "includes") {
			extra := rapid.SampledFrom([]string{"", ", e: 1", ", e: 2"}).Draw(t, "extra")
			fmt.Fprintf(&tail, "  - {%s: %d%s}\n", name(), value(), extra)
		}
	}
	if rapid.Bool().Draw(t, "exclude") {
		fmt.Fprintf(&tail, "exclude: [{%s: %d}]\n", names[0], s.blocks[0].first)
	}
	if rapid.Bool().Draw(t, "derive") {
		fmt.Fprintf(&tail, "derive: {d: '(%s ?? 0) * 10', dd: 'd + replicate'}\n", name())
	}
	if rapid.Bool().Draw(t, "where") {
		fmt.Fprintf(&tail, "where: '(%s ?? 1) != %d || replicate == 0'\n", name(), value())
	}
	if rapid.Bool().Draw(t, "sample") {
		fmt.Fprintf(&tail, "sample: {n: %d, seed: 3}\n", rapid.IntRange(1, 20).Draw(t, "n"))
	}
	tail.WriteString(rapid.SampledFrom([]string{"", "repeat: 2\n", "repeat: {n: 3, as: s}\n"}).Draw(t, "repeat"))
	s.tail = tail.String()
	return s
}

func drawBlock(t *rapid.T) drawnBlock {
	word := rapid.SampledFrom([]string{"grid", "grid", "zip", "list"}).Draw(t, "word")
	names := rapid.SliceOfNDistinct(rapid.SampledFrom(drawnNames), 1, 3, rapid.ID[string]).Draw(t, "names")
	rows := rapid.IntRange(1, 4).Draw(t, "rows")
	b := drawnBlock{word: word, names: names}
	var parts []string
	switch word {
	case "list":
		for range rows {
			var row []string
			for _, n := range names {
				if len(row) == 0 || rapid.Bool().Draw(t, "has") {
					b.first = rapid.IntRange(0, 3).Draw(t, "value")
					row = append(row, fmt.Sprintf("%s: %d", n, b.first))
				}
			}
			parts = append(parts, "{"+strings.Join(row, ", ")+"}")
		}
	case "zip":
		for _, n := range names {
			values := rapid.SliceOfN(rapid.IntRange(0, 3), rows, rows).Draw(t, n)
			if n == names[0] {
				b.first = values[0]
			}
			parts = append(parts, n+": "+list(values))
		}
	default:
		for i, n := range names {
			values := rapid.SliceOfNDistinct(rapid.IntRange(0, 3), 1, 3, rapid.ID[int]).Draw(t, n)
			if i == 0 {
				b.first = values[0]
			}
			if i > 0 && rapid.Bool().Draw(t, "bundle") {
				var labels []string
				for j, v := range values {
					labels = append(labels, fmt.Sprintf("l%d: {%s: %d}", j, n, v))
				}
				parts = append(parts, fmt.Sprintf("w%s: {bundle: {%s}}", n, strings.Join(labels, ", ")))
				continue
			}
			parts = append(parts, n+": "+list(values))
		}
	}
	b.parts = parts
	return b
}

func list(values []int) string {
	return "[" + strings.Trim(strings.ReplaceAll(fmt.Sprint(values), " ", ", "), "[]") + "]"
}

// expand lists the identities of a sweep file's points; ok is false when the
// file was drawn wrong (an exclude that matches nothing, and so on).
func expand(t *rapid.T, source string) (ids []string, ok bool) {
	s, err := Decode("s.yaml", []byte(source))
	if err != nil {
		return nil, false
	}
	declared := []Param{}
	for _, n := range []string{"a", "b", "c", "d", "dd", "e", "s"} {
		declared = append(declared, Param{Name: n, HasDefault: true, Default: mustValue(0)})
	}
	declared[1].Default = mustValue(0.5) // ints become floats there
	g, err := s.Grid(Inputs{AsOf: asOf, Declared: map[string][]Param{"": declared, "p": declared, "q": declared}})
	if err != nil {
		return nil, false
	}
	for p := range g.Points() {
		ids = append(ids, p.Identity())
	}
	if n, err := g.Count(t.Context()); err != nil || n != len(ids) {
		t.Fatalf("Count = %d, %v, and there are %d points of\n%s\n%s", n, err, len(ids), source, strings.Join(ids, "\n"))
	}
	if n, exact := g.Len(); n < len(ids) || exact && n != len(ids) {
		t.Fatalf("Len = %d, %v, and there are %d points of\n%s", n, exact, len(ids), source)
	}
	again := 0
	for p := range g.Points() {
		if p.Identity() != ids[again] {
			t.Fatalf("the second time, point %d is %s, not %s", again, p.Identity(), ids[again])
		}
		again++
	}
	return ids, true
}

// Each point is there once, Count says how many, and neither the order of axes
// nor that of rows changes which there are.
func TestLawsOfEveryShape(t *testing.T) {
	drawn, wrong := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		s := drawSpec(t)
		source := s.text(t, false)
		ids, ok := expand(t, source)
		if drawn++; !ok {
			wrong++
			return
		}
		sorted := slices.Sorted(slices.Values(ids))
		if len(slices.Compact(slices.Clone(sorted))) != len(ids) {
			t.Fatalf("a point is there twice in\n%s\n%s", source, strings.Join(ids, "\n"))
		}
		other, ok := expand(t, s.text(t, true))
		if !ok {
			t.Fatalf("in another order it is wrong:\n%s", source)
		}
		slices.Sort(other)
		if d := cmp.Diff(sorted, other); d != "" {
			t.Fatalf("another order makes other points:\n%s\n%s", source, d)
		}
	})
	if wrong*2 > drawn {
		t.Errorf("%d of %d files were drawn wrong", wrong, drawn)
	}
}

// A sample is a part of the whole, and of every larger sample.
func TestSamplesNest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSpec(t)
		s.tail = strings.ReplaceAll(s.tail, "sample:", "# sample:")
		n := rapid.IntRange(1, 10).Draw(t, "n")
		whole, ok := expand(t, s.text(t, false))
		if !ok {
			return
		}
		base := s.tail
		s.tail = base + fmt.Sprintf("sample: %d\n", n)
		small, _ := expand(t, s.text(t, false))
		s.tail = base + fmt.Sprintf("sample: %d\n", n+1)
		large, _ := expand(t, s.text(t, false))
		for _, id := range small {
			if !slices.Contains(large, id) {
				t.Fatalf("%s is in the sample of %d and not of %d of\n%s", id, n, n+1, s.text(t, false))
			}
		}
		for _, id := range large {
			if !slices.Contains(whole, id) {
				t.Fatalf("%s is in the sample and not in the whole", id)
			}
		}
	})
}

// What a point's identity says is all that its parameters say, whatever the
// spelling.
func TestSpellingIsNoIdentity(t *testing.T) {
	for _, same := range [][2]string{
		{"grid: {a: [1, 2]}", "grid: {a: [0x1, 0o2]}"},
		{"grid: {a: [1, 2], b: [0.1]}", "grid: {b: [1e-1], a: [1, 2]}"},
		{"grid: {a: [{x: 1, y: 2}]}", "grid: {a: [{y: 2, x: 1}]}"},
		{"zip: {a: [1, 2], b: [3, 4]}", "list: [{b: 3, a: 1}, {a: 2, b: 4}]"},
		{"grid: {b: [1.0, 2.0]}", "grid: {b: [1, 2]}"},
		{"grid: {a: [é]}", "grid: {a: [\"\\u00e9\"]}"},
		{"grid: {b: [0.1, 0.2, 0.3]}", "grid: {b: {range: {from: 0.1, to: 0.3, step: 0.1}}}"},
		{"parameters: {c: 1}\ngrid: {a: [1]}", "grid: {a: [1], c: [1]}"},
		{"grid: {v: {bundle: {l: {a: 1, b: 2}}}}", "grid: {a: [1], b: [2]}"},
		{"repeat: {n: 2, as: a}", "repeat: {n: 2, as: a}\nname: other\nkernel: python3\ntimeout: 1h\nparameters: {k: {secret: K}}"},
	} {
		declared := map[string][]Param{"": {{Name: "a"}, {Name: "b", Type: "float"}, {Name: "c"}, {Name: "k"}}}
		var ids [2][]string
		for i, text := range same {
			for p := range mustGrid(t, "template: t.ipynb\n"+text, declared).Points() {
				ids[i] = append(ids[i], p.Identity())
			}
			slices.Sort(ids[i])
		}
		if d := cmp.Diff(ids[0], ids[1]); d != "" {
			t.Errorf("%q and %q:\n%s", same[0], same[1], d)
		}
	}
}

func FuzzGrid(f *testing.F) {
	f.Add([]byte("template: t.ipynb\ngrid: {x: [1, 2], y: [a]}\nexclude: [{x: 1}]\ninclude: [{x: 3}, {z: 1}]"), uint8(2))
	f.Add([]byte("template: {axis: v, of: {a: t.ipynb, b: u.ipynb}}\nany_of: [{zip: {x: [1]}}, {list: [{x: 2}, {x: 2}]}]\nwhere: x > 1 && v == 'a'\nderive: {y: x + replicate}\nrepeat: 2"), uint8(1))
	f.Add([]byte("template: t.ipynb\ngrid: {d: {dates: {from: month_start-1mo, to: today, step: 1w, align: end, tz: Europe/Berlin, format: '%V'}}}\nsample: 3\nrepeat: {n: 2, as: s}"), uint8(0))
	f.Add([]byte("template: t.ipynb\ngrid: {w: {bundle: {a: {x: 1}, b: {x: 2, y: 3}}}, z: {logspace: {from: 1, to: 9, n: 3}}}\nbaseline: {w: a}\noverrides: [{match: {x: 1}, timeout: 5%}]\nplacement: {region: w}"), uint8(3))
	f.Fuzz(func(t *testing.T, text []byte, kind uint8) {
		s, err := Decode("sweep.yaml", text)
		if s == nil {
			return
		}
		in := Inputs{AsOf: asOf}
		if kind > 0 {
			var declared []Param
			for _, n := range []string{"x", "y", "z", "d", "s"} {
				declared = append(declared, Param{Name: n, Type: []string{"", "int", "float", "str"}[kind%4]})
			}
			in.Declared = map[string][]Param{"": declared, "a": declared}
		}
		g, gerr := s.Grid(in)
		if err != nil && gerr == nil {
			t.Fatalf("Grid forgets %v", err)
		}
		if gerr != nil {
			return
		}
		if n, _ := g.Len(); n > 20000 {
			return
		}
		seen := map[string]bool{}
		for p := range g.Points() {
			if seen[p.Identity()] {
				t.Fatalf("%s is there twice", p.Identity())
			}
			seen[p.Identity()] = true
			g.Settings(p)
			if _, err := g.Placement(p); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := g.Count(t.Context()); err != nil || n != len(seen) {
			t.Fatalf("Count = %d, %v, and there are %d points", n, err, len(seen))
		}
	})
}

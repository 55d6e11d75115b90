package draw

import (
	"encoding/xml"
	"io"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func points() []Point {
	return []Point{
		{"a", "<b>", "runs/a", []any{1.0, "eu", true}},
		{"b", "b", "runs/b", []any{int64(3), "us", nil}},
		{"c", "c", "runs/c", []any{2.0, nil, false}},
		{"d", "d", "", []any{math.NaN(), "eu", true}},
	}
}

func scale(t *testing.T, i int) Scale {
	t.Helper()
	s, ok := ScaleOf("n", "n <i>", points(), i)
	if !ok {
		t.Fatalf("axis %d is not drawn", i)
	}
	return s
}

// A value has the place that its size, or its text among all, gives it; what is
// none has no place.
func TestPlaces(t *testing.T) {
	numbers, texts, flags := scale(t, 0), scale(t, 1), scale(t, 2)
	for _, c := range []struct {
		s    Scale
		v    any
		want float64
	}{{numbers, 1.0, 0}, {numbers, int64(3), 1}, {numbers, 2, 0.5}, {texts, "eu", 0.25}, {texts, "us", 0.75}, {flags, true, 0.75}} {
		if at, ok := c.s.at(c.v); !ok || at != c.want {
			t.Errorf("%v is at %v, want %v", c.v, at, c.want)
		}
	}
	for _, v := range []any{nil, math.NaN(), math.Inf(1), "x"} {
		if at, ok := numbers.at(v); ok {
			t.Errorf("%v is at %v", v, at)
		}
	}
	huge := []Point{{Values: []any{-math.MaxFloat64}}, {Values: []any{math.MaxFloat64}}, {Values: []any{0.0}}}
	s, ok := ScaleOf("n", "n", huge, 0)
	if at, _ := s.at(0.0); !ok || at != 0.5 {
		t.Errorf("0 is at %v", at)
	}
	if _, ok := ScaleOf("n", "n", huge[:1], 0); ok {
		t.Error("one value is an axis")
	}
}

// What is drawn is XML, has no text as markup, draws every value that there is,
// and breaks a line where one is missing.
func TestDrawing(t *testing.T) {
	axes := []Scale{scale(t, 0), scale(t, 1), scale(t, 2)}
	lines := string(Lines(axes, points(), ColorsOf(axes[0], points(), 0)))
	dots := string(Dots(axes[0], axes[1], points(), nil, Panel{"one & all", 400, 300}))
	for _, text := range []string{lines, dots} {
		for d := xml.NewDecoder(strings.NewReader(text)); ; {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%v in %s", err, text)
			}
		}
		if strings.Contains(text, "<b>") || strings.Contains(text, "<i>") {
			t.Errorf("text is markup: %s", text)
		}
	}
	if n := strings.Count(lines, "<path"); n != 4 {
		t.Errorf("%d lines", n)
	}
	if !strings.Contains(lines, `data-run="c" d="M76 170.0M340 `) {
		t.Errorf("no gap where a value is missing: %s", lines)
	}
	if n := strings.Count(dots, "<circle"); n != 2 {
		t.Errorf("%d dots", n)
	}
}

// Numbers have the colour of their fifth, few texts one each, and many that of
// their place in the order; the key says which.
func TestColors(t *testing.T) {
	classes := func(c *Colors) (all []string) {
		for _, p := range points() {
			all = append(all, c.class(p))
		}
		return all
	}
	many := []Point{}
	for r := 'a'; r <= 'j'; r++ {
		many = append(many, Point{Values: []any{string(r)}})
	}
	letters, _ := ScaleOf("n", "n", many, 0)
	numbers, texts := ColorsOf(scale(t, 0), points(), 0), ColorsOf(scale(t, 1), points(), 1)
	if got := classes(numbers); !slices.Equal(got, []string{"q0", "q3", "q1", "none"}) {
		t.Errorf("numbers: %v", got)
	}
	if got := classes(texts); !slices.Equal(got, []string{"q0", "q4", "none", "q0"}) {
		t.Errorf("texts: %v", got)
	}
	if got := ColorsOf(letters, many, 0); got.class(many[0]) != "q0" || got.class(many[4]) != "q2" || got.class(many[9]) != "q4" {
		t.Errorf("many texts: %s %s %s", got.class(many[0]), got.class(many[4]), got.class(many[9]))
	}
	fifths := []Swatch{{"q0", ""}, {"q1", ""}, {"q2", ""}, {"q3", ""}, {"q4", ""}}
	for _, c := range []struct {
		colors *Colors
		want   Key
	}{
		{numbers, Key{fifths, "1", "3"}},
		{texts, Key{Swatches: []Swatch{{"q0", "eu"}, {"q4", "us"}}}},
		{ColorsOf(letters, many, 0), Key{fifths, "a", "j"}},
	} {
		if got := c.colors.Key(); !reflect.DeepEqual(got, c.want) {
			t.Errorf("key %v, want %v", got, c.want)
		}
	}
}

// Some of many are spread over all.
func TestSome(t *testing.T) {
	var all []int
	for i := range 1000 {
		all = append(all, i)
	}
	some := Some(all, 10)
	if len(some) != 10 || some[0] != 0 || some[9] != 900 {
		t.Errorf("%v", some)
	}
}

package picture

import (
	"fmt"
	"image/color"
	"time"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/fanout-dev/fanout/internal/compare"
)

// MaxYears is how many years of a calendar are drawn: the last ones.
const MaxYears = 8

// A day is what is there of a date.
type day struct{ planned, used int }

// Calendar draws the days of an axis of dates, a column for each week from
// Monday down. years is how many there are.
func Calendar(v compare.Coverage) (p Picture, years int, err error) {
	days, all := daysOf(v)
	shown := all[max(0, len(all)-MaxYears):]
	p.PNG, err = paint(740, yearHeight*vg.Length(len(shown))+26, func(c draw.Canvas) {
		c.SetColor(color.White)
		c.Fill(c.Rectangle.Path())
		for i, y := range shown {
			drawYear(c, y, c.Max.Y-yearHeight*vg.Length(i), days)
		}
		drawKey(c)
	})
	return p, len(all), err
}

// daysOf adds up the places by date, and lists their years.
func daysOf(v compare.Coverage) (map[string]day, []int) {
	days, seen := map[string]day{}, map[int]bool{}
	first, last := 9999, 0
	for _, p := range v.Places {
		key := p.Name[:len(time.DateOnly)]
		d := days[key]
		days[key] = day{d.planned + p.Planned, d.used + p.Used}
		if t, err := time.Parse(time.DateOnly, key); err == nil {
			seen[t.Year()] = true
			first, last = min(first, t.Year()), max(last, t.Year())
		}
	}
	var years []int
	for y := first; y <= last; y++ {
		if seen[y] {
			years = append(years, y)
		}
	}
	return days, years
}

const (
	dayCell    = vg.Length(12.6)
	yearHeight = 7*dayCell + 30
	yearLeft   = vg.Length(48)
)

// drawYear draws a year below top: a column a week, Monday first.
func drawYear(c draw.Canvas, year int, top vg.Length, days map[string]day) {
	first := time.Date(year, time.January, 1, 0, 0, 0, 0, time.UTC)
	lead := (int(first.Weekday()) + 6) % 7
	c.FillText(write(11, ink, 0, 0), vg.Point{X: c.Min.X + 10, Y: top - 22 - dayCell}, fmt.Sprint(year))
	for t := first; t.Year() == year; t = t.AddDate(0, 0, 1) {
		place := lead + t.YearDay() - 1
		x := c.Min.X + yearLeft + dayCell*vg.Length(place/7)
		y := top - 20 - dayCell*vg.Length(place%7+1)
		if t.Day() == 1 {
			c.FillText(write(9, faint, 0, 0), vg.Point{X: x, Y: top - 16}, t.Format("Jan"))
		}
		drawDay(c, x, y, days[t.Format(time.DateOnly)])
	}
}

// drawDay fills a cell, with a sign for those who see no colour.
func drawDay(c draw.Canvas, x, y vg.Length, d day) {
	r := vg.Rectangle{Min: vg.Point{X: x, Y: y}, Max: vg.Point{X: x + dayCell - 1.6, Y: y + dayCell - 1.6}}
	var fill color.NRGBA
	switch {
	case d.planned == 0:
		fill = color.NRGBA{R: 0xf4, G: 0xf4, B: 0xf4, A: 0xff}
	case d.used == 0:
		fill = orange
	case d.used < d.planned:
		fill = amber
	default:
		fill = blue
	}
	c.SetColor(fill)
	c.Fill(r.Path())
	sign := draw.LineStyle{Color: color.White, Width: 1.4}
	left, right, low, high := r.Min.X+3, r.Max.X-3, r.Min.Y+3, r.Max.Y-3
	switch fill {
	case orange:
		c.StrokeLine2(sign, left, low, right, high)
		c.StrokeLine2(sign, left, high, right, low)
	case amber:
		c.StrokeLine2(sign, left, (low+high)/2, right, (low+high)/2)
	}
}

// drawKey says what the colours are, below the years.
func drawKey(c draw.Canvas) {
	x := c.Min.X + yearLeft
	for _, k := range []struct {
		day
		name string
	}{{day{1, 1}, "complete"}, {day{2, 1}, "some runs are missing"}, {day{1, 0}, "all are missing"}, {day{}, "not planned"}} {
		drawDay(c, x, c.Min.Y+8, k.day)
		c.FillText(write(9, ink, text.XLeft, text.YBottom), vg.Point{X: x + dayCell + 3, Y: c.Min.Y + 9}, k.name)
		x += face.Width(k.name) + dayCell + 20
	}
}

package render

import (
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/fanout-dev/fanout/internal/render/internal/markup"
	"github.com/fanout-dev/fanout/internal/unit"
)

// resource shows a table of the Frictionless kind, as pandas and nteract write
// it, of output i; false if it is none.
func (s *sheet) resource(raw json.RawMessage, i int) bool {
	top, _ := jsonOf(raw).(map[string]any)
	schema, _ := top["schema"].(map[string]any)
	fields, _ := schema["fields"].([]any)
	data, _ := top["data"].([]any)
	if len(fields) == 0 || top["data"] == nil {
		return false
	}
	const maxFields, maxRows = 200, 1000
	t := markup.Table{Head: make([][]markup.Cell, 1), Rows: len(data)}
	var names []string
	for _, f := range fields[:min(len(fields), maxFields)] {
		m, _ := f.(map[string]any)
		name, _ := m["name"].(string)
		names = append(names, name)
		t.Head[0] = append(t.Head[0], markup.Cell{Text: name, Header: true})
	}
	for _, row := range data[:min(len(data), maxRows)] {
		m, _ := row.(map[string]any)
		var cells []markup.Cell
		for _, name := range names {
			cells = append(cells, markup.Cell{Text: plainJSON(m[name])})
		}
		t.Body = append(t.Body, cells)
	}
	if len(fields) > maxFields {
		t.Note = fmt.Sprintf("Shown are the first %d of %d columns.", maxFields, len(fields))
	}
	s.WriteString(t.HTML())
	if i >= 0 && s.d.options.Table != nil {
		if address := s.d.options.Table(Part{Cell: s.cell, Output: i, MIME: typeResource}); address != "" {
			s.writef(`<p class="note"><a href="%s">Sort, filter, draw and download this table</a></p>`, address)
		}
	}
	return true
}

// plainJSON is a JSON value as the text of a cell.
func plainJSON(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return unit.Cut(v, 2000)
	case json.Number:
		return string(v)
	case bool:
		return strconv.FormatBool(v)
	}
	b, _ := json.Marshal(v)
	return unit.Cut(string(b), 2000)
}

// maxNodes is how much of a JSON value is shown.
const maxNodes = 2000

// tree shows a JSON value as a tree that folds, open where the output says so.
func (s *sheet) tree(raw json.RawMessage, meta map[string]any) bool {
	v := jsonOf(raw)
	if v == nil && strings.TrimSpace(string(raw)) != "null" {
		return false
	}
	options, _ := meta["application/json"].(map[string]any)
	open := meta["expanded"] == true || options["expanded"] == true
	left := maxNodes
	s.WriteString(`<div class="tree" tabindex="0">`)
	s.node("", v, open, 0, &left)
	s.WriteString(`</div>`)
	if left <= 0 {
		s.writef(`<p class="note">Shown are the first %d values.</p>`, maxNodes)
	}
	return true
}

func (s *sheet) node(name string, v any, open bool, depth int, left *int) {
	if *left--; *left <= 0 || depth > 50 {
		return
	}
	label := template.HTML("")
	if name != "" {
		label = template.HTML(`<span class="key">` + template.HTMLEscapeString(unit.Cut(unit.Line(name), 200)) + `</span> `)
	}
	begin := func(words string) {
		opened := ""
		if open || depth == 0 {
			opened = " open"
		}
		s.writef(`<details%s><summary>%s<span class="kind">%s</span></summary><ul>`, template.HTML(opened), label, words)
	}
	switch v := v.(type) {
	case map[string]any:
		begin(fmt.Sprintf("{%d}", len(v)))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			s.WriteString("<li>")
			s.node(k, v[k], open, depth+1, left)
			s.WriteString("</li>")
			if *left <= 0 {
				break
			}
		}
		s.WriteString("</ul></details>")
	case []any:
		begin(fmt.Sprintf("[%d]", len(v)))
		for i, e := range v {
			s.WriteString("<li>")
			s.node(strconv.Itoa(i), e, open, depth+1, left)
			s.WriteString("</li>")
			if *left <= 0 {
				break
			}
		}
		s.WriteString("</ul></details>")
	case string:
		s.writef(`%s<span class="s">"%s"</span>`, label, unit.Cut(v, 2000))
	case nil:
		s.writef(`%s<span class="k">null</span>`, label)
	default:
		s.writef(`%s<span class="m">%s</span>`, label, plainJSON(v))
	}
}

// maxPoints is how many points of a map are drawn.
const maxPoints = 50_000

// A geography collects the lines and points of GeoJSON.
type geography struct {
	lines                  [][][2]float64
	points                 [][2]float64
	n                      int
	west, south, east, top float64
}

// outline draws GeoJSON: its lines and points, and no map beneath them.
func (s *sheet) outline(raw json.RawMessage) bool {
	g := geography{west: math.Inf(1), south: math.Inf(1), east: math.Inf(-1), top: math.Inf(-1)}
	g.read(jsonOf(raw), 0)
	if g.n == 0 {
		return false
	}
	span := max(g.east-g.west, g.top-g.south, 1e-9)
	const size = 1000
	at := func(p [2]float64) string {
		return fmt.Sprintf("%.1f %.1f", (p[0]-g.west)/span*size, (g.top-p[1])/span*size)
	}
	s.writef(`<svg class="map" role="img" aria-label="outline of %d points" viewBox="-10 -10 %.1f %.1f">`, g.n, (g.east-g.west)/span*size+20, (g.top-g.south)/span*size+20)
	for _, line := range g.lines {
		var path []string
		for _, p := range line {
			path = append(path, at(p))
		}
		s.WriteString(`<path d="M` + strings.Join(path, "L") + `"/>`)
	}
	for _, p := range g.points {
		s.WriteString(`<path class="point" d="M` + at(p) + `h0"/>`)
	}
	s.WriteString(`</svg>`)
	if g.n >= maxPoints {
		s.writef(`<p class="note">Drawn are the first %d points.</p>`, maxPoints)
	}
	return true
}

func (g *geography) read(v any, depth int) {
	m, _ := v.(map[string]any)
	if m == nil || depth > 20 {
		return
	}
	for _, key := range []string{"features", "geometries"} {
		list, _ := m[key].([]any)
		for _, e := range list {
			g.read(e, depth+1)
		}
	}
	g.read(m["geometry"], depth+1)
	if kind, _ := m["type"].(string); m["coordinates"] != nil {
		g.coordinates(m["coordinates"], strings.Contains(kind, "Point"), 0)
	}
}

// coordinates reads a point, a line of points, or lists of these.
func (g *geography) coordinates(v any, points bool, depth int) {
	list, _ := v.([]any)
	if p, ok := g.point(v); ok && points {
		g.points = append(g.points, p)
		return
	}
	if depth > 5 || g.n >= maxPoints {
		return
	}
	var line [][2]float64
	for _, e := range list {
		if p, ok := g.point(e); ok && !points {
			line = append(line, p)
		} else {
			g.coordinates(e, points, depth+1)
		}
	}
	if len(line) > 0 {
		g.lines = append(g.lines, line)
	}
}

func (g *geography) point(v any) (p [2]float64, ok bool) {
	list, _ := v.([]any)
	if len(list) < 2 || g.n >= maxPoints {
		return p, false
	}
	for i := range p {
		n, isNumber := list[i].(json.Number)
		f, err := strconv.ParseFloat(string(n), 64)
		if !isNumber || err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
			return p, false
		}
		p[i] = f
	}
	g.n++
	g.west, g.east = min(g.west, p[0]), max(g.east, p[0])
	g.south, g.top = min(g.south, p[1]), max(g.top, p[1])
	return p, true
}

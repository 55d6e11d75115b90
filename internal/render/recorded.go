package render

import (
	"encoding/json"
	"fmt"
	"html/template"
	"strconv"
	"strings"

	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/render/internal/markup"
	"github.com/fanout-dev/fanout/internal/table/frame"
	"github.com/fanout-dev/fanout/internal/unit"
)

// scraps shows what an output recorded and does not show.
func (s *sheet) scraps(o *notebook.Output) {
	if !o.HoldsScraps() {
		return
	}
	scraps, _ := notebook.ScrapsOf(s.d.book.CodeCell(s.cell), *o)
	for _, sc := range scraps {
		switch {
		case !sc.HasData:
		case sc.IsFrame():
			s.recordedFrame(sc)
		default:
			s.writef(`<p class="scrap"><span>%s</span> = %s</p>`, unit.Line(sc.Name), recordedValue(sc.Data))
		}
	}
}

// recordedValue writes a value as people write numbers; the exact one is where one
// points at it.
func recordedValue(data json.RawMessage) any {
	text := string(data[:min(len(data), 2000)])
	if x, err := strconv.ParseFloat(text, 64); err == nil && strings.ContainsAny(text, ".eE") {
		if short := unit.Number(x); short != text {
			return template.HTML(fmt.Sprintf(`<data title="%[1]s" value="%[1]s">%[2]s</data>`, text, short)) // text is a number
		}
	}
	return unit.Cut(unit.Line(text), 400)
}

// recordedFrame shows a frame that an output recorded: its size, and its first rows
// unless the output shows it anyway.
func (s *sheet) recordedFrame(sc notebook.Scrap) {
	const maxColumns, maxRows = 50, 50
	g := (*frame.Glimpse)(nil)
	file, err := sc.Frame()
	if err == nil {
		g, err = frame.GlimpseOf(file, maxRows)
	}
	if err != nil {
		s.writef(`<p class="scrap"><span>%s</span>: a table that cannot be read: %s</p>`, unit.Line(sc.Name), unit.Cut(unit.Line(err.Error()), 400))
		return
	}
	s.writef(`<p class="scrap"><span>%s</span>: %s</p>`, unit.Line(sc.Name), g.String())
	switch {
	case sc.Display != nil || len(g.Names) == 0:
	case len(g.First) == 0:
		s.writef(`<p class="note">Its columns: %s.</p>`, unit.Cut(unit.Line(strings.Join(g.Names, ", ")), 2000))
	default:
		s.WriteString(tableOf(g, maxColumns).HTML())
	}
}

func tableOf(g *frame.Glimpse, maxColumns int) markup.Table {
	columns := min(len(g.Names), maxColumns)
	t := markup.Table{Head: make([][]markup.Cell, 1), Body: make([][]markup.Cell, len(g.First)), Rows: int(g.Rows)}
	if columns < len(g.Names) {
		t.Note = fmt.Sprintf("Shown are the first %d of %d columns.", columns, len(g.Names))
	}
	for i, name := range g.Names[:columns] {
		t.Head[0] = append(t.Head[0], markup.Cell{Text: unit.Cut(unit.Line(name), 200), Header: true})
		var column []float64
		for _, row := range g.First {
			if x, isNumber := row[i].(float64); isNumber {
				column = append(column, x)
			}
		}
		write := unit.Numbers(column...)
		for j, row := range g.First {
			text := unit.Cut(frame.Text(row[i]), 2000)
			if x, isNumber := row[i].(float64); isNumber {
				text = write(x)
			}
			t.Body[j] = append(t.Body[j], markup.Cell{Text: text})
		}
	}
	return t
}

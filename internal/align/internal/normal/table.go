package normal

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/table/frame"
	"github.com/fanout-dev/fanout/internal/value"
)

// maxRows is how many rows of a recorded table are compared value by value.
const maxRows = 2000

// tableText is a recorded frame as text: its size, the data resource of its rows,
// and, where these are not all, a digest of its file.
func tableText(s notebook.Scrap) string {
	file, err := s.Frame()
	if err != nil {
		return fmt.Sprintf("a table that cannot be read\n\n%x", sha256.Sum256(s.Data))
	}
	g, err := frame.GlimpseOf(file, maxRows)
	if err != nil {
		return fmt.Sprintf("a table that cannot be read\n\n%x", sha256.Sum256(file))
	}
	text := g.String() + "\n" + resource(g) + "\n"
	if !g.Whole() {
		text += fmt.Sprintf("%x", sha256.Sum256(file))
	}
	return text
}

// resource is a table as the MIME type of data resources has it.
func resource(g *frame.Glimpse) string {
	var b strings.Builder
	b.WriteString(`{"schema":{"fields":[`)
	for i, name := range g.Names {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"name":`)
		b.Write(value.AppendText(nil, name))
		b.WriteByte('}')
	}
	b.WriteString(`]},"data":[`)
	for i, row := range g.First {
		if i > 0 {
			b.WriteByte(',')
		}
		for j, v := range row {
			b.WriteByte(`{,`[min(j, 1)])
			b.Write(value.AppendText(nil, g.Names[j]))
			b.WriteByte(':')
			b.Write(cellJSON(v))
		}
		b.WriteByte('}')
	}
	b.WriteString(`]}`)
	return b.String()
}

// cellJSON tells texts from numbers, and numbers that JSON lacks are texts.
func cellJSON(v any) []byte {
	switch v := v.(type) {
	case nil:
		return []byte("null")
	case string:
		return value.AppendText(nil, v)
	}
	if text := frame.Text(v); json.Valid([]byte(text)) {
		return []byte(text)
	}
	return value.AppendText(nil, frame.Text(v))
}

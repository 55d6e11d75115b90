package frame

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/fanout-dev/fanout/internal/unit"
)

// Limits of what is read of a frame to show it. Of a larger one only its size and
// the names of its columns are shown.
const (
	glimpseBytes = 16 << 20 // of the file's values, unpacked
	glimpseText  = 4 << 20  // bytes of the rows as text
)

// A Glimpse is what people see of a frame.
type Glimpse struct {
	Rows  int64    // of the whole frame
	Names []string // of its columns
	First [][]any  // its first rows, as in ReadRows; none where their values cannot be shown
}

// GlimpseOf reads the size of a frame, and at most most of its rows. Like Check it
// may be given a hostile file.
func GlimpseOf(file []byte, most int) (g *Glimpse, err error) {
	defer recovered("read frame", &err)
	r, size := bytes.NewReader(file), int64(len(file))
	f, err := Open(r, size)
	if err != nil {
		return nil, err
	}
	g = &Glimpse{Rows: f.file.NumRows(), Names: f.names()}
	if g.Rows < 0 {
		return nil, fmt.Errorf("read frame: it says it has %d rows", g.Rows)
	}
	if f.check(r, size, glimpseBytes) == nil && len(f.changed()) == 0 {
		g.First = f.first(most)
	}
	return g, nil
}

// first are at most most rows, fewer where they are long, and none of a frame that
// cannot be read.
func (f *File) first(most int) (rows [][]any) {
	left := glimpseText
	err := f.each(func(row []any) bool {
		for _, v := range row {
			left -= len(Text(v)) + 1
		}
		if len(rows) < most && left >= 0 {
			rows = append(rows, row)
			return true
		}
		return false
	})
	if err != nil {
		return nil
	}
	return rows
}

// String is "a table of 24 rows and 3 columns".
func (g *Glimpse) String() string {
	return fmt.Sprintf("a table of %s and %s", unit.Plural(int(g.Rows), "row"), unit.Plural(len(g.Names), "column"))
}

// Whole reports whether the first rows are all.
func (g *Glimpse) Whole() bool { return int64(len(g.First)) == g.Rows }

// Text is a value of a row in all its digits; that of nil is empty.
func Text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		if math.Abs(v) >= 1e-5 && math.Abs(v) < 1e15 {
			return strconv.FormatFloat(v, 'f', -1, 64)
		}
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	text, err := json.Marshal(v)
	if err != nil { // JSON has no NaN
		return fmt.Sprint(v)
	}
	return string(text)
}

package delta

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/align/internal/normal"
	"github.com/fanout-dev/fanout/internal/notebook"
	tables "github.com/fanout-dev/fanout/internal/table"
)

// recorded are the parts of what glue("by_hour", data) displays.
func recorded(t *testing.T, encoder string, data any) []normal.Part {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"name": "by_hour", "data": data, "encoder": encoder, "version": 1})
	if err != nil {
		t.Fatal(err)
	}
	return normal.Parts([]notebook.Output{{Type: "display_data", Data: map[string]json.RawMessage{"application/scrapbook.scrap." + encoder + "+json": raw}}}, nil)
}

func recordedTable(t *testing.T, second string, rows int, change func([][]any)) []normal.Part {
	t.Helper()
	var values [][]any
	for i := range rows {
		values = append(values, []any{`a "shop" <b>`, float64(i)})
	}
	if change != nil {
		change(values)
	}
	built, err := tables.Build([]tables.ColumnSpec{{Name: "shop", Type: tables.String}, {Name: second, Type: tables.Float}}, values)
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := built.WriteParquet(&file); err != nil {
		t.Fatal(err)
	}
	return recorded(t, "pandas", base64.StdEncoding.EncodeToString(file.Bytes()))
}

// Tables that were recorded are compared as tables.
func TestRecordedTables(t *testing.T) {
	of := func(rows int, change func([][]any)) []normal.Part { return recordedTable(t, "revenue", rows, change) }
	base := of(24, nil)
	damaged := recorded(t, "pandas", "UEFSMRUEFYADFdYB")
	for name, c := range map[string]struct {
		a, b []normal.Part
		want []Delta
	}{
		"equal":    {base, of(24, nil), nil},
		"a number": {base, of(24, func(v [][]any) { v[4][1] = 8. }), []Delta{{Kind: Cell, Where: "row 5, revenue", From: "4", To: "8", Change: 4, Share: 1}}},
		"a text":   {base, of(24, func(v [][]any) { v[0][0] = "b" }), []Delta{{Kind: Cell, Where: "row 1, shop", From: `a "shop" <b>`, To: "b"}}},
		"nothing":  {base, of(24, func(v [][]any) { v[0][0] = nil }), []Delta{{Kind: Cell, Where: "row 1, shop", From: `a "shop" <b>`, To: "null"}}},
		"a row":    {base, of(25, nil), []Delta{{Kind: Shape, From: "a table of 24 rows and 2 columns", To: "a table of 25 rows and 2 columns"}}},
		"a column": {base, recordedTable(t, "profit", 24, nil), []Delta{{Kind: Added, Where: "column profit"}, {Kind: Removed, Where: "column revenue"}}},
		"far down": {of(3000, nil), of(3000, func(v [][]any) { v[2999][1] = 0. }), []Delta{{Kind: Markup, Where: "the bytes of its file"}}},
		"damaged":  {base, damaged, []Delta{{Kind: Shape, From: "a table of 24 rows and 2 columns", To: "a table that cannot be read"}}},
		"missing":  {base, nil, []Delta{{Kind: Removed, From: "a table of 24 rows and 2 columns"}}},
		"a value":  {base, recorded(t, "json", 5), []Delta{{Kind: Shape, From: "a table of 24 rows and 2 columns", To: "5"}}},
	} {
		for i := range c.want {
			c.want[i].Output = "scrap by_hour"
		}
		got, _ := Of(c.a, c.b, 0)
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		if same := normal.Digest(c.a) == normal.Digest(c.b); same != (len(c.want) == 0) {
			t.Errorf("%s: equal digests: %v", name, same)
		}
	}
}

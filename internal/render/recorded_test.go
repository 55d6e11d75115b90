package render

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/internal/table"
)

// recordedTable is what glue("by_hour", frame) displays.
func recordedTable(t *testing.T, rows int) bundle {
	t.Helper()
	var values [][]any
	for i := range rows {
		values = append(values, []any{int64(i), fmt.Sprintf("shop <%d>", i), 1000*float64(i) + 0.1 + 0.2})
	}
	built, err := table.Build([]table.ColumnSpec{{Name: "hour", Type: table.Int}, {Name: "shop", Type: table.String}, {Name: "revenue", Type: table.Float}}, values)
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := built.WriteParquet(&file); err != nil {
		t.Fatal(err)
	}
	return recordedAs("by_hour", base64.StdEncoding.EncodeToString(file.Bytes()), "pandas")
}

func recordedAs(name string, data any, encoder string) bundle {
	return bundle{"application/scrapbook.scrap." + encoder + "+json": bundle{"name": name, "data": data, "encoder": encoder, "version": 1}}
}

// What a notebook recorded is shown as what it is: a frame as a table, a number as
// people write it, and base64 nowhere.
func TestRecorded(t *testing.T) {
	label := map[string]any{"scrapbook": bundle{"name": "by_hour", "data": true, "display": true}}
	displayed := recordedTable(t, 3)
	displayed["text/html"] = "<table><tr><td>as displayed</td></tr></table>"
	damaged := recordedTable(t, 3)
	damaged["application/scrapbook.scrap.pandas+json"].(bundle)["data"] = "UEFSMRUEFYADFdYB"
	for name, c := range map[string]struct {
		output   any
		has, not []string
	}{
		"a frame": {shows(recordedTable(t, 3)), []string{
			`<span>by_hour</span>: a table of 3 rows and 3 columns`, `<th class="n">hour</th><th>shop</th><th class="n">revenue</th>`,
			`<td class="n">2</td><td>shop &lt;2&gt;</td><td class="n">2000.3</td>`}, []string{"Shown are"}},
		"a long frame": {shows(recordedTable(t, 51)), []string{"a table of 51 rows and 3 columns", "shop &lt;49&gt;", "Shown are the first 50 of 51 rows."}, []string{"shop &lt;50&gt;"}},
		"no rows":      {shows(recordedTable(t, 0)), []string{"a table of 0 rows and 3 columns", "Its columns: hour, shop, revenue."}, []string{"<table"}},
		"displayed":    {shows(displayed, label), []string{"a table of 3 rows and 3 columns", "as displayed"}, []string{"shop"}},
		"damaged":      {shows(damaged), []string{"<span>by_hour</span>: a table that cannot be read: read frame"}, []string{"UEFS"}},
		"no base64":    {shows(recordedAs("by_hour", bundle{"a": 1}, "pandas")), []string{"a table that cannot be read: a frame must be base64 text of a Parquet file"}, nil},
		"a number":     {shows(recordedAs("revenue", 72439.95999999999, "json")), []string{`<span>revenue</span> = <data title="72439.95999999999" value="72439.95999999999">72440</data>`}, nil},
		"an integer":   {shows(recordedAs("rows", 12345678, "json")), []string{"<span>rows</span> = 12345678<"}, nil},
		"a text":       {shows(recordedAs("note", "1.50", "text")), []string{`<span>note</span> = &#34;1.50&#34;<`}, nil},
	} {
		page := rendered(book(t, nil, sketch{Source: "glue()", Outputs: []any{c.output}}), Options{NoCode: true})
		for _, want := range c.has {
			if !strings.Contains(page, want) {
				t.Errorf("%s: the page lacks %q:\n%s", name, want, page)
			}
		}
		for _, not := range append(c.not, "UEFSM", "not shown") {
			if strings.Contains(page, not) {
				t.Errorf("%s: the page says %q:\n%s", name, not, page)
			}
		}
	}
}

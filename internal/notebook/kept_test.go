package notebook

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func scrapOutput(name, value string) Output {
	return Output{Type: "display_data", Metadata: map[string]any{},
		Data: map[string]json.RawMessage{"application/scrapbook.scrap.json+json": json.RawMessage(`{"name":"` + name + `","data":` + value + `,"encoder":"json","version":1}`)}}
}

// keeping is an executed notebook that kept a scrap aside.
func keeping(t *testing.T) *Notebook {
	t.Helper()
	at := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	one := 1
	n := &Notebook{Metadata: map[string]any{}, Minor: 5, Cells: []*Cell{{Type: "code", ID: "a", Source: "x", Metadata: map[string]any{}}}}
	n.BeginRun(at)
	n.BeginCell(0, at)
	c := n.Cells[0]
	c.StampExecution(StampInput, at)
	c.ExecutionCount = &one
	c.Outputs = []Output{scrapOutput("v", "2"), {Type: "stream", Name: "stdout", Text: "x"}, scrapOutput("w", "4")}
	c.Keep([]Kept{
		{Before: 0, Times: 1, Output: scrapOutput("v", "1")}, {Before: 1, Times: 3, Output: scrapOutput("w", "3")},
		{Before: 2, Times: 1, Output: scrapOutput("z", `"text"`)}, {Before: 2, Lost: "no room", Names: []string{"big"}},
	})
	b := n.Encode()
	saved, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	return saved
}

func valuesOf(n *Notebook) string {
	scraps, _ := n.Scraps()
	var all []string
	for _, s := range scraps {
		all = append(all, s.Name+"="+string(s.Data))
	}
	return strings.Join(all, " ")
}

func TestKeptScrapsAreRead(t *testing.T) {
	n := keeping(t)
	if got, want := valuesOf(n), `v=2 w=4 z="text"`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	_, problems := n.Scraps()
	var got []string
	for _, p := range problems {
		got = append(got, p.Kind+" "+p.Name+": "+p.Detail)
	}
	want := "lost_scrap big: no room|duplicate_scrap v: it was recorded 2 times; the last value counts|duplicate_scrap w: it was recorded 4 times; the last value counts"
	if strings.Join(got, "|") != want {
		t.Errorf("%q", got)
	}
}

// TestKeptScrapsAreOfThisExecution: what other tools take away loses nothing, and
// what they execute anew is not mixed with what was before.
func TestKeptScrapsAreOfThisExecution(t *testing.T) {
	two := 2
	for name, tc := range map[string]struct {
		edit func(n *Notebook, c *Cell)
		want string
	}{
		"untouched":                   {func(*Notebook, *Cell) {}, `v=2 w=4 z="text"`},
		"other metadata removed":      {func(n *Notebook, c *Cell) { delete(n.Metadata, "fanout"); c.Metadata["collapsed"] = true }, `v=2 w=4 z="text"`},
		"times and counts stripped":   {func(n *Notebook, c *Cell) { delete(c.Metadata, "execution"); c.ExecutionCount = nil }, `v=2 w=4 z="text"`},
		"copied":                      {func(n *Notebook, c *Cell) { *n = *n.Clone() }, `v=2 w=4 z="text"`},
		"executed by nbclient":        {func(n *Notebook, c *Cell) { c.StampExecution(StampInput, time.Now()) }, `v=2 w=4`},
		"executed in a browser":       {func(n *Notebook, c *Cell) { delete(c.Metadata, "execution"); c.ExecutionCount = &two }, `v=2 w=4`},
		"executed by papermill":       {func(n *Notebook, c *Cell) { c.papermill()["start_time"] = "2026-02-01T00:00:00+00:00" }, `v=2 w=4`},
		"executed by fanout":          {func(n *Notebook, c *Cell) { n.BeginRun(time.Now()) }, ``},
		"foreign metadata in its key": {func(n *Notebook, c *Cell) { c.Metadata["fanout"].(map[string]any)["scraps"] = []any{1} }, `v=2 w=4`},
	} {
		n := keeping(t)
		tc.edit(n, n.Cells[0])
		if got := valuesOf(n); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}

// TestScrapsInSavedWidgets: other programs leave what an Output widget took in the
// state of the widget alone.
func TestScrapsInSavedWidgets(t *testing.T) {
	const scrap = `{"output_type":"display_data","metadata":{"scrapbook":{"name":"NAME","data":true,"display":false}},"data":{"application/scrapbook.scrap.json+json":{"name":"NAME","data":VALUE,"encoder":"json","version":1}}}`
	holds := func(model, name string, values ...string) string {
		var outputs []string
		for _, v := range values {
			outputs = append(outputs, strings.NewReplacer("NAME", name, "VALUE", v).Replace(scrap))
		}
		return `{"model_name":"` + model + `","model_module":"@jupyter-widgets/output","state":{"outputs":[` + strings.Join(outputs, ",") + `]}}`
	}
	doc := `{"nbformat":4,"nbformat_minor":5,"cells":[{"cell_type":"code","id":"a","metadata":{},"source":"x","execution_count":1,"outputs":[` +
		strings.NewReplacer("NAME", "shown", "VALUE", "1").Replace(scrap) + `]}],"metadata":{"widgets":{"application/vnd.jupyter.widget-state+json":{"version_major":2,"version_minor":0,"state":{` +
		`"a":` + holds("OutputModel", "v", "1", "2") + `,"b":` + holds("OutputModel", "shown", "7") + `,"c":` + holds("TabModel", "no", "1") + `,"d":{"model_name":"OutputModel","state":7}}}}}}`
	n, err := Decode([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := valuesOf(n), "shown=1 v=2"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

package serve

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

const resourceType = "application/vnd.dataresource+json"

// resourceOf is a table of data with rows, as pandas writes it.
func resourceOf(t testing.TB, rows int) json.RawMessage {
	t.Helper()
	var data []any
	for i := range rows {
		data = append(data, map[string]any{"index": i, "port": []string{"Brest", "Cuxhaven", "Dover"}[i%3], "tide": json.Number(fmt.Sprintf("%d.25", i)), "spring": i%2 == 0, "at": nil})
	}
	var fields []any
	for _, f := range []string{"index:integer", "port:string", "tide:number", "spring:boolean", "at:datetime"} {
		name, kind, _ := strings.Cut(f, ":")
		fields = append(fields, map[string]any{"name": name, "type": kind})
	}
	raw, err := json.Marshal(map[string]any{"schema": map[string]any{"fields": fields, "primaryKey": []string{"index"}}, "data": data})
	must(t, err)
	return raw
}

// withTable writes a notebook whose first code cell shows a table of data, and whose
// second shows what is none.
func withTable(t testing.TB, file string, rows int) {
	t.Helper()
	show := func(raw json.RawMessage) []any {
		return []any{map[string]any{"output_type": "display_data", "metadata": map[string]any{}, "data": map[string]any{resourceType: raw, "text/plain": "table"}}}
	}
	cell := func(id string, outputs []any) map[string]any {
		return map[string]any{"cell_type": "code", "id": id, "metadata": map[string]any{}, "execution_count": 1, "source": "frame", "outputs": outputs}
	}
	text, err := json.Marshal(map[string]any{"nbformat": 4, "nbformat_minor": 5, "metadata": map[string]any{}, "cells": []any{cell("a", show(resourceOf(t, rows))), cell("b", show(json.RawMessage(`{"schema": {}}`)))}})
	must(t, err)
	must(t, os.WriteFile(file, text, 0o666))
}

var exploreLink = regexp.MustCompile(`<a href="([^"]+)">Sort, filter, draw and download this table</a>`)

// exploresTable asks questions about the table of resourceOf.
func exploresTable(t *testing.T, s *Server, page, name string) {
	t.Helper()
	_, _, body := get(s, page)
	found := exploreLink.FindAllStringSubmatch(body, -1)
	if len(found) != 1 {
		t.Fatalf("%d links to tables in %s", len(found), page)
	}
	link := html.UnescapeString(found[0][1])
	code, _, body := get(s, link)
	if code != http.StatusOK || !strings.Contains(body, name+": 450 rows") || !strings.Contains(body, "Page 1 of 3") || !strings.Contains(body, `class="histogram"`) || !strings.Contains(body, "Brest <span") {
		t.Errorf("%s: %d %.3000s", link, code, body)
	}
	var v struct {
		Total, Of int
		Columns   []struct {
			Name, Type string
			Nulls      int
		}
		Rows [][]any
	}
	_, _, body = get(s, "/api/v1"+link+"?f.port=%3DDover&f.tide=%3E300&sort=-tide")
	must(t, json.Unmarshal([]byte(body), &v))
	if v.Total != 50 || v.Of != 450 || fmt.Sprint(v.Rows[0]) != "[449 Dover 449.25 false <nil>]" {
		t.Errorf("%s: %d of %d, first %v", link, v.Total, v.Of, v.Rows[0])
	}
	for i, want := range []string{"index number 0", "port text 0", "tide number 0", "spring boolean 0", "at empty 50"} {
		if got := fmt.Sprint(v.Columns[i].Name, " ", v.Columns[i].Type, " ", v.Columns[i].Nulls); got != want {
			t.Errorf("column %s, want %s", got, want)
		}
	}
	if code, _, body := get(s, link+"?x=index&y=tide&color=port"); code != http.StatusOK || !strings.Contains(body, "450 dots") && strings.Count(body, "<circle") < 400 {
		t.Errorf("drawn: %d, %d circles", code, strings.Count(body, "<circle"))
	}
	code, h, body := get(s, link+"?as=csv&f.tide=2..4")
	if lines := strings.Split(strings.TrimSpace(body), "\n"); code != http.StatusOK || len(lines) != 3 || strings.TrimSpace(lines[1]) != "2,Dover,2.25,true," || !strings.Contains(h.Get("Content-Disposition"), "Table%20of%20cell") {
		t.Errorf("CSV: %d %v %q", code, h, body)
	}
	if code, _, body := get(s, link+"?as=parquet"); code != http.StatusOK || !strings.HasPrefix(body, "PAR1") {
		t.Errorf("Parquet: %d %.20q", code, body)
	}
	for _, part := range []string{"9-0-table", "1-9-table", "code0-0-table", "999999-999999-table", "x"} {
		if code, _, _ := get(s, regexp.MustCompile(`\d-0-table`).ReplaceAllString(link, part)); code != http.StatusNotFound {
			t.Errorf("%s: %d", part, code)
		}
	}
}

// A table of data that a notebook shows is explored as a table of the results is.
func TestTablesInNotebooks(t *testing.T) {
	dir := t.TempDir()
	withTable(t, filepath.Join(dir, "a b.ipynb"), 450)
	sw := planSweep(t, store.Dir(filepath.Join(dir, "tides.sweep")), fmt.Sprintf(sweepFile, 1))
	run := sw.Runs()[0].Run
	_, doc, err := sw.TemplateOf(t.Context(), run)
	must(t, err)
	last := doc.Cells[len(doc.Cells)-1]
	last.Outputs = append(last.Outputs, notebook.Output{Type: "display_data", Metadata: map[string]any{}, Data: map[string]json.RawMessage{resourceType: resourceOf(t, 450)}})
	a, err := sw.Lease().Begin(t.Context(), run.ID, sweep.Began{Host: "here"})
	must(t, err)
	must(t, a.End(t.Context(), doc, outcome.Outcome{Status: outcome.Succeeded, Start: a.At, End: a.At, Fingerprint: sw.Current(run)}, nil))
	must(t, sw.Lease().Release())
	s := serverOf(t, Access{}, dir)
	exploresTable(t, s, "/view/a%20b.ipynb", "Table of cell 1")
	exploresTable(t, s, "/s/"+idOf(t, s)+"/runs/"+run.ID, "Table of cell 2")
	if code, _, body := get(s, "/table/1-0-table/a%20b.ipynb"); code != http.StatusBadRequest || !strings.Contains(body, "cannot be explored") {
		t.Errorf("what is no table: %d %s", code, body)
	}
}

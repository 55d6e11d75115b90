package zeppelin_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/notebook/zeppelin"
)

const old = `{"name": "Sensors & *machines*", "paragraphs": [
 {"text": "%md\n## Heading", "result": {"code": "SUCCESS", "type": "HTML", "msg": "<h2>Heading</h2>"}},
 {"text": "%sql\nselect *", "config": {"editorHide": true}, "result": {"code": "SUCCESS", "type": "TABLE", "msg": "day\tx\tx\nmon\t1\tnull\ntue\t-2.5e3\t007\twide\n\n\na remark"}},
 {"text": "%sh ls", "result": {"code": "ERROR", "type": "TEXT", "msg": "ls: no\nmore\n"}},
 {"text": "", "status": "READY"}]}`

const current = `{"paragraphs": [
 {"title": "Shown", "config": {"title": true, "tableHide": true}, "text": "%spark.pyspark(pool=a)\nprint(1)", "results": {"code": "SUCCESS", "msg": [{"type": "TEXT", "data": "0\r1\r\n"}, {"type": "HTML", "data": "<b>2</b>"}, {"type": "TEXT", "data": ""}]}},
 {"text": "val x = 1", "results": {"code": "SUCCESS", "msg": [{"type": "IMG", "data": "iVBORw0KGgoAAAANSUhEUg=="}, {"type": "IMG", "data": "<no>"}, {"type": "TABLE", "data": ""}]}},
 {"text": "%python x", "results": {"code": "SUCCESS", "msg": []}}]}`

// A sketch is what matters of a cell, in a line.
func sketches(t *testing.T, n *notebook.Notebook) (all []string) {
	t.Helper()
	for _, c := range n.Cells {
		meta, _ := json.Marshal(c.Metadata)
		all = append(all, c.Type+" "+c.Source+" "+string(meta))
		for _, o := range c.Outputs {
			data, _ := json.Marshal(o.Data)
			all = append(all, strings.TrimSpace("  "+o.Type+" "+o.Text+o.Evalue+" "+string(data)))
		}
	}
	return all
}

func TestNotes(t *testing.T) {
	for name, c := range map[string]struct {
		text, language string
		want           []string
	}{
		"until 0.6": {old, "bash", []string{
			`markdown # Sensors \& \*machines\* {}`,
			`markdown ## Heading {}`,
			"code %sql\nselect * " + `{"jupyter":{"source_hidden":true}}`,
			`display_data  {"application/vnd.dataresource+json":{"data":[{"day":"mon","x":1},{"day":"tue","x":-2.5e3,"x (3)":"007"}],"schema":{"fields":[{"name":"day","type":"string"},{"name":"x","type":"number"},{"name":"x (3)","type":"string"}]}},"text/plain":"day\tx\tx\nmon\t1\tnull\ntue\t-2.5e3\t007\twide\n\n\na remark"}`,
			`code %sh ls {}`,
			`error ls: no null`,
		}},
		"since 0.7": {current, "python", []string{
			`markdown ### Shown {}`,
			"code %spark.pyspark(pool=a)\nprint(1) " + `{"jupyter":{"outputs_hidden":true}}`,
			"stream 0\n1\n null",
			`display_data  {"text/html":"\u003cb\u003e2\u003c/b\u003e"}`,
			`code val x = 1 {}`,
			`display_data  {"image/png":"iVBORw0KGgoAAAANSUhEUg=="}`,
			`stream <no> null`,
			`code %python x {}`,
		}},
	} {
		n, err := zeppelin.Read("a/note.json", []byte(c.text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d := cmp.Diff(c.want, sketches(t, n)); d != "" {
			t.Errorf("%s:\n%s", name, d)
		}
		if info, _ := n.Metadata["language_info"].(map[string]any); info["name"] != c.language {
			t.Errorf("%s: its language is %v, want %s", name, info["name"], c.language)
		}
	}
}

// What is no note says so, and a notebook is read as one.
func TestNoNotes(t *testing.T) {
	for _, text := range []string{`{}`, `[]`, `{"paragraphs": 1}`, `{"paragraphs": [`, ``} {
		if _, err := zeppelin.Read("x.zpln", []byte(text)); err == nil || !strings.Contains(err.Error(), "not a note of Zeppelin") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if n, err := zeppelin.Read("x.ipynb", []byte(`{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}`)); err != nil || n.Minor != 5 {
		t.Errorf("%+v, %v", n, err)
	}
}

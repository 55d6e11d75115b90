package notebook

import (
	"strings"
	"testing"
)

func digestDoc(t testing.TB) *Notebook {
	return mustDecode(t, []byte(`{"cells": [
 {"cell_type": "markdown", "id": "m", "metadata": {}, "source": "# Title"},
 {"cell_type": "code", "id": "p", "metadata": {"tags": ["parameters"]}, "source": "a = 1", "outputs": [], "execution_count": null},
 {"cell_type": "code", "id": "c", "metadata": {}, "source": "x = a\n  y", "outputs": [], "execution_count": null},
 {"cell_type": "raw", "id": "r", "metadata": {}, "source": "raw"}],
 "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}}, "nbformat": 4, "nbformat_minor": 5}`))
}

func TestDigests(t *testing.T) {
	for name, c := range map[string]struct {
		change     func(n *Notebook)
		code, text bool // what must change
	}{
		"saved by an editor": {func(n *Notebook) {
			n.Metadata["language_info"] = map[string]any{"name": "python", "version": "3.12.1"}
			n.Metadata["kernelspec"].(map[string]any)["language"] = "python"
			n.Metadata["widgets"] = map[string]any{}
			for i, c := range n.Cells {
				c.ID = strings.Repeat("x", i+1)
				c.Metadata["collapsed"] = true
				c.Metadata["jupyter"] = map[string]any{"source_hidden": true}
				if c.Type == "code" {
					c.Outputs = []Output{{Type: "stream", Text: "x"}}
					c.ExecutionCount = &i
				}
			}
		}, false, false},
		"executed": {func(n *Notebook) {
			if _, err := n.Prepare(PrepareOptions{Args: []Argument{{Name: "a", Value: 9}}}); err != nil {
				t.Fatal(err)
			}
			n.MarkFailure(Failure{Cell: 2})
		}, false, false},
		"trailing space": {func(n *Notebook) { n.Cells[2].Source = "x = a \t\r\n  y\n\n" }, false, false},
		"a blank cell": {func(n *Notebook) {
			n.Cells = append(n.Cells, &Cell{Type: "code", Source: " \n"}, &Cell{Type: "markdown"})
		}, false, false},
		"a slide tag":        {func(n *Notebook) { n.Cells[2].Metadata["tags"] = []any{"slide"} }, false, false},
		"no kernel":          {func(n *Notebook) { n.Metadata = map[string]any{} }, false, false},
		"code":               {func(n *Notebook) { n.Cells[2].Source = "x = b" }, true, false},
		"indentation":        {func(n *Notebook) { n.Cells[2].Source = "x = a\n y" }, true, false},
		"order":              {func(n *Notebook) { n.Cells[1], n.Cells[2] = n.Cells[2], n.Cells[1] }, true, false},
		"one cell less":      {func(n *Notebook) { n.Cells[1].Source += "\n" + n.Cells[2].Source; n.Cells[2].Source = "" }, true, false},
		"parameters tag":     {func(n *Notebook) { n.Cells[1].Metadata = nil }, true, false},
		"skip tag":           {func(n *Notebook) { n.Cells[2].Metadata["tags"] = []any{"skip-execution"} }, true, false},
		"language":           {func(n *Notebook) { n.Metadata["kernelspec"] = map[string]any{"name": "ir", "language": "R"} }, true, false},
		"Markdown":           {func(n *Notebook) { n.Cells[0].Source = "# New" }, false, true},
		"raw":                {func(n *Notebook) { n.Cells[3].Source = "new" }, false, true},
		"code made Markdown": {func(n *Notebook) { n.Cells[2].Type = "markdown" }, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := digestDoc(t), digestDoc(t)
			c.change(b)
			if changed := a.CodeDigest() != b.CodeDigest(); changed != c.code {
				t.Errorf("code digest changed: %v", changed)
			}
			if changed := a.TextDigest() != b.TextDigest(); changed != c.text {
				t.Errorf("text digest changed: %v", changed)
			}
		})
	}
	// Sweeps on disk hold these.
	if a := digestDoc(t); a.CodeDigest() != "f5bd9ecf0aa35631ba4632de395fdcca" || a.TextDigest() != "f23bde0d5603539d0f2c670b29190a55" {
		t.Errorf("digests are %s and %s", a.CodeDigest(), a.TextDigest())
	}
}

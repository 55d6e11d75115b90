// Package nbformat3 turns notebooks of nbformat 3 into such of 4.5, as nbformat
// does: worksheets are joined, heading cells become Markdown, old names of
// outputs become new ones. It works on decoded JSON, and checks no more than it
// needs: what comes out is for a decoder of nbformat 4 to judge.
package nbformat3

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/fanout-dev/fanout/internal/notebook/internal/dialect"
	"github.com/fanout-dev/fanout/internal/value"
)

// Upgrade changes the fields of a notebook of nbformat 3 in place. The error
// says why it is none.
func Upgrade(top map[string]any) error {
	cells := []any{}
	sheets, _ := top["worksheets"].([]any)
	for _, sheet := range sheets {
		m, _ := sheet.(map[string]any)
		old, _ := m["cells"].([]any)
		for _, c := range old {
			cell, ok := c.(map[string]any)
			if !ok {
				return errors.New("a cell is not an object")
			}
			cells = append(cells, upgradeCell(cell))
		}
	}
	for _, gone := range []string{"worksheets", "orig_nbformat", "orig_nbformat_minor"} {
		delete(top, gone)
	}
	if meta, ok := top["metadata"].(map[string]any); ok {
		delete(meta, "name")
	}
	top["cells"], top["nbformat"], top["nbformat_minor"] = cells, 4, 5
	return nil
}

func upgradeCell(c map[string]any) map[string]any {
	meta, ok := c["metadata"].(map[string]any)
	if !ok {
		meta = map[string]any{}
		c["metadata"] = meta
	}
	switch c["cell_type"] {
	case "code":
		delete(c, "language")
		if v, ok := c["collapsed"]; ok {
			meta["collapsed"] = v
		}
		delete(c, "collapsed")
		rename(c, "input", "source", "")
		rename(c, "prompt_number", "execution_count", nil)
		outputs, _ := c["outputs"].([]any)
		for _, o := range outputs {
			if m, ok := o.(map[string]any); ok {
				upgradeOutput(m)
			}
		}
	case "heading":
		c["cell_type"] = "markdown"
		level := 1
		if n, ok := c["level"].(json.Number); ok {
			if i, err := strconv.Atoi(string(n)); err == nil {
				level = i
			}
		}
		delete(c, "level")
		c["source"] = strings.Repeat("#", min(max(level, 0), 6)) + " " + strings.Join(dialect.SplitLines(JoinText(c["source"])), " ")
	case "html":
		c["cell_type"] = "markdown"
	}
	return c
}

func rename(m map[string]any, from, to string, missing any) {
	v, ok := m[from]
	if !ok {
		v = missing
	}
	delete(m, from)
	m[to] = v
}

// JoinText is a text or the texts of a list in one.
func JoinText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []any:
		var b strings.Builder
		for _, line := range v {
			s, _ := line.(string)
			b.WriteString(s)
		}
		return b.String()
	}
	return ""
}

// mimeOf3 are the MIME types by their names in nbformat 3.
var mimeOf3 = map[string]string{
	"text": "text/plain", "html": "text/html", "svg": "image/svg+xml", "png": "image/png", "jpeg": "image/jpeg",
	"latex": "text/latex", "json": "application/json", "javascript": "application/javascript",
}

func upgradeOutput(o map[string]any) {
	switch o["output_type"] {
	case "pyerr":
		o["output_type"] = "error"
	case "stream":
		rename(o, "stream", "name", "stdout")
	case "pyout":
		o["output_type"] = "execute_result"
		rename(o, "prompt_number", "execution_count", nil)
		moveData(o)
	case "display_data":
		moveData(o)
	}
}

// moveData moves what an output shows into its mime bundle.
func moveData(o map[string]any) {
	data := map[string]any{}
	for k, v := range o {
		switch k {
		case "output_type", "execution_count", "metadata":
			continue
		}
		delete(o, k)
		if mime, ok := mimeOf3[k]; ok {
			k = mime
		}
		data[k] = v
	}
	if text := JoinText(data["application/json"]); text != "" {
		if v, err := value.Decode([]byte(text)); err == nil {
			data["application/json"] = v
		}
	}
	meta, _ := o["metadata"].(map[string]any)
	for alias, mime := range mimeOf3 {
		if v, ok := meta[alias]; ok {
			delete(meta, alias)
			meta[mime] = v
		}
	}
	if meta == nil {
		meta = map[string]any{}
	}
	o["data"], o["metadata"] = data, meta
}

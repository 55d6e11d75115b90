// Package zeppelin reads notes of Apache Zeppelin as notebooks, so that they are shown
// wherever notebooks are.
//
// In go the bytes of note.json, or of a .zpln file, as Zeppelin 0.5 to 0.12 write them; out
// comes a notebook with a cell for each paragraph and tables as data, not as text. It reads
// notes only: no run has one, and none is written.
package zeppelin

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/fanout-dev/fanout/internal/notebook"
)

// IsNote reports whether a file is a note by its name.
func IsNote(name string) bool {
	return path.Base(name) == "note.json" || strings.HasSuffix(name, ".zpln")
}

// Read decodes what name says: a note, or else a Jupyter notebook.
func Read(name string, b []byte) (*notebook.Notebook, error) {
	if !IsNote(name) {
		return notebook.Decode(b)
	}
	return Decode(b)
}

type note struct {
	Name       string
	Paragraphs []paragraph
}

// A paragraph is a cell. What it put out is Result until Zeppelin 0.6, and
// Results since.
type paragraph struct {
	Title, Text, ID, Status string
	Config                  struct{ EditorHide, Title, TableHide bool }
	Result                  *struct{ Code, Type, Msg string }
	Results                 *struct {
		Code string
		Msg  []piece
	}
}

type piece struct{ Type, Data string }

// Decode decodes a note.
func Decode(b []byte) (*notebook.Notebook, error) {
	var n note
	if err := json.Unmarshal(b, &n); err != nil {
		return nil, fmt.Errorf("not a note of Zeppelin: %w", err)
	}
	if n.Paragraphs == nil {
		return nil, errors.New("not a note of Zeppelin: it has no paragraphs")
	}
	doc := &notebook.Notebook{Minor: 5, Metadata: map[string]any{}}
	if n.Name != "" {
		doc.Cells = append(doc.Cells, heading("#", n.Name))
	}
	languages := map[string]int{}
	for _, p := range n.Paragraphs {
		if p.Title != "" && p.Config.Title {
			doc.Cells = append(doc.Cells, heading("###", p.Title))
		}
		interpreter, code := p.parts()
		if interpreter == "md" || strings.HasSuffix(interpreter, ".md") {
			doc.Cells = append(doc.Cells, &notebook.Cell{Type: "markdown", Source: code, Metadata: map[string]any{}})
		} else if outputs := p.outputs(); code != "" || len(outputs) > 0 {
			doc.Cells = append(doc.Cells, p.cell(outputs))
			languages[language(interpreter)]++
		}
	}
	most := ""
	for l, times := range languages {
		if times > languages[most] || times == languages[most] && l < most {
			most = l
		}
	}
	doc.Metadata["language_info"] = map[string]any{"name": most}
	for i, c := range doc.Cells {
		c.ID = fmt.Sprintf("paragraph-%d", i)
	}
	return doc, nil
}

// heading is a cell with a text that is no markup.
func heading(level, text string) *notebook.Cell {
	var b strings.Builder
	for _, r := range strings.Join(strings.Fields(text), " ") {
		if strings.ContainsRune("\\`*_{}[]()<>#+-.!|~$&", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return &notebook.Cell{Type: "markdown", Source: level + " " + b.String(), Metadata: map[string]any{}}
}

// parts are the name of the interpreter, which the first line may give, and what it is
// given: "%spark.sql(a=b) select 1" is for spark.sql.
func (p paragraph) parts() (interpreter, code string) {
	text := strings.TrimSpace(p.Text)
	rest, named := strings.CutPrefix(text, "%")
	if !named {
		return "", text
	}
	end := strings.IndexFunc(rest, func(r rune) bool {
		return !(r == '.' || r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z')
	})
	if end < 0 {
		return rest, ""
	}
	interpreter, code = rest[:end], rest[end:]
	if _, after, is := strings.Cut(code, ")"); is && code[0] == '(' {
		code = after
	}
	return interpreter, strings.TrimSpace(code)
}

func language(interpreter string) string {
	_, last, _ := strings.Cut(interpreter, ".")
	for _, name := range []string{last, interpreter} {
		switch name {
		case "pyspark", "python", "ipyspark", "ipython":
			return "python"
		case "r", "sparkr", "ir":
			return "r"
		case "sql", "jdbc", "hive":
			return "sql"
		case "sh":
			return "bash"
		}
	}
	return "scala"
}

func (p paragraph) cell(outputs []notebook.Output) *notebook.Cell {
	c := &notebook.Cell{Type: "code", Source: strings.TrimSpace(p.Text), Metadata: map[string]any{}, Outputs: outputs}
	hidden := map[string]any{}
	if p.Config.EditorHide {
		hidden["source_hidden"] = true
	}
	if p.Config.TableHide {
		hidden["outputs_hidden"] = true
	}
	if len(hidden) > 0 {
		c.Metadata["jupyter"] = hidden
	}
	return c
}

func (p paragraph) outputs() (all []notebook.Output) {
	var pieces []piece
	code := ""
	if p.Result != nil {
		code, pieces = p.Result.Code, []piece{{p.Result.Type, p.Result.Msg}}
	}
	if p.Results != nil {
		code, pieces = p.Results.Code, p.Results.Msg
	}
	for _, x := range pieces {
		if strings.TrimSpace(x.Data) == "" {
			continue
		}
		if code == "ERROR" && (x.Type == "TEXT" || x.Type == "") {
			lines := strings.Split(strings.TrimRight(x.Data, "\n"), "\n")
			all = append(all, notebook.Output{Type: "error", Ename: "Error", Evalue: lines[0], Traceback: lines})
			continue
		}
		all = append(all, x.output())
	}
	return all
}

func (x piece) output() notebook.Output {
	shown := func(mime, text string) notebook.Output {
		return notebook.Output{Type: "display_data", Metadata: map[string]any{}, Data: map[string]json.RawMessage{mime: notebook.TextJSON(text)}}
	}
	switch x.Type {
	case "HTML", "ANGULAR":
		return shown("text/html", x.Data)
	case "SVG":
		return shown("image/svg+xml", x.Data)
	case "IMG":
		if mime := mimeOf(x.Data); mime != "" {
			return shown(mime, strings.TrimSpace(x.Data))
		}
	case "TABLE":
		if raw := table(x.Data); raw != nil {
			o := shown("text/plain", x.Data)
			o.Data["application/vnd.dataresource+json"] = raw
			return o
		}
	}
	return notebook.Output{Type: "stream", Name: "stdout", Text: ends.Replace(x.Data)}
}

// ends are what ends a line: in a note nothing is overwritten.
var ends = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// mimeOf tells what picture it is whose beginning this is in base64; "" is none.
func mimeOf(data string) string {
	head, _ := base64.StdEncoding.DecodeString(strings.TrimSpace(data)[:min(16, len(strings.TrimSpace(data)))/4*4])
	switch {
	case bytes.HasPrefix(head, []byte("\x89PNG")):
		return "image/png"
	case bytes.HasPrefix(head, []byte("\xff\xd8")):
		return "image/jpeg"
	case bytes.HasPrefix(head, []byte("GIF8")):
		return "image/gif"
	}
	return ""
}

// table is a table of lines and tabs, whose first line is its head, as a data resource; nil
// if there is no head. Two columns of one name are told apart by their numbers.
func table(text string) json.RawMessage {
	text, _, _ = strings.Cut(strings.TrimLeft(text, "\n"), "\n\n") // what follows is a remark
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	type field struct {
		Name string `json:"name"`
		Type string `json:"type"`
	}
	var fields []field
	taken := map[string]bool{}
	for i, name := range strings.Split(lines[0], "\t") {
		if name == "" || taken[name] {
			name = fmt.Sprintf("%s (%d)", name, i+1)
		}
		taken[name] = true
		fields = append(fields, field{name, "number"})
	}
	rows := make([][]string, 0, len(lines)-1)
	for _, line := range lines[1:] {
		row := strings.Split(line, "\t")
		for i := range min(len(row), len(fields)) {
			if !isNumber(row[i]) && row[i] != "null" {
				fields[i].Type = "string"
			}
		}
		rows = append(rows, row[:min(len(row), len(fields))])
	}
	data := make([]map[string]json.RawMessage, len(rows))
	for i, row := range rows {
		data[i] = map[string]json.RawMessage{}
		for j, v := range row {
			switch {
			case v == "null":
			case fields[j].Type == "number":
				data[i][fields[j].Name] = json.RawMessage(v)
			default:
				data[i][fields[j].Name] = notebook.TextJSON(v)
			}
		}
	}
	raw, err := json.Marshal(map[string]any{"schema": map[string]any{"fields": fields}, "data": data})
	if err != nil || lines[0] == "" {
		return nil
	}
	return raw
}

// isNumber reports whether JSON would write the number so.
func isNumber(text string) bool {
	_, err := strconv.ParseFloat(text, 64)
	return err == nil && json.Valid([]byte(text))
}

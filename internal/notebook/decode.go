package notebook

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/fanout-dev/fanout/internal/notebook/internal/nbformat3"
	"github.com/fanout-dev/fanout/internal/notebook/internal/pyjson"
	"github.com/fanout-dev/fanout/internal/value"
)

// Decode reads a notebook of nbformat 3 or 4 and upgrades it to 4.5. Cells
// without an id get one that depends on their text alone. A newer minor
// version is kept as it is.
//
// The notebook may share memory with b, which must not change afterwards. An
// error says line and column of what is wrong and may carry a Hint.
func Decode(b []byte) (*Notebook, error) {
	b = bytes.TrimPrefix(b, []byte("\ufeff"))
	n, err := decode(b)
	var syntax *value.SyntaxError
	if errors.As(err, &syntax) {
		return nil, placed(b, syntax)
	}
	return n, err
}

// A formatError is why bytes are not a notebook that we read.
type formatError struct{ msg, hint string }

func (e *formatError) Error() string { return e.msg }
func (e *formatError) Hint() string  { return e.hint }

func placed(b []byte, e *value.SyntaxError) error {
	before := b[:min(int(e.At), len(b))]
	line := bytes.Count(before, []byte("\n")) + 1
	col := utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
	if e.Ends {
		return &formatError{fmt.Sprintf("decode notebook: truncated: %s, line %d column %d", e.Msg, line, col),
			"the file was cut off while it was written or copied; take it from where it is whole"}
	}
	return &formatError{msg: fmt.Sprintf("decode notebook: line %d column %d: %s", line, col, e.Msg)}
}

func notNotebook(why string) error {
	return &formatError{"decode notebook: this is not a notebook: " + why, "give the path of a Jupyter notebook (.ipynb)"}
}

func decode(b []byte) (*Notebook, error) {
	if len(bytes.TrimSpace(b)) == 0 {
		return nil, notNotebook("it is empty")
	}
	if i := invalidUTF8(b); i >= 0 {
		return nil, &value.SyntaxError{At: int64(i), Msg: "this is not UTF-8"}
	}
	s := newScanner(b)
	if s.Peek() != '{' {
		return nil, notNotebook("it begins with " + s.Found())
	}
	d := decoder{s: s, n: &Notebook{}, top: map[string]any{}}
	if err := s.Object(d.field); err != nil {
		return nil, err
	}
	if err := s.End(); err != nil {
		return nil, err
	}
	return d.finish()
}

func invalidUTF8(b []byte) int {
	if utf8.Valid(b) {
		return -1
	}
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

type decoder struct {
	s        scanner
	n        *Notebook
	top      map[string]any // every field but the cells
	hasCells bool
}

func (d *decoder) field(key string) error {
	if key == "cells" {
		d.hasCells = true
		d.n.Cells = nil
		return d.s.Array(func() error {
			c, err := d.cell()
			d.n.Cells = append(d.n.Cells, c)
			if err == nil {
				err = d.s.Spend()
			}
			return err
		})
	}
	v, err := d.s.Any()
	d.top[key] = v
	return err
}

func (d *decoder) finish() (*Notebook, error) {
	major, ok := integer(d.top["nbformat"])
	if !ok {
		return nil, notNotebook("it has no field nbformat")
	}
	switch _, sheets := d.top["worksheets"]; {
	case major == 3 && sheets:
		return upgrade3(d.top)
	case major < 4:
		return nil, &formatError{fmt.Sprintf("decode notebook: nbformat %d is too old", major), "upgrade it: jupyter nbconvert --to notebook --inplace FILE"}
	case major > 4:
		return nil, &formatError{msg: fmt.Sprintf("decode notebook: nbformat %d is newer than this program", major)}
	case !d.hasCells:
		return nil, notNotebook("it has no cells")
	}
	n := d.n
	n.Minor, _ = integer(d.top["nbformat_minor"])
	n.Minor = max(n.Minor, 5)
	if n.Metadata, ok = d.top["metadata"].(map[string]any); !ok {
		n.Metadata = map[string]any{}
	}
	n.Metadata = without(n.Metadata, transientOfNotebook...)
	for _, known := range []string{"nbformat", "nbformat_minor", "metadata"} {
		delete(d.top, known)
	}
	if len(d.top) > 0 {
		n.Extra = d.top
	}
	n.nameCells()
	return n, nil
}

// upgrade3 makes a notebook of today of the fields of one of nbformat 3.
func upgrade3(top map[string]any) (*Notebook, error) {
	if err := nbformat3.Upgrade(top); err != nil {
		return nil, notNotebook(err.Error())
	}
	n, err := decode(pyjson.Encode(top))
	var syntax *value.SyntaxError
	if errors.As(err, &syntax) { // its place is in a text that nobody has seen
		return nil, &formatError{msg: "decode notebook: nbformat 3: " + syntax.Msg}
	}
	return n, err
}

// integer reads a small whole number.
func integer(v any) (int, bool) {
	switch v := v.(type) {
	case json.Number:
		n, err := strconv.Atoi(string(v))
		return n, err == nil
	case int:
		return v, true
	}
	return 0, false
}

// nameCells gives an id to every cell without one.
func (n *Notebook) nameCells() {
	used := map[string]bool{}
	for _, c := range n.Cells {
		if used[c.ID] {
			c.ID = ""
		}
		used[c.ID] = true
	}
	tries := map[string]int{}
	for _, c := range n.Cells {
		if c.ID == "" {
			text := c.Type + "\x00" + c.Source
			c.ID, tries[text] = freshID(used, text, tries[text])
			c.Touch()
		}
	}
}

// newID is an id that no cell has, made from text.
func (n *Notebook) newID(text string) string {
	used := map[string]bool{}
	for _, c := range n.Cells {
		used[c.ID] = true
	}
	id, _ := freshID(used, text, 0)
	return id
}

// freshID makes an id from text, and says how many tries that took, the earlier
// ones included. The same texts in the same order give the same ids.
func freshID(used map[string]bool, text string, earlier int) (id string, tries int) {
	for ; ; earlier++ {
		sum := sha256.Sum256([]byte(strconv.Itoa(earlier) + "\x00" + text))
		if id := hex.EncodeToString(sum[:4]); !used[id] {
			used[id] = true
			return id, earlier + 1
		}
	}
}

// A scanner reads the parts of a notebook.
type scanner struct{ *value.Scanner }

func newScanner(b []byte) scanner { return scanner{value.NewScanner(b)} }

// A span is a field of an object and the position of its value.
type span struct {
	key        string
	start, end int64
}

// spans lists the fields of the output at this position, and reads its mime
// bundle on the way.
func (s scanner) spans() (all []span, data map[string]json.RawMessage, err error) {
	err = s.Object(func(key string) (err error) {
		opens, start := s.Peek(), s.Offset()
		if key == "data" && opens == '{' {
			data, err = s.bundle()
		} else {
			err = s.Skip()
		}
		all = append(all, span{key, start, s.Offset()})
		return err
	})
	return all, data, err
}

// at is a scanner over the value of f.
func (s scanner) at(f span) scanner { return scanner{s.Section(f.start, f.end)} }

func (d *decoder) cell() (*Cell, error) {
	s, c := d.s, &Cell{}
	var ofCode []span // belongs only to code cells
	number := len(d.n.Cells) + 1
	err := s.Object(func(key string) (err error) {
		s.Peek()
		start := s.Offset()
		switch key {
		case "cell_type":
			c.Type, err = s.Text()
		case "id":
			c.ID, err = s.Text()
		case "source":
			c.Source, err = s.multiline()
		case "metadata":
			c.Metadata, err = s.optionalMap()
		case "attachments":
			c.Attachments, err = s.attachments()
		case "outputs":
			c.Outputs, err = s.outputs()
			ofCode = append(ofCode, span{key, start, s.Offset()})
		case "execution_count":
			c.ExecutionCount, err = s.count()
			ofCode = append(ofCode, span{key, start, s.Offset()})
		default:
			err = keep(&c.Extra, key, s)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if c.Type == "" {
		return nil, notNotebook(fmt.Sprintf("cell %d has no cell_type", number))
	}
	if c.Type != "code" {
		c.Outputs, c.ExecutionCount = nil, nil
		for _, f := range ofCode {
			if err := keep(&c.Extra, f.key, s.at(f)); err != nil {
				return nil, err
			}
		}
	}
	if c.Metadata == nil {
		c.Metadata = map[string]any{}
	}
	c.Metadata = without(c.Metadata, transientOfCell...)
	return c, nil
}

// keep stores a field that nbformat does not name.
func keep(extra *map[string]any, key string, s scanner) error {
	v, err := s.Any()
	if *extra == nil {
		*extra = map[string]any{}
	}
	(*extra)[key] = v
	return err
}

// multiline reads a text that may be written as a list of its lines.
func (s scanner) multiline() (string, error) {
	switch s.Peek() {
	case '[':
		var b strings.Builder
		err := s.Array(func() error {
			line, err := s.Text()
			b.WriteString(line)
			return err
		})
		return b.String(), err
	case 'n':
		err := s.Skip()
		return "", err
	}
	return s.Text()
}

// optionalMap reads an object; null is one without members.
func (s scanner) optionalMap() (map[string]any, error) {
	if s.Peek() == 'n' {
		err := s.Skip()
		return map[string]any{}, err
	}
	return s.Map()
}

// count reads an execution count; anything but a whole number counts as none.
func (s scanner) count() (*int, error) {
	v, err := s.Any()
	if n, ok := integer(v); ok {
		return &n, err
	}
	return nil, err
}

func (s scanner) attachments() (map[string]map[string]json.RawMessage, error) {
	files := map[string]map[string]json.RawMessage{}
	err := s.Object(func(name string) (err error) {
		files[name], err = s.bundle()
		return err
	})
	return files, err
}

func (s scanner) outputs() ([]Output, error) {
	if s.Peek() == 'n' {
		err := s.Skip()
		return nil, err
	}
	var all []Output
	err := s.Array(func() error {
		o, err := s.output()
		all = append(all, o)
		if err == nil {
			err = s.Spend()
		}
		return err
	})
	return all, err
}

// output reads one output. Fields that its type does not have, and all fields
// of an unknown type, are kept as they are.
func (s scanner) output() (o Output, err error) {
	fields, data, err := s.spans()
	if err != nil {
		return o, err
	}
	for _, f := range fields {
		if f.key == "output_type" {
			if o.Type, err = s.at(f).Text(); err != nil {
				return o, err
			}
		}
	}
	shown := o.Type == "display_data" || o.Type == "execute_result"
	for _, f := range fields {
		at := s.at(f)
		switch {
		case f.key == "output_type":
		case o.Type == "stream" && f.key == "name":
			o.Name, err = at.anyText()
		case o.Type == "stream" && f.key == "text":
			o.Text, err = at.multiline()
		case o.Type == "error" && f.key == "ename":
			o.Ename, err = at.anyText()
		case o.Type == "error" && f.key == "evalue":
			o.Evalue, err = at.anyText()
		case o.Type == "error" && f.key == "traceback":
			o.Traceback, err = at.textList()
		case shown && f.key == "data":
			if o.Data = data; data == nil {
				o.Data, err = at.bundle()
			}
		case shown && f.key == "metadata":
			o.Metadata, err = at.optionalMap()
		case o.Type == "execute_result" && f.key == "execution_count":
			o.ExecutionCount, err = at.count()
		default:
			err = keep(&o.Extra, f.key, at)
			if lines, ok := o.Extra[f.key].([]any); ok && f.key == "text" && !shown && allText(lines) {
				o.Extra[f.key] = nbformat3.JoinText(lines)
			}
		}
		if err != nil {
			return o, err
		}
	}
	return o, nil
}

func allText(list []any) bool {
	return !slices.ContainsFunc(list, func(v any) bool { _, ok := v.(string); return !ok })
}

// anyText reads a text; another value becomes the text it is written as.
func (s scanner) anyText() (string, error) {
	if s.Peek() == '"' {
		return s.Text()
	}
	raw, err := s.Raw()
	return strings.TrimPrefix(string(raw), "null"), err
}

func (s scanner) textList() ([]string, error) {
	if s.Peek() != '[' {
		text, err := s.anyText()
		return strings.SplitAfter(text, "\n"), err
	}
	list := []string{}
	err := s.Array(func() error {
		text, err := s.anyText()
		list = append(list, text)
		return err
	})
	return list, err
}

// bundle reads a mime bundle. Texts written as lists of lines are joined.
func (s scanner) bundle() (map[string]json.RawMessage, error) {
	b := map[string]json.RawMessage{}
	if s.Peek() == 'n' {
		err := s.Skip()
		return b, err
	}
	err := s.Object(func(mime string) error {
		raw, err := s.Raw()
		if err == nil && len(raw) > 0 && raw[0] == '[' && !isJSON(mime) {
			raw = joined(raw)
		}
		b[mime] = raw
		return err
	})
	return b, err
}

var errNotText = errors.New("this is not a text")

// joined is a list of texts as one text, and any other list as it is.
func joined(raw json.RawMessage) json.RawMessage {
	s := newScanner(raw)
	var lines [][]byte // each with its quotes
	size := 2
	err := s.Array(func() error {
		line, err := s.Raw()
		if err == nil && line[0] != '"' {
			err = errNotText
		}
		lines = append(lines, line)
		size += len(line) - 2
		return err
	})
	if err != nil {
		return raw
	}
	if len(lines) == 1 {
		return lines[0]
	}
	one := append(make([]byte, 0, size), '"')
	for _, l := range lines {
		one = append(one, l[1:len(l)-1]...)
	}
	return append(one, '"')
}

package collect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/value"
)

// A lean notebook is the document without what collect has no use for: images
// and texts that no scrap names, sources of cells that hold no parameters,
// widget state. It is read from a stream; memory is bounded by what is wanted,
// not by the notebook's size.

// Limits of one notebook.
const (
	leanLimit  = 256 << 20 // bytes of wanted outputs
	leanCells  = 100_000   // cells
	leanValues = 4 << 20   // JSON values in what is wanted: each takes some 50 bytes
	leanError  = 16 << 10  // bytes of an exception's name, and of its text
	leanMany   = 1 << 20   // with more bytes than these only one is in memory at a time
)

// leanReader makes lean notebooks. It is used again for the next one.
type leanReader struct {
	scan    value.Stream
	again   func(start, end int64) ([]byte, error) // reads a part of the stream again
	alone   func()                                 // waits until no other notebook takes much memory; nil needs no wait
	limit   int                                    // bytes of wanted outputs in one notebook
	cells   []byte
	meta    []byte
	top     []byte // the other members
	count   int    // of cells
	code    int    // of code cells passed
	total   int    // cells of all worksheets
	spent   int    // bytes
	values  int
	dropped []table.Problem
}

// notebook reads a lean notebook and decodes it. Bytes that are not UTF-8 are
// replaced, which is a problem, as outputs are that were left out.
func (l *leanReader) notebook(r io.Reader, again func(start, end int64) ([]byte, error)) (*notebook.Notebook, []table.Problem, error) {
	doc, problems, err := l.read(r, again)
	if err != nil {
		return nil, nil, fmt.Errorf("read notebook: %w", err)
	}
	if !utf8.Valid(doc) {
		doc = bytes.ToValidUTF8(doc, []byte("\uFFFD"))
		problems = append(problems, table.Problem{Kind: "not_utf8", Detail: "bytes that are not UTF-8 were replaced"})
	}
	n, err := notebook.Decode(doc)
	return n, problems, err
}

// read gives the lean notebook of a stream, and the outputs left out because
// they are too large. again reads a part of the same stream once more.
func (l *leanReader) read(r io.Reader, again func(start, end int64) ([]byte, error)) ([]byte, []table.Problem, error) {
	l.scan.Reset(r)
	l.again = again
	l.cells, l.meta, l.top, l.count, l.spent, l.dropped = l.cells[:0], l.meta[:0], l.top[:0], 0, 0, nil
	l.total, l.values = 0, 0
	if err := l.document(); err != nil {
		return nil, nil, located(err)
	}
	doc := make([]byte, 0, len(l.cells)+len(l.meta)+len(l.top)+64)
	doc = append(doc, '{')
	doc = append(doc, l.top...)
	doc = append(append(append(doc, `"metadata":{`...), l.meta...), '}', '}')
	return doc, l.dropped, nil
}

// located says in which byte of the stream an error of syntax is.
func located(err error) error {
	var wrong *value.SyntaxError
	switch {
	case !errors.As(err, &wrong):
		return err
	case wrong.Ends:
		return fmt.Errorf("truncated: the JSON ends at byte %d in the middle of a value", wrong.At)
	}
	return fmt.Errorf("not JSON: byte %d: %w", wrong.At, err)
}

func (l *leanReader) document() error {
	s := &l.scan
	if err := l.start(); err != nil {
		return err
	}
	err := s.Object(func(key string) error {
		switch key {
		case "metadata":
			return l.metadata(&l.meta, "papermill", "fanout", "kernelspec", "language_info", "widgets")
		case "nbformat", "nbformat_minor":
			return l.copySmall(&l.top, key)
		case "cells":
			if err := l.cellList(); err != nil {
				return err
			}
			l.top = append(append(append(l.top, `"cells":[`...), l.cells...), `],`...)
			return nil
		case "worksheets": // of nbformat 3
			return l.worksheets()
		}
		return s.Skip()
	})
	if err != nil {
		return err
	}
	return s.End()
}

// start passes a byte order mark and refuses what cannot be a notebook.
func (l *leanReader) start() error {
	s := &l.scan
	s.PassPrefix("\ufeff")
	switch s.Peek() {
	case '{':
		return nil
	case 0:
		if err := s.End(); err != nil {
			return err
		}
		return errors.New("not a notebook: the file is empty")
	}
	return errors.New("not a notebook: it is not a JSON object")
}

func (l *leanReader) worksheets() error {
	if ok, err := l.scan.Opens('['); !ok {
		return err
	}
	l.cells = l.cells[:0]
	err := l.scan.Array(func() error {
		if ok, err := l.scan.Opens('{'); !ok {
			return err
		}
		return l.scan.Object(func(key string) error {
			if key == "cells" {
				return l.cellList()
			}
			return l.scan.Skip()
		})
	})
	if err == nil {
		l.top = append(append(append(l.top, `"worksheets":[{"cells":[`...), l.cells...), `]}],`...)
	}
	return err
}

// metadata copies the named members of an object, of widgets what they show.
func (l *leanReader) metadata(to *[]byte, names ...string) error {
	if ok, err := l.scan.Opens('{'); !ok {
		return err
	}
	*to = (*to)[:0]
	err := l.scan.Object(func(key string) error {
		switch {
		case !slices.Contains(names, key):
			return l.scan.Skip()
		case key == "widgets":
			return l.widgets(to)
		}
		return l.copySmall(to, key)
	})
	*to = bytes.TrimSuffix(*to, []byte(","))
	return err
}

// copySmall copies a member, whose key needs no escapes, and a comma.
func (l *leanReader) copySmall(to *[]byte, key string) error {
	v, err := l.scan.Take(math.MaxInt)
	if err != nil {
		return err
	}
	ok, err := l.take(&v)
	if err != nil {
		return err
	}
	if !ok {
		l.dropped = append(l.dropped, table.Problem{Kind: "too_large", Name: key, Detail: fmt.Sprintf("metadata of %d bytes was left out", v.End-v.Start)})
		return nil
	}
	*to = append(append(append(*to, '"'), key...), `":`...)
	*to = append(append(*to, v.Raw...), ',')
	return nil
}

func (l *leanReader) cellList() error {
	if ok, err := l.scan.Opens('['); !ok {
		return err
	}
	l.cells, l.count, l.code = l.cells[:0], 0, 0
	err := l.scan.Array(func() error {
		if l.count > 0 {
			l.cells = append(l.cells, ',')
		}
		l.count++
		if l.total++; l.total > leanCells {
			return fmt.Errorf("it has more than %d cells", leanCells)
		}
		return l.cell()
	})
	return err
}

func (l *leanReader) cell() error {
	if ok, err := l.scan.Opens('{'); !ok {
		l.cells = append(l.cells, "{}"...)
		return err
	}
	var meta, outputs, small []byte
	var source value.Span
	var sourceKey string
	isCode := false
	err := l.scan.Object(func(key string) (err error) {
		switch key {
		case "cell_type":
			before := len(small)
			err = l.copySmall(&small, key)
			isCode = bytes.Contains(small[before:], []byte(`"code"`))
			return err
		case "id", "execution_count", "prompt_number", "level", "language":
			return l.copySmall(&small, key)
		case "metadata":
			return l.metadata(&meta, "tags", "papermill", "execution", "fanout")
		case "source", "input":
			sourceKey = key
			source, err = l.scan.Take(math.MaxInt)
			return err
		case "outputs":
			return l.outputs(&outputs)
		}
		return l.scan.Skip()
	})
	l.cells = append(append(l.cells, '{'), small...)
	if isCode {
		l.code++
	}
	if isCode || len(outputs) > 0 {
		l.cells = append(append(append(l.cells, `"outputs":[`...), outputs...), `],`...)
	}
	l.cells = append(append(append(l.cells, `"metadata":{`...), meta...), `},`...)
	l.cells = append(l.source(sourceKey, source, meta), '}')
	return err
}

// widgets copies the scraps that Output widgets hold, and a comma.
func (l *leanReader) widgets(to *[]byte) error {
	var models []byte
	err := l.inside("application/vnd.jupyter.widget-state+json", func() error {
		return l.inside("state", func() error {
			if ok, err := l.scan.Opens('{'); !ok {
				return err
			}
			return l.scan.Object(func(id string) error { return l.widget(&models, id) })
		})
	})
	if len(models) > 0 {
		*to = append(append(append(*to, `"widgets":{"application/vnd.jupyter.widget-state+json":{"state":{`...), models[1:]...), `}}},`...)
	}
	return err
}

// widget copies a comma and one widget, if it shows anything.
func (l *leanReader) widget(to *[]byte, id string) error {
	if ok, err := l.scan.Opens('{'); !ok {
		return err
	}
	var shown []byte
	isOutput := false
	err := l.scan.Object(func(key string) error {
		switch key {
		case "model_name":
			name, err := l.scan.Take(64)
			isOutput = bytes.Equal(name.Raw, []byte(`"OutputModel"`))
			return err
		case "state":
			return l.inside("outputs", func() error { return l.outputs(&shown) })
		}
		return l.scan.Skip()
	})
	if isOutput && len(shown) > 0 && l.spent+len(id) <= l.limit {
		l.spent += len(id)
		*to = append(value.AppendText(append(*to, ','), id), `:{"model_name":"OutputModel","state":{"outputs":[`...)
		*to = append(append(*to, shown...), `]}}`...)
	}
	return err
}

// inside passes an object and reads one of its members.
func (l *leanReader) inside(member string, read func() error) error {
	if ok, err := l.scan.Opens('{'); !ok {
		return err
	}
	return l.scan.Object(func(key string) error {
		if key == member {
			return read()
		}
		return l.scan.Skip()
	})
}

// source is kept where parameters may be; elsewhere it matters only whether
// there is any.
func (l *leanReader) source(key string, source value.Span, meta []byte) []byte {
	if key == "" {
		key = "source"
	}
	b := append(append(append(l.cells, '"'), key...), `":`...)
	switch {
	case source.Raw != nil && (mayHoldParameters(meta) || mayBeBanner(source.Raw)):
		return append(b, source.Raw...)
	case source.End == 0 || source.Raw != nil && blank(source.Raw):
		return append(b, `""`...)
	}
	return append(b, `"…"`...)
}

// blank recognises a text, or a list of lines, of nothing but white space.
func blank(raw []byte) bool {
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '[', ']', '"', ',', ' ', '\n', '\t', '\r':
		case '\\':
			if i++; i >= len(raw) || bytes.IndexByte([]byte("ntrf"), raw[i]) < 0 {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// mayHoldParameters is true for cells tagged parameters, injected-parameters or
// default parameters, however the tag is escaped.
func mayHoldParameters(meta []byte) bool {
	return bytes.Contains(meta, []byte("parameters")) || bytes.Contains(meta, []byte(`\u`))
}

// mayBeBanner is true for code that shows HTML: papermill before 2.1 marked
// failures with such cells, which do not count as code cells.
func mayBeBanner(source []byte) bool {
	return bytes.Contains(source[:min(len(source), 64)], []byte("%%html"))
}

// outputs copies the outputs that hold scraps or errors.
func (l *leanReader) outputs(to *[]byte) error {
	if ok, err := l.scan.Opens('['); !ok {
		return err
	}
	*to = (*to)[:0]
	any := false
	err := l.scan.Array(func() error {
		any = true
		if ok, err := l.scan.Opens('{'); !ok {
			return err
		}
		l.scan.Keep()
		found, err := l.wanted()
		output := l.scan.Kept()
		switch {
		case err != nil:
			return err
		case found.scrap:
			return l.keepOutput(to, output)
		case found.kind == "error" || found.kind == "pyerr":
			return l.keepError(to, found)
		}
		return nil
	})
	if any && len(*to) == 0 {
		*to = append(*to, `{"output_type":"stream","name":"stdout","text":""}`...) // that there was output shows that the cell ran
	}
	return err
}

// What of an output says whether it is wanted.
type outputHead struct {
	scrap         bool // it holds one
	kind          string
	ename, evalue value.Span
}

// wanted passes an output.
func (l *leanReader) wanted() (found outputHead, err error) {
	s := &l.scan
	err = s.Object(func(key string) (err error) {
		switch key {
		case "output_type":
			var kind value.Span
			if kind, err = s.Take(64); err == nil {
				found.kind, _ = value.NewScanner(kind.Raw).Text()
			}
		case "ename":
			found.ename, err = s.Take(leanError)
		case "evalue":
			found.evalue, err = s.Take(leanError)
		case "data":
			err = l.anyKey(&found.scrap, notebook.IsScrapType)
		case "metadata":
			err = l.anyKey(&found.scrap, notebook.IsScrapKey)
		default:
			err = s.Skip()
		}
		return err
	})
	return found, err
}

// keepError keeps the name and the text of an exception; its traceback is in the
// notebook.
func (l *leanReader) keepError(to *[]byte, found outputHead) error {
	b := append(value.AppendText([]byte(`{"output_type":`), found.kind), `,"traceback":[]`...)
	b = appendMember(b, "ename", found.ename)
	b = append(appendMember(b, "evalue", found.evalue), '}')
	l.spent += len(b)
	if l.values += countValues(b); l.spent > l.limit || l.values > leanValues {
		return fmt.Errorf("it has more exceptions than are read: %d bytes or %d values", l.limit, leanValues)
	}
	*to = append(joinComma(*to), b...)
	return nil
}

// appendMember appends a text, or how long it is if that was too long to be kept.
func appendMember(b []byte, name string, text value.Span) []byte {
	if text.End == text.Start {
		return b
	}
	b = append(append(append(b, `,"`...), name...), `":`...)
	if text.Raw == nil {
		return value.AppendText(b, fmt.Sprintf("(a text of %d bytes)", text.End-text.Start))
	}
	return append(b, text.Raw...)
}

func joinComma(b []byte) []byte {
	if len(b) > 0 {
		b = append(b, ',')
	}
	return b
}

// anyKey passes a value; found becomes true when it is an object one of whose
// keys is looked for.
func (l *leanReader) anyKey(found *bool, is func(key string) bool) error {
	if ok, err := l.scan.Opens('{'); !ok {
		return err
	}
	return l.scan.Object(func(key string) error {
		*found = *found || is(key)
		return l.scan.Skip()
	})
}

func (l *leanReader) keepOutput(to *[]byte, output value.Span) error {
	ok, err := l.take(&output)
	if err != nil {
		return err
	}
	if !ok {
		l.dropped = append(l.dropped, table.Problem{Kind: "too_large", Cell: l.code + 1,
			Detail: fmt.Sprintf("an output of %d bytes that holds a scrap was left out: one notebook may hold %d bytes and %d values of them", output.End-output.Start, l.limit, leanValues)})
		return nil
	}
	*to = append(joinComma(*to), output.Raw...)
	return nil
}

// take reads a value that was too long to be kept, and reports whether it fits
// into what one notebook may hold.
func (l *leanReader) take(v *value.Span) (fits bool, err error) {
	size := int(v.End - v.Start)
	if l.spent+size > l.limit {
		return false, nil
	}
	if l.spent += size; l.spent > leanMany && l.alone != nil {
		l.alone()
	}
	if v.Raw == nil {
		if v.Raw, err = l.again(v.Start, v.End); err != nil {
			return false, err
		}
	}
	n := countValues(v.Raw)
	if l.values+n > leanValues {
		return false, nil
	}
	l.values += n
	return true, nil
}

// countValues counts the values in a JSON text, by what divides them.
func countValues(text []byte) (n int) {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case ',', '[', '{':
			n++
		case '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		}
	}
	return n + 1
}

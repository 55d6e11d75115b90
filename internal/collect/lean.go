package collect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/value"
)

// A lean notebook is the document without what collect has no use for: images
// and texts that no scrap names, sources of cells that hold no parameters,
// widget state. It is read from a stream; memory is bounded by what is wanted,
// not by the notebook's size.

// leanLimit is how many bytes of wanted outputs one notebook may hold.
const leanLimit = 256 << 20

// leanReader makes lean notebooks. It is used again for the next one.
type leanReader struct {
	scan    value.Stream
	again   func(start, end int64) ([]byte, error) // reads a part of the stream again
	limit   int                                    // bytes of wanted outputs in one notebook
	cells   []byte
	meta    []byte
	top     []byte // the other members
	count   int    // of cells
	code    int    // of code cells passed
	spent   int
	dropped []table.Problem
}

// read gives the lean notebook of a stream, and the outputs left out because
// they are too large. again reads a part of the same stream once more.
func (l *leanReader) read(r io.Reader, again func(start, end int64) ([]byte, error)) ([]byte, []table.Problem, error) {
	l.scan.Reset(r)
	l.again = again
	l.cells, l.meta, l.top, l.count, l.spent, l.dropped = l.cells[:0], l.meta[:0], l.top[:0], 0, 0, nil
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
			return l.metadata(&l.meta, "papermill", "fanout", "kernelspec", "language_info")
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

// metadata copies the named members of an object.
func (l *leanReader) metadata(to *[]byte, names ...string) error {
	if ok, err := l.scan.Opens('{'); !ok {
		return err
	}
	*to = (*to)[:0]
	err := l.scan.Object(func(key string) error {
		for _, name := range names {
			if key == name {
				return l.copySmall(to, key)
			}
		}
		return l.scan.Skip()
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
	if size := int(v.End - v.Start); v.Raw == nil && l.spent+size <= l.limit {
		l.spent += size
		if v.Raw, err = l.again(v.Start, v.End); err != nil {
			return err
		}
	}
	if v.Raw == nil {
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
		wanted, err := l.wanted()
		output := l.scan.Kept()
		if err == nil && wanted {
			err = l.keepOutput(to, output)
		}
		return err
	})
	if any && len(*to) == 0 {
		*to = append(*to, `{"output_type":"stream","name":"stdout","text":""}`...) // that there was output shows that the cell ran
	}
	return err
}

// wanted passes an output and reports whether it holds a scrap or an error.
func (l *leanReader) wanted() (wanted bool, err error) {
	s := &l.scan
	err = s.Object(func(key string) error {
		switch key {
		case "output_type":
			kind, err := s.Take(64)
			if err == nil {
				text, _ := value.NewScanner(kind.Raw).Text()
				wanted = wanted || text == "error" || text == "pyerr"
			}
			return err
		case "data":
			return l.anyKey(&wanted, isScrapMime)
		case "metadata":
			return l.anyKey(&wanted, func(k string) bool { return k == "scrapbook" || k == "papermill" })
		}
		return s.Skip()
	})
	return wanted, err
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

func isScrapMime(key string) bool {
	return strings.HasPrefix(key, "application/scrapbook.") || strings.HasPrefix(key, "application/papermill.record")
}

func (l *leanReader) keepOutput(to *[]byte, output value.Span) error {
	size := int(output.End - output.Start)
	if l.spent+size > l.limit {
		l.dropped = append(l.dropped, table.Problem{Kind: "too_large", Cell: l.code + 1,
			Detail: fmt.Sprintf("an output of %d bytes that holds a scrap or an error was left out: one notebook may hold %d bytes of them", size, l.limit)})
		return nil
	}
	l.spent += size
	raw := output.Raw
	if raw == nil {
		var err error
		if raw, err = l.again(output.Start, output.End); err != nil {
			return err
		}
	}
	if len(*to) > 0 {
		*to = append(*to, ',')
	}
	*to = append(*to, raw...)
	return nil
}

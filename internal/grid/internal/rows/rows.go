// Package rows reads files of rows, each of which is a point.
//
// In goes the text of a table or of JSON objects, out come names and values in
// the order of the file, and every mistake with its place. As then gives a value
// the declared kind; nothing is guessed from what a column holds.
package rows

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"github.com/fanout-dev/fanout/internal/grid/internal/diagnostic"
	"github.com/fanout-dev/fanout/internal/grid/internal/yaml"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

// Read reads the points of a file of rows: comma- or tab-separated values
// with a line of names, or JSON objects, one a line. The ending of the name
// decides which; for any other ending, the text does. Values of a table are
// strings, and an empty field is null. The error is diagnostic.Errors.
func Read(file string, text []byte) ([][]value.Binding, error) {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	switch strings.ToLower(path.Ext(file)) {
	case ".csv":
		return readTable(file, text, ',')
	case ".tsv", ".tab":
		return readTable(file, text, '\t')
	case ".jsonl", ".ndjson", ".json":
		return readObjects(file, text)
	}
	if t := bytes.TrimSpace(text); len(t) > 0 && (t[0] == '{' || t[0] == '[') {
		return readObjects(file, text)
	}
	if first, _, _ := bytes.Cut(text, []byte("\n")); bytes.ContainsRune(first, '\t') && !bytes.ContainsRune(first, ',') {
		return readTable(file, text, '\t')
	}
	return readTable(file, text, ',')
}

// maxRowErrors bounds the mistakes reported for one file.
const maxRowErrors = 10

func readTable(file string, text []byte, comma rune) ([][]value.Binding, error) {
	r := csv.NewReader(bytes.NewReader(text))
	r.Comma, r.FieldsPerRecord = comma, -1
	names, err := r.Read()
	if err == io.EOF {
		return nil, diagnostic.Errors{{File: file, Msg: "the file is empty", Help: "the first line names the parameters"}}
	}
	if err != nil {
		return nil, diagnostic.Errors{csvError(file, err)}
	}
	errs := checkHeader(file, names)
	var rows [][]value.Binding
	for len(errs) < maxRowErrors {
		record, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			errs = append(errs, csvError(file, err))
			break
		}
		if len(record) == 1 && record[0] == "" {
			continue
		}
		line, _ := r.FieldPos(0)
		if len(record) != len(names) {
			errs = append(errs, &diagnostic.Error{File: file, Line: line, Col: 1, Msg: fmt.Sprintf("%s, and the first line names %d", unit.Plural(len(record), "field"), len(names))})
			continue
		}
		row := make([]value.Binding, len(names))
		for i, s := range record {
			var v value.Value
			if s != "" {
				if v, err = value.Of(s); err != nil {
					l, c := r.FieldPos(i)
					errs = append(errs, &diagnostic.Error{File: file, Line: l, Col: c, Msg: err.Error()})
				}
			}
			row[i] = value.Binding{Name: names[i], Value: v}
		}
		rows = append(rows, row)
	}
	return rows, errs.Err()
}

func csvError(file string, err error) *diagnostic.Error {
	var pe *csv.ParseError
	if errors.As(err, &pe) {
		return &diagnostic.Error{File: file, Line: pe.Line, Col: pe.Column, Msg: pe.Err.Error()}
	}
	return &diagnostic.Error{File: file, Msg: err.Error()}
}

func checkHeader(file string, names []string) diagnostic.Errors {
	var errs diagnostic.Errors
	seen := map[string]bool{}
	for i, n := range names {
		n = strings.TrimSpace(n)
		names[i] = n
		switch {
		case n == "":
			errs = append(errs, &diagnostic.Error{File: file, Line: 1, Col: 1, Msg: fmt.Sprintf("column %d has no name", i+1)})
		case seen[n]:
			errs = append(errs, &diagnostic.Error{File: file, Line: 1, Col: 1, Msg: fmt.Sprintf("two columns are called `%s`", n)})
		}
		seen[n] = true
	}
	return errs
}

// readObjects reads JSON objects one after the other, or a list of them.
func readObjects(file string, text []byte) ([][]value.Binding, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	place := func(err error) error {
		before := text[:min(int(dec.InputOffset()), len(text))]
		return diagnostic.Errors{{File: file, Line: 1 + bytes.Count(before, []byte("\n")), Col: len(before) - bytes.LastIndexByte(before, '\n'), Msg: err.Error()}}
	}
	list := bytes.HasPrefix(bytes.TrimSpace(text), []byte("["))
	if list {
		dec.Token()
	}
	var rows [][]value.Binding
	for {
		if list && !dec.More() {
			if _, err := dec.Token(); err != nil {
				return nil, place(errors.New("the list does not end"))
			}
			list = false
			continue
		}
		row, err := readObject(dec)
		if err == io.EOF && !list {
			break
		}
		if err != nil {
			return nil, place(within(err))
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		return nil, diagnostic.Errors{{File: file, Msg: "the file has no rows"}}
	}
	return rows, nil
}

// readObject reads one object, keeping the order of its names. The error is
// io.EOF where no object begins.
func readObject(dec *json.Decoder) ([]value.Binding, error) {
	begin, err := dec.Token()
	if err != nil {
		return nil, err
	}
	if begin != json.Delim('{') {
		return nil, fmt.Errorf("want an object, not %v", begin)
	}
	var row []value.Binding
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, within(err)
		}
		name, _ := key.(string)
		var x any
		if err := dec.Decode(&x); err != nil {
			return nil, within(err)
		}
		v, err := value.Of(x)
		if err != nil {
			return nil, fmt.Errorf("`%s`: %w", name, err)
		}
		if _, twice := value.Lookup(row, name); twice {
			return nil, fmt.Errorf("`%s` is given twice", name)
		}
		row = append(row, value.Binding{Name: name, Value: v})
	}
	if _, err := dec.Token(); err != nil {
		return nil, within(err)
	}
	if len(row) == 0 {
		return nil, errors.New("a point needs at least one parameter")
	}
	return row, nil
}

func within(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// As is a value of a row as a declared kind; null stays null.
func As(v value.Value, want value.Kind) (value.Value, error) {
	is := v.Kind()
	if want == value.Null || is == value.Null || is == want {
		return v, nil
	}
	s, isText := v.Any().(string)
	switch {
	case want == value.String && is != value.List && is != value.Map:
		return value.Of(v.String())
	case want == value.Int && is == value.Float:
		if x, _ := v.Float(); x == float64(int64(x)) {
			return value.Of(int64(x))
		}
	case want == value.Float && is == value.Int:
		x, _ := v.Float()
		return value.Of(x)
	case isText:
		if out, ok := parseAs(strings.TrimSpace(s), want); ok {
			return out, nil
		}
		if strings.TrimSpace(s) == "" {
			return value.Value{}, nil
		}
	}
	return v, fmt.Errorf("is %s, and the template wants %s", v, want)
}

// parseAs reads the text of a field as a kind.
func parseAs(s string, want value.Kind) (value.Value, bool) {
	var x any
	var err error
	switch want {
	case value.Int:
		if !yaml.IsInt(s) {
			return value.Value{}, false
		}
		x = json.Number(strings.TrimPrefix(s, "+"))
	case value.Float:
		if !yaml.IsFloat(s) {
			return value.Value{}, false
		}
		x, err = strconv.ParseFloat(s, 64)
	case value.Bool:
		switch s {
		case "true", "True", "TRUE":
			x = true
		case "false", "False", "FALSE":
			x = false
		default:
			return value.Value{}, false
		}
	case value.List, value.Map:
		v, err := value.Parse([]byte(s))
		return v, err == nil && v.Kind() == want
	}
	if err != nil {
		return value.Value{}, false
	}
	v, err := value.Of(x)
	return v, err == nil
}

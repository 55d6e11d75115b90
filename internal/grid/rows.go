package grid

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

	"go.yaml.in/yaml/v3"

	"github.com/fanout-dev/fanout/internal/value"
)

// ReadRows reads the points of a file of rows: comma- or tab-separated values
// with a line of names, or JSON objects, one a line. The ending of the name
// says which; where it says nothing, the text does. Values of a table are
// strings until Grid gives them the types that the template declares, and an
// empty field is null. The error is Errors.
func ReadRows(file string, text []byte) (Rows, error) {
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

// maxRowErrors bounds what is said about one file.
const maxRowErrors = 10

func readTable(file string, text []byte, comma rune) (Rows, error) {
	r := csv.NewReader(bytes.NewReader(text))
	r.Comma, r.FieldsPerRecord = comma, -1
	names, err := r.Read()
	if err == io.EOF {
		return nil, Errors{{File: file, Msg: "the file is empty", Help: "the first line names the parameters"}}
	}
	if err != nil {
		return nil, Errors{csvError(file, err)}
	}
	errs := checkHeader(file, names)
	var rows Rows
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
			errs = append(errs, &Error{File: file, Line: line, Col: 1, Msg: fmt.Sprintf("%d fields, and the first line names %d", len(record), len(names))})
			continue
		}
		row := make([]value.Binding, len(names))
		for i, s := range record {
			var v value.Value
			if s != "" {
				if v, err = value.Of(s); err != nil {
					l, c := r.FieldPos(i)
					errs = append(errs, &Error{File: file, Line: l, Col: c, Msg: err.Error()})
				}
			}
			row[i] = value.Binding{Name: names[i], Value: v}
		}
		rows = append(rows, row)
	}
	return rows, errs.orNil()
}

func csvError(file string, err error) *Error {
	var pe *csv.ParseError
	if errors.As(err, &pe) {
		return &Error{File: file, Line: pe.Line, Col: pe.Column, Msg: pe.Err.Error()}
	}
	return &Error{File: file, Msg: err.Error()}
}

func checkHeader(file string, names []string) Errors {
	var errs Errors
	seen := map[string]bool{}
	for i, n := range names {
		n = strings.TrimSpace(n)
		names[i] = n
		switch {
		case n == "":
			errs = append(errs, &Error{File: file, Line: 1, Col: 1, Msg: fmt.Sprintf("column %d has no name", i+1)})
		case seen[n]:
			errs = append(errs, &Error{File: file, Line: 1, Col: 1, Msg: fmt.Sprintf("two columns are called `%s`", n)})
		}
		seen[n] = true
	}
	return errs
}

// readObjects reads JSON objects one after the other, or a list of them.
func readObjects(file string, text []byte) (Rows, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	place := func(err error) error {
		before := text[:min(int(dec.InputOffset()), len(text))]
		return Errors{{File: file, Line: 1 + bytes.Count(before, []byte("\n")), Col: len(before) - bytes.LastIndexByte(before, '\n'), Msg: err.Error()}}
	}
	list := bytes.HasPrefix(bytes.TrimSpace(text), []byte("["))
	if list {
		dec.Token()
	}
	var rows Rows
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
		return nil, Errors{{File: file, Msg: "the file has no rows"}}
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
			return nil, fmt.Errorf("`%s` is there twice", name)
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

// typed gives the values of rows the types that the templates declare. A
// declared type is never guessed at: one "n/a" in a column of numbers is a
// mistake that is told, and changes no other value.
func (p *preparer) typed(file string, at *yaml.Node, rows Rows) Rows {
	wants := p.wants()
	if len(wants) == 0 {
		return rows
	}
	out := make(Rows, len(rows))
	bad := 0
	for i, row := range rows {
		out[i] = make([]value.Binding, len(row))
		for j, b := range row {
			v, err := asKind(b.Value, wants[b.Name])
			if err != nil && bad < maxRowErrors {
				bad++
				p.hintf(at, "leave the field empty for null", "row %d of %s: `%s` %v", i+1, file, b.Name, err)
			}
			out[i][j] = value.Binding{Name: b.Name, Value: v}
		}
	}
	return out
}

// wants is what the templates agree that each parameter is.
func (p *preparer) wants() map[string]value.Kind {
	wants := map[string]value.Kind{}
	for _, params := range p.in.Declared {
		for _, x := range params {
			k := x.wants()
			if have, known := wants[x.Name]; known && have != k {
				k = value.Null
			}
			wants[x.Name] = k
		}
	}
	return wants
}

// asKind is a value of a row as a declared kind; null stays null.
func asKind(v value.Value, want value.Kind) (value.Value, error) {
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
		if !intRE.MatchString(s) {
			return value.Value{}, false
		}
		x = json.Number(strings.TrimPrefix(s, "+"))
	case value.Float:
		if !floatRE.MatchString(s) {
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

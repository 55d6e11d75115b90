package scrap

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/fanout-dev/fanout/internal/notebook/internal/dialect"
	"github.com/fanout-dev/fanout/internal/notebook/internal/pyjson"
	"github.com/fanout-dev/fanout/internal/value"
)

const (
	mimeRecord = "application/papermill.record"
	mimeScrap  = "application/scrapbook.scrap"
)

// Of returns what one output of the code cell with the number cell recorded, in
// every form there ever was. times is how often it did, of which this is the last.
func Of(cell, times int, o Output) ([]Scrap, []Problem) {
	r := &reader{cell: cell, times: times, label: labelOf(o)}
	for _, mime := range slices.Sorted(maps.Keys(o.Data)) {
		r.data(mime, o.Data[mime])
	}
	r.display(o)
	r.changes(o)
	return r.scraps, r.problems
}

// changes reads what fanout_glue notes about the value that it records.
func (r *reader) changes(o Output) {
	const most, longest = 20, 4000
	m, _ := o.Metadata["scrapbook"].(map[string]any)
	notes, _ := m["problems"].([]any)
	for _, note := range notes[:min(len(notes), most)] {
		if text, ok := note.(string); ok && len(text) <= longest {
			r.problem(Changed, r.label.name, "%s", text)
		}
	}
}

// A label is the scrap that an output's metadata names.
type label struct {
	name    string
	display bool
	myst    bool // Jupyter Book wrote it
	legacy  string
}

func labelOf(o Output) label {
	if m, ok := o.Metadata["papermill"].(map[string]any); ok {
		name, _ := m["name"].(string)
		return label{name: name, display: name != "", legacy: LegacyDisplay}
	}
	m, _ := o.Metadata["scrapbook"].(map[string]any)
	name, _ := m["name"].(string)
	_, myst := m["mime_prefix"]
	_, hasData := m["data"]
	if myst {
		return label{name: name, display: true, myst: true, legacy: LegacyMyst}
	}
	shown, says := m["display"].(bool)
	if !says && !hasData && name != "" { // scrapbook 0.1 says no more than the name
		return label{name: name, display: true, legacy: LegacyScrap01}
	}
	return label{name: name, display: shown}
}

type reader struct {
	cell     int
	times    int
	label    label
	scraps   []Scrap
	problems []Problem
}

func (r *reader) problem(kind, name, format string, args ...any) {
	r.problems = append(r.problems, Problem{kind, name, fmt.Sprintf(format, args...), r.cell})
}

func (r *reader) data(mime string, raw json.RawMessage) {
	if encoder, ok := strings.CutPrefix(mime, mimeRecord+"+"); ok {
		r.named(mime, encoder, raw, LegacyRecord)
		return
	}
	rest, ok := strings.CutPrefix(mime, mimeScrap)
	if !ok {
		return
	}
	if encoder, ok := strings.CutPrefix(rest, "+"); ok {
		if encoder == "unicode" {
			encoder = "text"
		}
		r.named(mime, encoder, raw, LegacyScrap01)
		return
	}
	if encoder, ok := strings.CutPrefix(rest, "."); ok {
		r.envelope(mime, strings.TrimSuffix(encoder, "+json"), raw)
	}
}

// named reads an object of values by name.
func (r *reader) named(mime, encoder string, raw json.RawMessage, legacy string) {
	s := value.NewScanner(raw)
	err := s.Object(func(name string) error {
		value, err := s.Raw()
		if err == nil {
			r.add(Scrap{Name: name, Encoder: encoder, Data: value, HasData: true, Mime: mime, Legacy: legacy})
		}
		return err
	})
	if err != nil {
		r.problem("malformed_scrap", r.label.name, "%s should hold values by name: %v", mime, err)
	}
}

// envelope reads scrapbook's {name, data, encoder, version}.
func (r *reader) envelope(mime, encoder string, raw json.RawMessage) {
	out := Scrap{Name: r.label.name, Encoder: encoder, Mime: mime, Legacy: LegacyUnversioned}
	version := 0
	s := value.NewScanner(raw)
	err := s.Object(func(key string) (err error) {
		switch key {
		case "name":
			out.Name, err = s.Text()
		case "encoder":
			out.Encoder, err = s.Text()
		case "version":
			var v any
			if v, err = s.Any(); err == nil {
				out.Legacy = ""
				number, _ := v.(json.Number)
				version, _ = strconv.Atoi(string(number))
			}
		case "data":
			out.HasData = true
			out.Data, err = s.Raw()
		default:
			err = s.Skip()
		}
		return err
	})
	switch {
	case err != nil:
		r.problem("malformed_scrap", out.Name, "%s: %v", mime, err)
		return
	case out.Name == "":
		r.problem("malformed_scrap", "", "%s has no name", mime)
		return
	case !out.HasData:
		r.problem("malformed_scrap", out.Name, "%s has no data", mime)
		return
	case version > 1:
		r.problem("newer_scrap", out.Name, "it was recorded in version %d of the form; version 1 is known", version)
	}
	r.add(out)
}

// add brings a scrap's data into form.
func (r *reader) add(s Scrap) {
	s.Cell, s.times = r.cell, r.times
	v, err := parseScalar(s.Data)
	if err != nil {
		r.problem("malformed_scrap", s.Name, "%s: %v", s.Mime, err)
		return
	}
	switch text, isText := v.(string); {
	case s.Encoder == "json" && isText:
		s.Data = jsonText(text)
	case s.Encoder == "text" && !isText:
		s.Data = value.AppendText(nil, string(s.Data))
	default:
		s.Data = pyjson.Strict(s.Data)
	}
	r.scraps = append(r.scraps, s)
}

// parseScalar is value.Decode, without looking into lists and objects.
func parseScalar(raw json.RawMessage) (any, error) {
	s := value.NewScanner(raw)
	if c := s.Peek(); c == '[' || c == '{' {
		return nil, nil
	}
	return value.Decode(raw)
}

// jsonText is the value of a text recorded as JSON: scrapbook reads texts
// that are JSON as that, and kernels write NaN and the infinities as texts,
// those of NumPy as NumPy prints them.
func jsonText(text string) json.RawMessage {
	bare := text
	if inner, ok := strings.CutPrefix(text, "np.float64("); ok {
		bare = strings.TrimSuffix(inner, ")")
	}
	switch bare {
	case "nan", "NaN":
		return json.RawMessage(`"NaN"`)
	case "inf", "Infinity":
		return json.RawMessage(`"Infinity"`)
	case "-inf", "-Infinity":
		return json.RawMessage(`"-Infinity"`)
	}
	if _, err := value.Decode([]byte(text)); err == nil {
		return pyjson.Strict(json.RawMessage(strings.TrimSpace(text)))
	}
	return value.AppendText(nil, text)
}

// display reads what the output shows under the label's name.
func (r *reader) display(o Output) {
	if !r.label.display || r.label.name == "" {
		return
	}
	shown := map[string]json.RawMessage{}
	for mime, raw := range o.Data {
		switch plain, prefixed := strings.CutPrefix(mime, mimeRecord+"/"); {
		case prefixed:
			shown[plain] = raw
		case !strings.HasPrefix(mime, mimeScrap) && !strings.HasPrefix(mime, mimeRecord):
			shown[mime] = raw
		}
	}
	if len(shown) == 0 {
		return
	}
	for i := range r.scraps {
		if r.scraps[i].Name == r.label.name {
			r.scraps[i].Display = shown
			return
		}
	}
	s := Scrap{Name: r.label.name, Encoder: "display", Display: shown, Cell: r.cell, Legacy: r.label.legacy, times: r.times}
	if r.label.myst {
		s.readPlain()
	}
	r.scraps = append(r.scraps, s)
}

// readPlain takes the data of a display from its plain text when that is a
// number, text, boolean or None as Python prints it.
func (s *Scrap) readPlain() {
	raw := s.Display["text/plain"]
	text, err := value.Decode(raw)
	plainText, isText := text.(string)
	if err != nil || !isText {
		return
	}
	data := pythonPrinted(strings.TrimSpace(plainText))
	if data == nil {
		return
	}
	s.Data, s.HasData, s.Encoder, s.Mime = data, true, "json", "text/plain"
	if data[0] == '"' {
		if _, special := value.NonFinite(strings.Trim(string(data), `"`)); !special {
			s.Encoder = "text"
		}
	}
}

// pythonPrinted is the JSON of a scalar as Python prints it, nil for anything
// else.
func pythonPrinted(text string) json.RawMessage {
	switch text {
	case "nan":
		return json.RawMessage(`"NaN"`)
	case "inf":
		return json.RawMessage(`"Infinity"`)
	case "-inf":
		return json.RawMessage(`"-Infinity"`)
	}
	v, ok := dialect.Literal(text)
	if !ok || text == "" {
		return nil
	}
	switch v := v.(type) {
	case nil, bool, int64, float64, string, *big.Int:
		return pyjson.Encode(v)
	}
	return nil
}

package notebook

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/fanout-dev/fanout/internal/notebook/internal/dialect"
	"github.com/fanout-dev/fanout/internal/notebook/internal/pyjson"
	"github.com/fanout-dev/fanout/internal/value"
)

// A Scrap is one value that a notebook recorded under a name.
type Scrap struct {
	Name    string
	Encoder string // "json", "text", "pandas", "display", or what the notebook says
	// Data is the value as valid JSON, when HasData is set. In data of encoder
	// "json" the numbers that JSON cannot write are the texts "NaN",
	// "Infinity" and "-Infinity"; see Number.
	Data    json.RawMessage
	HasData bool
	Display map[string]json.RawMessage // how the value shows itself, by MIME type; nil when it does not
	Mime    string                     // MIME type the data was recorded under; "" for only a display
	Cell    int                        // number of the code cell, see CodeCell; 0 when it is not known
	Legacy  string                     // the old or foreign form it was recorded in; "" for scrapbook's own

	times int // how often it was recorded, where only the last time is kept; 0 is once
}

// The values of Scrap.Legacy.
const (
	LegacyRecord      = "papermill.record"  // papermill up to 0.19, papermillr
	LegacyDisplay     = "papermill.display" // papermill up to 0.19
	LegacyScrap01     = "scrapbook.0.1"     // scrapbook 0.1
	LegacyUnversioned = "scrapbook.dev"     // scrapbook before 0.2: no version
	LegacyMyst        = "myst-nb"           // MyST-NB and Jupyter Book
)

// A Problem is what a reader of the scraps must know.
type Problem struct {
	Kind   string // duplicate_scrap, newer_scrap, malformed_scrap, lost_scrap, changed
	Name   string // of the scrap, "" when it has none
	Detail string // a sentence
	Cell   int    // number of the code cell; 0 when it is not known
}

// ProblemChanged is the kind of a problem that says that a scrap is not quite
// what was to be recorded, as a column that became text.
const ProblemChanged = "changed"

// Number returns the value of a scrap that is a number; also for NaN and the
// infinities.
func (s Scrap) Number() (float64, bool) {
	if !s.HasData || s.Encoder != "json" {
		return 0, false
	}
	v, err := value.Decode(s.Data)
	if err != nil {
		return 0, false
	}
	switch v := v.(type) {
	case string:
		return value.NonFinite(v)
	case json.Number:
		f, err := strconv.ParseFloat(string(v), 64)
		return f, err == nil || math.IsInf(f, 0)
	}
	return 0, false
}

// Scraps returns what the notebook recorded, in the order in which names first
// appear, whatever became of the outputs: see Keep. Data and display of a name
// are one scrap. Of a name recorded twice the last value counts, and that is a
// problem.
func (n *Notebook) Scraps() ([]Scrap, []Problem) {
	var all []Scrap
	var problems []Problem
	for i, c := range n.Cells {
		if c.Type != "code" {
			continue
		}
		ss, ps := c.recorded(n.CodeCell(i))
		all, problems = append(all, ss...), append(problems, ps...)
	}
	merged, more := MergeScraps(all)
	problems = append(problems, more...)
	known := map[string]bool{}
	for _, s := range merged {
		known[s.Name] = true
	}
	shown, more := n.inWidgets()
	for _, s := range shown {
		if !known[s.Name] {
			merged = append(merged, s)
		}
	}
	for _, p := range more {
		if !known[p.Name] {
			problems = append(problems, p)
		}
	}
	return merged, problems
}

// MergeScraps makes one scrap of each name out of what ScrapsOf returned for
// the outputs of a notebook in order.
func MergeScraps(all []Scrap) ([]Scrap, []Problem) {
	var merged []Scrap
	index := map[string]int{}
	twice := map[string]int{}
	for _, s := range all {
		twice[s.Name] += max(s.times-1, 0)
		i, known := index[s.Name]
		switch {
		case !known:
			index[s.Name] = len(merged)
			merged = append(merged, s)
		case merged[i].HasData && !s.HasData && merged[i].Display == nil:
			merged[i].Display = s.Display
		case s.HasData && !merged[i].HasData && s.Display == nil:
			s.Display = merged[i].Display
			merged[i] = s
		case s.HasData:
			merged[i] = s
			twice[s.Name]++
		default: // a second display
			merged[i].Display = s.Display
			if !merged[i].HasData {
				merged[i] = s
			}
			twice[s.Name]++
		}
	}
	var problems []Problem
	for _, s := range merged {
		if n := twice[s.Name]; n > 0 {
			problems = append(problems, Problem{"duplicate_scrap", s.Name, fmt.Sprintf("it was recorded %d times; the last value counts", n+1), s.Cell})
		}
	}
	return merged, problems
}

const (
	mimeRecord = "application/papermill.record"
	mimeScrap  = "application/scrapbook.scrap"
)

// ScrapsOf returns what one output of the code cell with the number cell
// recorded, in every form there ever was.
func ScrapsOf(cell int, o Output) ([]Scrap, []Problem) {
	if o.Type != "display_data" && o.Type != "execute_result" {
		return nil, nil
	}
	r := &scrapReader{cell: cell, label: labelOf(o)}
	for _, mime := range slices.Sorted(maps.Keys(o.Data)) {
		r.data(mime, o.Data[mime])
	}
	r.display(o)
	r.changes(o)
	return r.scraps, r.problems
}

// changes reads what fanout_glue notes about the value that it records.
func (r *scrapReader) changes(o Output) {
	const most, longest = 20, 4000
	m, _ := o.Metadata["scrapbook"].(map[string]any)
	notes, _ := m["problems"].([]any)
	for _, note := range notes[:min(len(notes), most)] {
		if text, ok := note.(string); ok && len(text) <= longest {
			r.problem(ProblemChanged, r.label.name, "%s", text)
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

type scrapReader struct {
	cell     int
	label    label
	scraps   []Scrap
	problems []Problem
}

func (r *scrapReader) problem(kind, name, format string, args ...any) {
	r.problems = append(r.problems, Problem{kind, name, fmt.Sprintf(format, args...), r.cell})
}

func (r *scrapReader) data(mime string, raw json.RawMessage) {
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
func (r *scrapReader) named(mime, encoder string, raw json.RawMessage, legacy string) {
	s := newScanner(raw)
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
func (r *scrapReader) envelope(mime, encoder string, raw json.RawMessage) {
	out := Scrap{Name: r.label.name, Encoder: encoder, Mime: mime, Legacy: LegacyUnversioned}
	version := 0
	s := newScanner(raw)
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
				version, _ = integer(v)
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
func (r *scrapReader) add(s Scrap) {
	s.Cell = r.cell
	v, err := parseScalar(s.Data)
	if err != nil {
		r.problem("malformed_scrap", s.Name, "%s: %v", s.Mime, err)
		return
	}
	switch text, isText := v.(string); {
	case s.Encoder == "json" && isText:
		s.Data = jsonText(text)
	case s.Encoder == "text" && !isText:
		s.Data = TextJSON(string(s.Data))
	default:
		s.Data = pyjson.Strict(s.Data)
	}
	r.scraps = append(r.scraps, s)
}

// parseScalar is value.Decode, without looking into lists and objects.
func parseScalar(raw json.RawMessage) (any, error) {
	s := newScanner(raw)
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
	return TextJSON(text)
}

// display reads what the output shows under the label's name.
func (r *scrapReader) display(o Output) {
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
	s := Scrap{Name: r.label.name, Encoder: "display", Display: shown, Cell: r.cell, Legacy: r.label.legacy}
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

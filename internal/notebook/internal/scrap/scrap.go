// Package scrap reads the values that a notebook recorded out of its outputs, in
// every form there ever was: scrapbook's and papermill's, old and new, and Jupyter
// Book's.
package scrap

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/value"
)

// A Scrap is one value that a notebook recorded under a name.
type Scrap struct {
	Name    string
	Encoder string // "json", "text", "pandas", "display", or what the notebook says
	// Data is the value as valid JSON, when HasData is set. In data of encoder
	// "json" the numbers that JSON cannot write are the texts "NaN",
	// "Infinity" and "-Infinity".
	Data    json.RawMessage
	HasData bool
	Display map[string]json.RawMessage // how the value shows itself, by MIME type; nil when it does not
	Mime    string                     // MIME type the data was recorded under; "" for only a display
	Cell    int                        // number of the code cell, 0 when it is not known
	Legacy  string                     // the old or foreign form it was recorded in; "" for scrapbook's own

	times int // how often it was recorded, of which only the last is here
}

// IsFrame reports whether the data is a frame: a Parquet file as base64 text.
func (s Scrap) IsFrame() bool {
	return s.HasData && (s.Encoder == "pandas" || strings.HasSuffix(s.Mime, "scrap.pandas+json"))
}

// Frame is the Parquet file of a frame.
func (s Scrap) Frame() ([]byte, error) {
	v, err := value.Decode(s.Data)
	if lines, isList := v.([]any); isList {
		v = joined(lines)
	}
	text, isText := v.(string)
	if err != nil || !isText {
		return nil, errors.New("a frame must be base64 text of a Parquet file")
	}
	return Bytes(text)
}

// Bytes decodes the base64 of a frame or a picture, and passes over line breaks.
func Bytes(text string) ([]byte, error) {
	if strings.Contains(text, masked) {
		return nil, errors.New("it held a secret and was not kept: record it without what has the secret, such as a column")
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("read base64: %w", err)
	}
	return raw, nil
}

// masked stands where a secret was.
const masked = "[secret]"

// joined is a text that was written as a list of its lines.
func joined(lines []any) any {
	var b strings.Builder
	for _, l := range lines {
		line, isText := l.(string)
		if !isText {
			return nil
		}
		b.WriteString(line)
	}
	return b.String()
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

// Changed is the kind of a problem that says that a scrap is not quite
// what was to be recorded, as a column that became text.
const Changed = "changed"

// An Output is what one output of a cell shows.
type Output struct {
	Data     map[string]json.RawMessage // by MIME type
	Metadata map[string]any
}

// Holds reports whether an output may hold scraps: Of reads them.
func (o Output) Holds() bool {
	for mime := range o.Data {
		if IsType(mime) {
			return true
		}
	}
	for key := range o.Metadata {
		if IsKey(key) {
			return true
		}
	}
	return false
}

// IsType reports whether a MIME type is one of scraps.
func IsType(mime string) bool {
	return strings.HasPrefix(mime, "application/scrapbook.") || strings.HasPrefix(mime, mimeRecord)
}

// IsKey reports whether a key of an output's metadata may name a scrap.
func IsKey(key string) bool { return key == "scrapbook" || key == "papermill" }

// Names are the scraps of an output, sorted, nil when there are none. Each is its
// kind, a colon and its name: an output with the same list replaces this one.
func Names(o Output) []string {
	if !o.Holds() {
		return nil
	}
	scraps, _ := Of(0, 1, o)
	var names []string
	for _, s := range scraps {
		if s.HasData {
			names = append(names, "data:"+s.Name)
		}
		if s.Display != nil {
			names = append(names, "display:"+s.Name)
		}
	}
	slices.Sort(names)
	return names
}

// Merge makes one scrap of each name out of what Of returned for the outputs of a
// notebook in order.
func Merge(all []Scrap) ([]Scrap, []Problem) {
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

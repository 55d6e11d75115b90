package collect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/table/frame"
	"github.com/fanout-dev/fanout/internal/value"
)

// item is one scrap, decoded.
type item struct {
	name, encoder string
	value         any // of a plain scrap
	has           bool
	text          string // of a display, when it has a plain form
	frame         *frame.Summary
	piece         stored // of the frame
	pictures      []picture
}

// picture is one form of a display in the buffer.
type picture struct {
	piece     stored
	extension string
}

// The forms of a display that become files.
var pictureKinds = []struct {
	mime, extension string
	binary          bool
}{
	{"image/png", "png", true},
	{"image/jpeg", "jpg", true},
	{"image/gif", "gif", true},
	{"image/webp", "webp", true},
	{"image/svg+xml", "svg", false},
	{"text/html", "html", false},
	{"application/pdf", "pdf", true},
}

// decodeScrap turns a scrap into an item; frames and pictures go to the buffer.
// Only a buffer that cannot be written is an error: a bad scrap is a problem.
func decodeScrap(s notebook.Scrap, to *buffer) (item, []table.Problem, error) {
	it := item{name: value.ToUTF8(s.Name), encoder: value.ToUTF8(s.Encoder)}
	var problems []table.Problem
	wrong := func(kind string, err error) {
		problems = append(problems, table.Problem{Kind: kind, Name: it.name, Detail: sentence(err), Cell: s.Cell})
	}
	if s.HasData {
		err := it.data(s, to)
		var full *bufferError
		if errors.As(err, &full) {
			return it, nil, full.err
		}
		if err != nil {
			wrong("unreadable", err)
		}
		if it.frame != nil {
			for _, change := range it.frame.Changed {
				wrong(notebook.ProblemChanged, errors.New(change))
			}
		}
	}
	for _, k := range pictureKinds {
		raw, ok := s.Display[k.mime]
		if !ok {
			continue
		}
		b, err := pictureBytes(raw, k.binary)
		if err != nil {
			wrong("unreadable", fmt.Errorf("its %s form: %w", k.mime, err))
			continue
		}
		piece, err := to.add(b)
		if err != nil {
			return it, nil, err
		}
		it.pictures = append(it.pictures, picture{piece, k.extension})
	}
	if text, ok := jsonText(s.Display["text/plain"]); ok {
		it.text = text
	}
	return it, problems, nil
}

// bufferError marks an error that is ours, not the notebook's.
type bufferError struct{ err error }

func (e *bufferError) Error() string { return e.err.Error() }

func sentence(err error) string { return err.Error() }

// data decodes the value of a scrap.
func (it *item) data(s notebook.Scrap, to *buffer) error {
	if s.IsFrame() {
		var err error
		it.frame, it.piece, err = decodeFrame(s, to)
		return err
	}
	v, err := table.ParseJSON(s.Data)
	if err != nil {
		return err
	}
	if it.encoder == "json" {
		v = nonFinite(v)
	}
	it.value, it.has = v, true
	return nil
}

// nonFinite gives back the numbers that are texts in JSON, which has none for
// them. In a list with other texts they are texts, too.
func nonFinite(v any) any {
	switch v := v.(type) {
	case string:
		if f, ok := value.NonFinite(v); ok {
			return f
		}
	case map[string]any:
		for k := range v {
			v[k] = nonFinite(v[k])
		}
	case []any:
		if slices.ContainsFunc(v, isWords) {
			return v
		}
		for i := range v {
			v[i] = nonFinite(v[i])
		}
	}
	return v
}

func isWords(v any) bool {
	text, isText := v.(string)
	_, special := value.NonFinite(text)
	return isText && !special
}

// decodeFrame unpacks the Parquet file of a frame and looks at its footer.
func decodeFrame(s notebook.Scrap, to *buffer) (*frame.Summary, stored, error) {
	raw, err := s.Frame()
	if err != nil {
		return nil, stored{}, err
	}
	f, err := frame.Check(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return nil, stored{}, err
	}
	piece, err := to.add(raw)
	if err != nil {
		return nil, stored{}, &bufferError{err}
	}
	return f, piece, nil
}

// jsonText reads a JSON string, or a list of strings that are its lines.
func jsonText(raw json.RawMessage) (string, bool) {
	if len(raw) == 0 {
		return "", false
	}
	if inner, ok := plainString(raw); ok {
		return inner, true
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s, true
	}
	var lines []string
	if json.Unmarshal(raw, &lines) == nil {
		return strings.Join(lines, ""), true
	}
	return "", false
}

// plainString is the inside of a JSON string without escapes, as base64 is.
func plainString(raw []byte) (string, bool) {
	raw = bytes.TrimSpace(raw)
	if len(raw) < 2 || raw[0] != '"' || raw[len(raw)-1] != '"' {
		return "", false
	}
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') >= 0 || bytes.IndexByte(inner, '"') >= 0 {
		return "", false
	}
	return string(inner), true
}

func pictureBytes(raw json.RawMessage, binary bool) ([]byte, error) {
	text, ok := jsonText(raw)
	if !ok {
		return nil, errors.New("it is not text")
	}
	if binary {
		return notebook.ScrapBytes(strings.TrimSpace(text))
	}
	return []byte(text), nil
}

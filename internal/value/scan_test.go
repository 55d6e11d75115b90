package value

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func TestDecode(t *testing.T) {
	deep := strings.Repeat("[", 901) + strings.Repeat("]", 901)
	for text, want := range map[string]struct {
		value any
		err   string
	}{
		`null`:                         {nil, ""},
		` [1, -0.50e+3, NaN, [], {}] `: {[]any{json.Number("1"), json.Number("-0.50e+3"), json.Number("NaN"), []any{}, map[string]any{}}, ""},
		`{"a": 1, "a": -Infinity}`:     {map[string]any{"a": json.Number("-Infinity")}, ""},
		`"\ud83d\ude00 \ud83d \n\/"`:   {"\U0001F600 \ufffd \n/", ""},
		`"a` + "\n" + `"`:              {nil, "control character"},
		`"\x"`:                         {nil, "escape"},
		`"\u12"`:                       {nil, "ends"},
		`[01]`:                         {nil, "not JSON"},
		`[-NaN]`:                       {nil, "not JSON"},
		`[1,]`:                         {nil, "want a value"},
		`[1 2]`:                        {nil, "want a comma"},
		`{"a" 1}`:                      {nil, "want a colon"},
		`{1: 2}`:                       {nil, "name in quotes"},
		`[1`:                           {nil, "ends"},
		`tru`:                          {nil, "ends"},
		`1 2`:                          {nil, "more text"},
		``:                             {nil, "ends"},
		deep:                           {nil, "nested more than 900 deep"},
	} {
		got, err := Decode([]byte(text))
		if want.err == "" && (err != nil || !cmp.Equal(got, want.value)) || want.err != "" && (err == nil || !strings.Contains(err.Error(), want.err)) {
			t.Errorf("%.30s: %v, %v", text, got, err)
		}
		_, err = NewScanner([]byte(text)).Raw()
		if want.err != "" && want.err != "more text" && (err == nil || !strings.Contains(err.Error(), want.err)) {
			t.Errorf("Raw of %.30s: %v", text, err)
		}
	}
}

// TestStream passes values longer than the window, and than what is kept.
func TestStream(t *testing.T) {
	for _, size := range []int{10, streamBuffer, streamKeep - 100, streamKeep + 100} {
		long := `"` + strings.Repeat(`\\ab\"`, size/6) + `"`
		doc := `{"first": [` + long + `, {"deep": NaN}], "tak\u0065n": ` + long + `, "last": 12}`
		var s Stream
		s.Reset(iotest.HalfReader(strings.NewReader(doc)))
		var keys []string
		err := s.Object(func(key string) error {
			keys = append(keys, key)
			if key != "taken" {
				return s.Skip()
			}
			s.Keep()
			span, err := s.Take(streamKeep)
			kept := s.Kept()
			if doc[span.Start:span.End] != long || kept.End != span.End {
				t.Errorf("%d bytes are at %d to %d", len(long), span.Start, span.End)
			}
			if whole := len(long) <= streamKeep; (span.Raw != nil) != whole || whole && (string(span.Raw) != long || !bytes.HasSuffix(kept.Raw, span.Raw)) {
				t.Errorf("%d bytes: took %d, kept %d", len(long), len(span.Raw), len(kept.Raw))
			}
			return err
		})
		if err = errors.Join(err, s.End()); err != nil || !cmp.Equal(keys, []string{"first", "taken", "last"}) {
			t.Errorf("%d bytes: %v, %v", len(long), keys, err)
		}
	}
	broken := errors.New("disk on fire")
	var s Stream
	s.Reset(io.MultiReader(strings.NewReader(`[1, `), iotest.ErrReader(broken)))
	if err := s.Skip(); !errors.Is(err, broken) {
		t.Errorf("got %v, want the reader's error", err)
	}
}

// FuzzDecode compares both scanners with encoding/json: what that reads they
// read, too, and Python's numbers are all they read beyond it.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{"a": [1, "\ud800", {"b": null}], "a": 1e5}`, `[NaN, -Infinity]`, `"\\\""`, `[[],{}]`, `{"":{"":[{}]}}x`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := Decode(text)
		var s Stream
		s.Reset(iotest.OneByteReader(bytes.NewReader(text)))
		streamed := errors.Join(s.Skip(), s.End())
		if err == nil && streamed != nil {
			t.Fatalf("only Decode reads it: %v", streamed)
		}
		d := json.NewDecoder(bytes.NewReader(bytes.ToValidUTF8(text, []byte("\ufffd"))))
		d.UseNumber()
		var want any
		if d.Decode(&want) != nil {
			return
		}
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			return
		}
		if err != nil {
			if strings.Contains(err.Error(), "nested") {
				return
			}
			t.Fatalf("encoding/json reads it: %v", err)
		}
		if valid := bytes.ToValidUTF8(text, []byte("\ufffd")); bytes.Equal(valid, text) && !cmp.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

func TestFloatSpellings(t *testing.T) {
	for x, want := range map[float64]string{
		0: "0.0", math.Copysign(0, -1): "-0.0", 1: "1.0", 0.1: "0.1", 1e-4: "0.0001", 0.00005: "5e-05", 1e15: "1000000000000000.0", 1e16: "1e+16", 1.5e300: "1.5e+300",
	} {
		if got := FloatJSON(x); got != want || FloatRepr(x) != want {
			t.Errorf("%v is %s and %s, want %s", x, got, FloatRepr(x), want)
		}
	}
	for x, want := range map[float64][2]string{math.Inf(1): {"Infinity", "inf"}, math.Inf(-1): {"-Infinity", "-inf"}} {
		if FloatJSON(x) != want[0] || FloatRepr(x) != want[1] {
			t.Errorf("%v is %s and %s", x, FloatJSON(x), FloatRepr(x))
		}
	}
	if nan := math.NaN(); FloatJSON(nan) != "NaN" || FloatRepr(nan) != "nan" {
		t.Error(FloatJSON(nan), FloatRepr(nan))
	}
}

// TestTooManyValues: a text may have any number of values that are passed, but not
// of those that are kept.
func TestTooManyValues(t *testing.T) {
	defer func(n int) { maxValues = n }(maxValues)
	maxValues = 5
	for text, fits := range map[string]bool{
		`[1, [2], "3"]`: true, `{"a": {"b": 1}, "c": [2]}`: true, `[1, [2], "3", 4]`: false, `[[[[[]]]]]`: true, `[[[[[[]]]]]]`: false,
	} {
		var syntax *SyntaxError
		if _, err := Decode([]byte(text)); fits != (err == nil) || err != nil && (!errors.As(err, &syntax) || !strings.Contains(err.Error(), "more than 5 values")) {
			t.Errorf("%s: %v", text, err)
		}
		if err := NewScanner([]byte(text)).Skip(); err != nil {
			t.Errorf("%s is not passed: %v", text, err)
		}
	}
	s := NewScanner([]byte(`[1, 2] [3, 4]`))
	if _, err := s.Section(0, 6).Any(); err != nil {
		t.Error(err)
	}
	if _, err := s.Section(7, 13).Any(); err == nil {
		t.Error("sections do not share the limit")
	}
}

package remote

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A reply may not be longer than the limit, by a byte.
func TestBoundedBody(t *testing.T) {
	for limit, want := range map[int64]error{9: ErrEndless, 10: nil, 11: nil} {
		b := &boundedBody{http.NoBody, limit}
		b.ReadCloser = readCloser{strings.NewReader("0123456789")}
		var got bytes.Buffer
		_, err := got.ReadFrom(b)
		if !errors.Is(err, want) || want == nil && got.String() != "0123456789" {
			t.Errorf("limit %d: %q, %v", limit, got.String(), err)
		}
	}
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

// The pauses make about four minutes.
func TestPatience(t *testing.T) {
	var waited time.Duration
	for n := 1; n < Attempts; n++ {
		waited += Pause(n)
	}
	if waited < 3*time.Minute || waited > 5*time.Minute {
		t.Errorf("%v", waited)
	}
}

// What is escaped is read back, whatever it looks like, and carries nothing bad.
func TestEscape(t *testing.T) {
	control := func(c byte) bool { return c < ' ' }
	for key, want := range map[string]string{
		"attempts/ab12.1.ipynb": "attempts/ab12.1.ipynb", "a\nb": "a__0xa__b", "a../b": "a..__0x2f__b", "a__0xa__b": "a__0x5f___0xa__b", "ü__x": "ü__x",
	} {
		if got := Escape(key, control); got != want || Unescape(got) != key {
			t.Errorf("%q is %q and back %q, want %q", key, got, Unescape(got), want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		key := strings.Join(rapid.SliceOf(rapid.SampledFrom([]string{"_", "__", "0x", "__0x", "a", "2f", "..", "/", "\n", "\x01", "é"})).Draw(t, "key"), "")
		name := Escape(key, control)
		if got := Unescape(name); got != key {
			t.Fatalf("%q is %q and back %q", key, name, got)
		}
		if strings.ContainsFunc(name, func(r rune) bool { return r < ' ' }) {
			t.Fatalf("%q has control characters", name)
		}
	})
}

package jsonl

import (
	"bytes"
	"strings"
	"testing"
)

// TestLongLine: a line that would take much memory is neither written nor read;
// those around it are.
func TestLongLine(t *testing.T) {
	long := strings.Repeat("x", mostLine)
	if _, err := Encode([]string{"a", long}); err == nil || !strings.Contains(err.Error(), "encode string: it has 16777219 bytes; a line has at most 16777216") {
		t.Errorf("error %v", err)
	}
	text, err := Encode([]string{"a", long[:mostLine-3], "b"})
	if err != nil {
		t.Fatal(err)
	}
	if values, err := DecodeAll[string](text); err != nil || len(values) != 3 {
		t.Errorf("%d values, %v", len(values), err)
	}
	values, errs := Decode[string](bytes.Replace(text, []byte("x"), []byte("xxxxx"), 1))
	if values[0] != "a" || values[2] != "b" || errs[0] != nil || errs[1] == nil || errs[2] != nil {
		t.Errorf("%.3q, %v", values, errs)
	}
}

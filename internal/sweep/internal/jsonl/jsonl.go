// Package jsonl encodes and decodes lines of JSON: values in, lines out, and
// back. It knows nothing of what the lines say.
package jsonl

import (
	"bytes"
	"encoding/json"
	"fmt"
	"runtime"
	"sync"

	jsonv1 "github.com/go-json-experiment/json/v1"
)

// Line encodes what cannot fail to be encoded: a struct of texts, numbers and
// times.
func Line(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic("jsonl: " + err.Error())
	}
	return append(text, '\n')
}

// mostLine is how many bytes a line may have: a value takes many times as many in
// memory.
const mostLine = 16 << 20

func tooLong(bytes int) error {
	return fmt.Errorf("it has %d bytes; a line has at most %d", bytes, mostLine)
}

// Encode encodes values as lines of JSON.
func Encode[T any](values []T) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for i := range values {
		before := b.Len()
		err := enc.Encode(&values[i])
		if n := b.Len() - before; err == nil && n > mostLine {
			err = tooLong(n)
		}
		if err != nil {
			return nil, fmt.Errorf("encode %T: %w", values[i], err)
		}
	}
	return b.Bytes(), nil
}

// Decode decodes lines of JSON, as many at once as there are cores. The results
// are parallel to the lines.
func Decode[T any](b []byte) ([]T, []error) {
	if len(b) == 0 {
		return nil, nil
	}
	return DecodeLines[T](bytes.Split(bytes.TrimSuffix(b, []byte("\n")), []byte("\n")))
}

// DecodeLines is Decode of lines that are apart already.
func DecodeLines[T any](lines [][]byte) ([]T, []error) {
	out, errs := make([]T, len(lines)), make([]error, len(lines))
	share := len(lines)/runtime.GOMAXPROCS(0) + 1
	var work sync.WaitGroup
	for from := 0; from < len(lines); from += share {
		work.Go(func() {
			for i := from; i < min(from+share, len(lines)); i++ {
				if len(lines[i]) > mostLine {
					errs[i] = tooLong(len(lines[i]))
					continue
				}
				errs[i] = jsonv1.Unmarshal(lines[i], &out[i])
			}
		})
	}
	work.Wait()
	return out, errs
}

// DecodeAll is Decode where every line must be right.
func DecodeAll[T any](b []byte) ([]T, error) {
	values, errs := Decode[T](b)
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	return values, nil
}

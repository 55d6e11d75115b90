package pyjson

import (
	"encoding/json"
	"strings"

	"github.com/fanout-dev/fanout/internal/value"
)

// Strict is raw, which Python wrote, as JSON: with NaN and the infinities as texts if it holds any.
func Strict(raw json.RawMessage) json.RawMessage {
	if !strings.Contains(string(raw), "NaN") && !strings.Contains(string(raw), "Infinity") {
		return raw
	}
	s := value.NewScanner(raw)
	out, err := withoutSpecials(s, nil)
	if err != nil {
		return raw
	}
	return out
}

// withoutSpecials appends the value at this position to b.
func withoutSpecials(s *value.Scanner, b []byte) ([]byte, error) {
	var err error
	first := true
	comma := func() {
		if !first {
			b = append(b, ',')
		}
		first = false
	}
	switch s.Peek() {
	case '{':
		b = append(b, '{')
		err = s.Object(func(key string) error {
			comma()
			b = append(value.AppendText(b, key), ':')
			b, err = withoutSpecials(s, b)
			return err
		})
		return append(b, '}'), err
	case '[':
		b = append(b, '[')
		err = s.Array(func() error {
			comma()
			b, err = withoutSpecials(s, b)
			return err
		})
		return append(b, ']'), err
	}
	raw, err := s.Raw()
	if _, special := value.NonFinite(string(raw)); special {
		raw = value.AppendText(nil, string(raw))
	}
	return append(b, raw...), err
}

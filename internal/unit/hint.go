package unit

import (
	"errors"
	"fmt"
)

// WithHint adds a line to an error that says what to type next. It keeps the
// error's own text and what it wraps.
func WithHint(err error, format string, args ...any) error {
	return &hinted{err, fmt.Sprintf(format, args...)}
}

// HintOf is what to type next after err: the hint of the outermost error that
// has one, or nothing.
func HintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

type hinted struct {
	error
	hint string
}

func (e *hinted) Unwrap() error { return e.error }
func (e *hinted) Hint() string  { return e.hint }

package unit

import (
	"errors"
	"fmt"
)

// WithHint adds to an error a line with what to type next. It keeps the
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

// Complaint is an error on one line, with its hint.
func Complaint(err error) string {
	why := Line(err.Error())
	if hint := HintOf(err); hint != "" {
		why += " (" + hint + ")"
	}
	return why
}

type hinted struct {
	error
	hint string
}

func (e *hinted) Unwrap() error { return e.error }
func (e *hinted) Hint() string  { return e.hint }

// Mistake marks err as a fault in what the user asked for: a file that is
// wrong, an invalid value, a run that does not exist. Nothing was executed.
func Mistake(err error) error {
	if err == nil {
		return nil
	}
	return &mistake{err}
}

// IsMistake reports whether err is, or wraps, a Mistake.
func IsMistake(err error) bool {
	var m *mistake
	return errors.As(err, &m)
}

type mistake struct{ error }

func (m *mistake) Unwrap() error { return m.error }

package expr

import (
	"fmt"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/grid/internal/dates"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

func textArgs(name string, args []any, n int) ([]string, error) {
	if len(args) != n {
		return nil, fmt.Errorf("%s takes %s, not %d", name, unit.Plural(n, "argument"), len(args))
	}
	out := make([]string, n)
	for i, a := range args {
		s, ok := a.(string)
		if !ok {
			return nil, fmt.Errorf("%s wants text, not %v", name, a)
		}
		out[i] = s
	}
	return out, nil
}

// stringOf writes numbers as the canonical form does, so that text made of
// them does not change with the machine.
func stringOf(args ...any) (any, error) {
	if len(args) != 1 {
		return nil, fmt.Errorf("string takes one argument")
	}
	if s, ok := args[0].(string); ok {
		return s, nil
	}
	v, err := value.Of(args[0])
	if err == nil && len(v.String()) > maxText {
		err = fmt.Errorf("the text is longer than %d bytes", maxText)
	}
	return v.String(), err
}

func join(args ...any) (any, error) {
	if len(args) == 1 {
		args = append(args, "")
	}
	if len(args) != 2 {
		return nil, fmt.Errorf("join takes a list and what to put between")
	}
	sep, ok := args[1].(string)
	parts, err := listOf(args[0])
	if err != nil || !ok {
		return nil, fmt.Errorf("join wants a list of texts, and text to put between")
	}
	size := len(sep) * len(parts)
	for _, p := range parts {
		size += len(p)
	}
	if size > maxText {
		return nil, fmt.Errorf("the text is longer than %d bytes", maxText)
	}
	return strings.Join(parts, sep), nil
}

func listOf(x any) ([]string, error) {
	switch x := x.(type) {
	case []string:
		return x, nil
	case []any:
		return textArgs("join", x, len(x))
	}
	return nil, fmt.Errorf("want a list, not %v", x)
}

func replace(args ...any) (any, error) {
	s, err := textArgs("replace", args, 3)
	if err != nil {
		return nil, err
	}
	if len(s[0])+strings.Count(s[0], s[1])*len(s[2]) > maxText {
		return nil, fmt.Errorf("the text is longer than %d bytes", maxText)
	}
	return strings.ReplaceAll(s[0], s[1], s[2]), nil
}

func date(s string) (time.Time, error) {
	t, _, err := dates.Absolute(s, time.UTC)
	return t, err
}

func strftime(args ...any) (any, error) {
	s, err := textArgs("strftime", args, 2)
	if err != nil {
		return nil, err
	}
	t, err := date(s[0])
	if err != nil {
		return nil, err
	}
	if err := dates.CheckFormat(s[1]); err != nil {
		return nil, err
	}
	return dates.Strftime(t, s[1]), nil
}

// shift moves a date: shift("2026-03-31", "-1mo") is "2026-02-28".
func shift(args ...any) (any, error) {
	s, err := textArgs("shift", args, 2)
	if err != nil {
		return nil, err
	}
	t, layout, err := dates.Absolute(s[0], time.UTC)
	if err != nil {
		return nil, err
	}
	moved, err := dates.Shift(t, s[1])
	if err != nil {
		return nil, err
	}
	return moved.Format(layout), nil
}

// weekday counts from 1, Monday, to 7, Sunday.
func weekday(args ...any) (any, error) {
	s, err := textArgs("weekday", args, 1)
	if err != nil {
		return nil, err
	}
	t, err := date(s[0])
	return (int(t.Weekday())+6)%7 + 1, err
}

// Package secret keeps the values of secrets out of what leaves this process.
//
// In go the values; out comes a Mask, which replaces them, in the forms that
// programs give them, in texts, JSON documents, errors and whole values. What
// comes in pieces is masked once it is joined: Split says how much of a text is
// complete.
//
// It promises that what a mask returns holds none of the forms it knows. What a
// program computes from a secret it cannot know.
package secret

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/fanout-dev/fanout/internal/unit"
)

// Mark replaces a secret.
const Mark = "[secret]"

// shortest is the length, in bytes, below which a value would also be found where
// it is not a secret.
const shortest = 6

// Check returns an error if a value is too short to be masked.
func Check(value string) error {
	if len(strings.TrimSpace(value)) < shortest {
		return fmt.Errorf("mask a secret: its value has fewer than %d characters and cannot be distinguished from other text", shortest)
	}
	return nil
}

// Error takes secrets out of the text of an error, and of its hint. What it wraps
// is still found.
func (m *Mask) Error(err error) error {
	if m == nil || err == nil {
		return err
	}
	text, hint := m.Text(err.Error()), m.Text(unit.HintOf(err))
	if text == err.Error() && hint == unit.HintOf(err) {
		return err
	}
	return &maskedError{err, text, hint}
}

// A maskedError is an error whose text held a secret.
type maskedError struct {
	err        error
	text, hint string
}

func (e *maskedError) Error() string { return e.text }
func (e *maskedError) Hint() string  { return e.hint }
func (e *maskedError) Unwrap() error { return e.err }

// Pass returns v with the secrets replaced in every text of it: in fields, lists,
// names of maps, and behind pointers and interfaces. v itself stays as it is.
func Pass[T any](m *Mask, v T) T {
	if m != nil {
		m.pass(reflect.ValueOf(&v).Elem())
	}
	return v
}

// pass replaces the secrets in v, of which this process has no other copy, and
// puts copies in place of what v shares with others.
func (m *Mask) pass(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(m.Text(v.String()))
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				m.pass(f)
			}
		}
	case reflect.Pointer, reflect.Interface, reflect.Slice, reflect.Map:
		if !v.IsNil() {
			v.Set(m.passed(v))
		}
	}
}

// passed is a masked copy of what shares its content.
func (m *Mask) passed(v reflect.Value) reflect.Value {
	copied := func(of reflect.Value) reflect.Value {
		out := reflect.New(of.Type()).Elem()
		out.Set(of)
		m.pass(out)
		return out
	}
	switch x := v.Interface().(type) {
	case error:
		if masked := reflect.ValueOf(m.Error(x)); masked.Type().AssignableTo(v.Type()) {
			return masked
		}
	case json.RawMessage:
		return reflect.ValueOf(m.JSON(x))
	case []byte:
		return reflect.ValueOf([]byte(m.Text(string(x))))
	case []string:
		return reflect.ValueOf(m.list(x))
	}
	switch v.Kind() {
	case reflect.Pointer:
		p := reflect.New(v.Type().Elem())
		p.Elem().Set(copied(v.Elem()))
		return p
	case reflect.Slice:
		out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			out.Index(i).Set(copied(v.Index(i)))
		}
		return out
	case reflect.Map:
		out := reflect.MakeMapWithSize(v.Type(), v.Len())
		for each := v.MapRange(); each.Next(); {
			out.SetMapIndex(copied(each.Key()), copied(each.Value()))
		}
		return out
	}
	return copied(v.Elem()) // an interface
}

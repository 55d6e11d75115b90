package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
)

// probeError reports what a store cannot do.
type probeError struct {
	where, step string
	err         error
	hint        string
}

func (e *probeError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("probe %s: %s", e.where, e.step)
	}
	return fmt.Sprintf("probe %s: %s: %v", e.where, e.step, e.err)
}

func (e *probeError) Unwrap() error { return e.err }

// Hint says what to do about it.
func (e *probeError) Hint() string {
	var h interface{ Hint() string }
	if e.hint == "" && errors.As(e.err, &h) {
		return h.Hint()
	}
	return e.hint
}

// Probe finds out whether a store works: it writes an object, reads it, tries to
// create it a second time, copies, lists and deletes it. The error says which of
// these the store cannot do.
func Probe(ctx context.Context, st Store) error {
	key := "probe-" + randomName() // no folder, which a directory would keep
	copied := key + ".copy"
	defer func() {
		clean := context.WithoutCancel(ctx)
		st.Delete(clean, key)
		st.Delete(clean, copied)
	}()
	want := []byte("fanout probes\n")
	failed := func(step string, err error) error { return &probeError{where: st.String(), step: step, err: err} }
	if err := st.Create(ctx, key, want, Synced); err != nil {
		return failed("it does not write", err)
	}
	got, err := st.Get(ctx, key)
	if err != nil {
		return failed("it does not read", err)
	}
	if !bytes.Equal(got, want) {
		return failed("it returns something other than what was written", nil)
	}
	if err := createAgain(ctx, st, key, want); err != nil {
		return err
	}
	if err := st.Copy(ctx, copied, key); err != nil {
		return failed("it does not copy", err)
	}
	if err := probeList(ctx, st, key, copied); err != nil {
		return failed("it does not list what was written", err)
	}
	if err := st.Delete(ctx, key); err != nil {
		return failed("it does not delete", err)
	}
	if _, err := st.Stat(ctx, key); !errors.Is(err, fs.ErrNotExist) {
		return failed("an object is there after it was deleted", err)
	}
	return nil
}

// CreateFirst creates the first object of a store, and makes sure that nobody can
// create it again: what else is kept there relies on that.
func CreateFirst(ctx context.Context, st Store, key string, data []byte) error {
	if err := st.Create(ctx, key, data, Synced); err != nil {
		return err
	}
	err := createAgain(ctx, st, key, data)
	var useless *probeError
	if errors.As(err, &useless) {
		st.Delete(context.WithoutCancel(ctx), key)
	}
	return err
}

// createAgain makes sure that an object cannot be created that is there.
func createAgain(ctx context.Context, st Store, key string, data []byte) error {
	err := st.Create(ctx, key, data, Synced)
	if err == nil {
		return &probeError{st.String(), "it lets two writers create one object", nil,
			"the server ignores If-None-Match: use one that has conditional writes, or a directory"}
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

func probeList(ctx context.Context, st Store, want ...string) error {
	var got []string
	for o, err := range st.List(ctx, want[0]) {
		if err != nil {
			return err
		}
		got = append(got, o.Key)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		return fmt.Errorf("it lists %q, not %q", got, want)
	}
	return nil
}

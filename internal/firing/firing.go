// Package firing is the history of a schedule, kept in the sweep that it extends:
// which firing was due when, who made it, when it began and ended, with which exit
// code and why, and what it printed.
//
// In go a firing as it begins, what it prints, and its end; out comes the history,
// newest first. Whatever fires a schedule records so, a cluster or one machine: who
// made a firing is a text for people, and nothing here depends on it.
//
// It promises that every try of a firing has a record of its own, which nobody
// else can have taken, and that a record is whole or absent. A firing that was
// killed has no end in the history: who knows more may say so.
//
// It decides neither when a firing is due nor whether it is made again.
package firing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/diary"
	"github.com/fanout-dev/fanout/internal/store"
)

// A Firing is one try at what a schedule has to do at the time it is due. Times
// are of the machine that made it.
type Firing struct {
	Due   time.Time `json:"due"`
	Try   int       `json:"try"` // from 1; a further one is of a firing whose machine went away
	By    string    `json:"by"`  // what made it, for people
	ID    string    `json:"id,omitempty"`
	Host  string    `json:"host,omitempty"`
	User  string    `json:"user,omitempty"`
	Asked string    `json:"asked,omitempty"` // who asked for it; "" if it was made because it was due
	Began time.Time `json:"began"`

	End *End `json:"-"` // nil while it runs, and when nobody recorded it
}

// An End is how a firing ended.
type End struct {
	At     time.Time `json:"ended"`
	Code   int       `json:"exit_code"`
	Reason string    `json:"reason,omitempty"` // of a code that is not 0, for people
}

// Meaning is what an exit code of fanout says of a firing.
func Meaning(code int) string {
	switch code {
	case 0:
		return "done"
	case 2:
		return "exit code 2: the sweep file or its settings are wrong"
	case 3:
		return "exit code 3: some runs did not succeed"
	case 4:
		return "exit code 4: another fanout held the sweep"
	case 5:
		return "exit code 5: a gate was violated"
	case 130, 143:
		return fmt.Sprintf("exit code %d: stopped", code)
	}
	return fmt.Sprintf("exit code %d: it could not finish", code)
}

// Prefix is where a sweep keeps its history. No other package spells a key in it.
const Prefix = "firings/"

const (
	keyClaim = Prefix + "lock"
	keyTime  = "20060102T150405Z"
	maxSize  = 64 << 10 // of a record; what is larger was not written here
	maxKept  = 1000     // tries; the oldest go
	maxTries = 1000     // of one firing
)

// key is the beginning of the keys of a try.
func key(due time.Time, try int) string {
	return fmt.Sprintf("%s%s.%d", Prefix, due.UTC().Format(keyTime), try)
}

// parse is the inverse of key, for a key that ends with suffix.
func parse(text, suffix string) (due time.Time, try int, ok bool) {
	name, found := strings.CutSuffix(strings.TrimPrefix(text, Prefix), suffix)
	at, digits, dotted := strings.Cut(name, ".")
	due, err := time.Parse(keyTime, at)
	try, bad := strconv.Atoi(digits)
	return due, try, found && dotted && err == nil && bad == nil && try > 0
}

// Claim is taken by whoever decides what of a schedule is fired and fires it, where
// no cluster does. store.ErrLocked says that somebody has it.
func Claim(ctx context.Context, st store.Store) (store.Lock, error) { return st.Lock(ctx, keyClaim) }

// Claimed reports whether somebody has the claim.
func Claimed(ctx context.Context, st store.Store) bool {
	locked, err := st.Locked(ctx, keyClaim)
	return err == nil && locked
}

// A Recorder writes the history of a firing that is being made.
type Recorder struct {
	Firing
	store   store.Store
	printed *diary.Diary
}

// Begin records that a firing begins, or began if it says when, as the next try at
// it.
func Begin(ctx context.Context, st store.Store, f Firing) (*Recorder, error) {
	if f.Began.IsZero() {
		f.Began = time.Now()
	}
	f.Due, f.Began = f.Due.UTC(), f.Began.UTC()
	if err := create(ctx, st, &f); err != nil {
		return nil, fmt.Errorf("record the firing of %s: %w", f.Due.Format(time.RFC3339), err)
	}
	log, err := diary.Open(ctx, st, key(f.Due, f.Try)+".log")
	if err != nil {
		return nil, fmt.Errorf("open the log of the firing of %s: %w", f.Due.Format(time.RFC3339), err)
	}
	prune(ctx, st)
	return &Recorder{f, st, log}, nil
}

func create(ctx context.Context, st store.Store, f *Firing) error {
	for f.Try = 1; f.Try <= maxTries; f.Try++ {
		text, err := json.Marshal(f)
		if err != nil {
			return err
		}
		err = st.Create(ctx, key(f.Due, f.Try)+".json", append(text, '\n'), store.Synced)
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return fmt.Errorf("it was tried %d times", maxTries)
}

// Write keeps what the firing prints, up to a limit. It never fails.
func (r *Recorder) Write(text []byte) (int, error) { return r.printed.Write(text) }

// Close records how the firing ended.
func (r *Recorder) Close(ctx context.Context, code int, reason string) error {
	failed := r.printed.Close()
	text, err := json.Marshal(End{At: time.Now().UTC(), Code: code, Reason: reason})
	if err == nil {
		err = r.store.Create(ctx, key(r.Due, r.Try)+".end.json", append(text, '\n'), store.Synced)
	}
	if err != nil {
		err = fmt.Errorf("record the end of the firing of %s: %w", r.Due.Format(time.RFC3339), err)
	}
	return errors.Join(failed, err)
}

// List returns the last n tries of a sweep's schedule, newest first. A record that
// cannot be read is left out.
func List(ctx context.Context, st store.Store, n int) ([]Firing, error) {
	began, ended, err := keys(ctx, st)
	if err != nil {
		return nil, err
	}
	slices.Reverse(began)
	var all []Firing
	for _, t := range began[:min(n, len(began))] {
		var f Firing
		if get(ctx, st, key(t.due, t.try)+".json", &f) != nil {
			continue
		}
		f.Due, f.Try = t.due, t.try
		var end End
		if ended[t] && get(ctx, st, key(t.due, t.try)+".end.json", &end) == nil {
			f.End = &end
		}
		all = append(all, f)
	}
	return all, nil
}

// Name names a try within its sweep.
func (f Firing) Name() string { return strings.TrimPrefix(key(f.Due, f.Try), Prefix) }

// Get returns one try, by its Name. That there is none is an fs.ErrNotExist.
func Get(ctx context.Context, st store.Store, id string) (f Firing, err error) {
	due, n, ok := parse(Prefix+id, "")
	if !ok || key(due, n) != Prefix+id {
		return f, fmt.Errorf("firing %.40q: %w", id, fs.ErrNotExist)
	}
	if err := get(ctx, st, key(due, n)+".json", &f); err != nil {
		return f, err
	}
	f.Due, f.Try = due, n
	var end End
	if get(ctx, st, key(due, n)+".end.json", &end) == nil {
		f.End = &end
	}
	return f, nil
}

// Log is what a firing printed, each line with its time.
func Log(ctx context.Context, st store.Store, f Firing) ([]byte, error) {
	text, err := diary.Read(ctx, st, key(f.Due, f.Try)+".log")
	if err != nil {
		return nil, fmt.Errorf("read the log of the firing of %s: %w", f.Due.Format(time.RFC3339), err)
	}
	return text, nil
}

// try names one.
type try struct {
	due time.Time
	try int
}

// keys lists the tries that began, oldest first, and those that ended.
func keys(ctx context.Context, st store.Store) (began []try, ended map[try]bool, err error) {
	ended = map[try]bool{}
	for o, err := range st.List(ctx, Prefix) {
		if err != nil {
			return nil, nil, fmt.Errorf("list firings: %w", err)
		}
		if o.Size > maxSize {
			continue
		}
		if due, n, ok := parse(o.Key, ".end.json"); ok {
			ended[try{due, n}] = true
		} else if due, n, ok := parse(o.Key, ".json"); ok {
			began = append(began, try{due, n})
		}
	}
	slices.SortFunc(began, func(a, b try) int {
		if c := a.due.Compare(b.due); c != 0 {
			return c
		}
		return a.try - b.try
	})
	return began, ended, nil
}

func get(ctx context.Context, st store.Store, key string, into any) error {
	text, err := store.GetSmall(ctx, st, key)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// prune removes the oldest tries beyond what is kept. What it cannot remove, the
// next firing does.
func prune(ctx context.Context, st store.Store) {
	began, _, err := keys(ctx, st)
	if err != nil || len(began) <= maxKept {
		return
	}
	for _, t := range began[:len(began)-maxKept] {
		for o, err := range st.List(ctx, key(t.due, t.try)+".") {
			if err == nil {
				st.Delete(ctx, o.Key)
			}
		}
	}
}

// Package patience says how long a verb waits for a bucket that does not answer, and
// tells whoever typed it.
package patience

import (
	"context"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/unit"
)

// limit is how long a bucket that does not answer is waited for by verbs that execute
// nothing.
const limit = time.Minute

// lasting are the verbs that execute runs, or serve: they are worth more patience.
var lasting = []string{"run", "rerun", "run-now", "catchup", "worker", "fire", "serve", "exec"}

// Of makes buckets of a verb waited for as long as somebody does who asked. Nothing is
// said while told reports that people learn it elsewhere.
func Of(ctx context.Context, verb string, stderr unit.Printer, told func() bool) context.Context {
	return store.Within(ctx, waitOf(verb, stderr, told))
}

func waitOf(verb string, stderr unit.Printer, told func() bool) store.Wait {
	wait := store.Wait{Limit: limit}
	if slices.Contains(lasting, verb) {
		wait.Limit = store.Patience
	}
	var said recently
	wait.Tell = func(where string) {
		if !told() && said.first(bucketOf(where), wait.Limit) {
			stderr.Printf("fanout: %s does not answer: fanout waits for it, for up to %s\n", where, unit.Duration(wait.Limit))
		}
	}
	return wait
}

// Sayer tells whoever typed a verb what is waited for, unless people learn it elsewhere.
func Sayer(stderr unit.Printer, told func() bool) func(text string) bool {
	return func(text string) bool {
		if told() {
			return false
		}
		stderr.Printf("fanout: %s\n", text)
		return true
	}
}

// bucketOf is the URL of the whole bucket that where is a part of: a server has many
// sweeps, and one bucket that does not answer.
func bucketOf(where string) string {
	u, err := url.Parse(where)
	if err != nil {
		return where
	}
	u.Path = ""
	return u.String()
}

// recently knows what has been said.
type recently struct {
	mu sync.Mutex
	at map[string]time.Time
}

// first reports whether a text was not said within a while, and that it is now.
func (r *recently) first(text string, within time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at, said := r.at[text]; said && time.Since(at) < within {
		return false
	}
	if r.at == nil {
		r.at = map[string]time.Time{}
	}
	r.at[text] = time.Now()
	return true
}

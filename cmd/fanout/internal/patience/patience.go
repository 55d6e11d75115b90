// Package patience says how long a verb waits for a bucket that does not answer, and
// tells whoever typed it.
package patience

import (
	"context"
	"slices"
	"time"

	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/unit"
)

// limit is how long a bucket that does not answer is waited for by verbs that execute
// nothing.
const limit = time.Minute

// lasting are the verbs that execute runs, or serve: they are worth more patience, and
// say themselves what they wait for.
var lasting = []string{"run", "rerun", "run-now", "catchup", "worker", "fire", "serve", "exec"}

// Of makes buckets of a verb waited for as long as somebody does who asked.
func Of(ctx context.Context, verb string, stderr unit.Printer) context.Context {
	if slices.Contains(lasting, verb) {
		return ctx
	}
	return store.Within(ctx, store.Wait{Limit: limit, Tell: func(where string) {
		stderr.Printf("fanout: %s does not answer: fanout waits for it, for about %s\n", where, unit.Duration(limit))
	}})
}

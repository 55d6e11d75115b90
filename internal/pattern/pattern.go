// Package pattern has regular expressions that are compiled when they are first
// used. Compiling one takes up to a millisecond, and most invocations of the
// command use few.
//
// In go expressions, which must be valid; out come functions that return them
// compiled, each compiled once, for any number of goroutines.
package pattern

import (
	"regexp"
	"sync"
)

// Of is the regular expression that text describes. The first call of what it
// returns panics if text describes none.
func Of(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}

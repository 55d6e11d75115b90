package outcome_test

import (
	"testing"

	"github.com/fanout-dev/fanout/internal/outcome"
)

// What is passed counts, where it was noted.
func TestFedAs(t *testing.T) {
	for _, c := range []struct {
		was, now string
		same     bool
	}{
		{"", "", true}, {"a.", "a.", true}, {"a.x", "a.x", true}, {"a", "a.x", true}, {"a.x", "a", true},
		{"a.x", "b.x", false}, {"a.x", "a.y", false}, {"a.", "a.x", false}, {"a.x", "a.", false}, {"a", "b.", false}, {"", "a.", false},
	} {
		if got := (outcome.Fingerprint{Upstream: c.was}).FedAs(outcome.Fingerprint{Upstream: c.now}); got != c.same {
			t.Errorf("%q and %q: %v", c.was, c.now, got)
		}
	}
}

package query

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Waiting says for whom runs wait that cannot begin, the most common first: "needs
// extract region=eu: failed, KeyError (3 runs)". It has most of them, and a line
// that counts the rest.
func Waiting(s *sweep.Sweep, most int) []string {
	n := map[string]int{}
	var words []string
	for st := range s.All() {
		if st.Run.Unplanned || st.Status != outcome.Planned {
			continue
		}
		if w := s.Waits(st.Run.ID); w != "" {
			if n[w]++; n[w] == 1 {
				words = append(words, w)
			}
		}
	}
	slices.SortStableFunc(words, func(a, b string) int { return cmp.Compare(n[b], n[a]) })
	rest := 0
	for i, w := range words {
		if i >= most {
			rest += n[w]
			continue
		}
		words[i] = fmt.Sprintf("%s (%s)", w, unit.Plural(n[w], "run"))
	}
	if len(words) > most {
		words = append(words[:most], unit.Plural(rest, "run")+" more")
	}
	return words
}

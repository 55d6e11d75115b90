package app

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/fanout-dev/fanout/internal/app/internal/reproduce"
	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// reruns are the commands that rerun exactly the runs of each group of failures;
// empty where no expression selects them.
func reruns(s *sweep.Sweep, failures []compare.FailureGroup) []string {
	head, _ := s.Head()
	out := make([]string, len(failures))
	for i, g := range failures {
		src, ok := expression(g.When)
		if ok && len(src) <= reproduce.Long && selects(s, src, g.Runs) {
			out[i] = fmt.Sprintf("fanout rerun %s --failed --only %s", unit.Quote(rerunTarget(s, head)), unit.Quote(src))
		}
	}
	return out
}

// expression writes conditions in the language of --only.
func expression(when []compare.Condition) (string, bool) {
	var parts []string
	for _, c := range when {
		literal, err := json.Marshal(c.Value.Any())
		if err != nil {
			return "", false
		}
		op := c.Op
		if op == "=" {
			op = "=="
		}
		parts = append(parts, c.Name+" "+op+" "+string(literal))
	}
	return strings.Join(parts, " and "), len(parts) > 0
}

// selects reports whether the runs that failed and for which the expression is
// true are these: a command that runs others must not be shown.
func selects(s *sweep.Sweep, src string, runs []compare.Run) bool {
	keep, err := query.Filter(s, src)
	if err != nil {
		return false
	}
	wanted := map[string]bool{}
	for _, r := range runs {
		wanted[r.ID] = true
	}
	for st := range s.All() {
		if st.Run.Unplanned {
			continue
		}
		ok, err := keep(st)
		if err != nil || (ok && query.WentWrong(st)) != wanted[st.Run.ID] {
			return false
		}
	}
	return true
}

// Package scraps chooses which scraps of a notebook the log carries.
package scraps

import (
	"encoding/json"
	"strings"

	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/sweep/internal/journal"
	"github.com/fanout-dev/fanout/internal/value"
)

// Limits of what the log carries of an attempt's scraps.
const (
	maxScrap  = 4 << 10  // bytes of one
	maxScraps = 64 << 10 // bytes of all
)

// Small returns the scraps that are plain values and small, and whether
// the notebook holds anything else that collecting wants.
func Small(doc *notebook.Notebook) (journal.Scraps, bool) {
	all, problems := doc.Scraps()
	more, total := len(problems) > 0, 0
	small := map[string]json.RawMessage{}
	for _, s := range all {
		plain := s.HasData && s.Display == nil && s.Legacy == "" && (s.Encoder == "json" || s.Encoder == "text" && !looksSpecial(s.Data))
		if !plain || len(s.Data) > maxScrap || total+len(s.Data) > maxScraps {
			more = true
			continue
		}
		total += len(s.Data)
		small[s.Name] = s.Data
	}
	return journal.ScrapsOf(small), more
}

// looksSpecial reports a text that, without its encoder, would be taken for a
// number that JSON cannot hold.
func looksSpecial(data json.RawMessage) bool {
	_, special := value.NonFinite(strings.Trim(string(data), `"`))
	return special
}

package report

import (
	"errors"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/compare"
)

// measured reports whether a block is compared by a metric.
func measured(blocks Comparison, metric string) bool {
	return slices.ContainsFunc(blocks, func(b Block) bool {
		return slices.ContainsFunc(b.Report.Metrics, func(t compare.MetricTable) bool { return t.Name == metric })
	})
}

// Violated is an error when a change is one that a gate does not let pass, or
// when nothing can be said of it.
func Violated(gates []compare.Gate, blocks Comparison) error {
	var all []error
	for _, g := range gates {
		for _, b := range blocks {
			if measured(blocks, g.Metric) && !measured(Comparison{b}, g.Metric) {
				continue // of another step
			}
			violated, err := g.Violations(b.Report)
			for _, v := range violated {
				all = append(all, errors.New(strings.TrimSpace(b.Title+" "+v)))
			}
			if err != nil {
				all = append(all, err)
			}
		}
	}
	return errors.Join(all...)
}

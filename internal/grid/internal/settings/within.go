package settings

import (
	"slices"

	"github.com/fanout-dev/fanout/internal/grid/internal/diagnostic"
	"github.com/fanout-dev/fanout/internal/grid/internal/yaml"
	"github.com/fanout-dev/fanout/internal/value"
)

// CheckWithin finds metrics that are to be compared within what is no axis, or what
// makes the variants or the replicates. varied is what the grid varies.
func CheckWithin(r *yaml.Reader, at *yaml.Node, metrics []Metric, varied []string, baseline []value.Binding, replicate string) {
	for _, m := range metrics {
		_, inBaseline := value.Lookup(baseline, m.Within)
		switch {
		case m.Within == "":
		case !slices.Contains(varied, m.Within):
			r.Errorf(at, "metrics: %s is to be compared within `%s`, and nothing the grid varies is called that%s", m.Name, m.Within, diagnostic.DidYouMean(m.Within, varied))
		case inBaseline:
			r.Hintf(at, "name an axis beside it, over which values would be averaged", "metrics: %s is to be compared within `%s`, whose values are compared: the baseline names one", m.Name, m.Within)
		case m.Within == replicate:
			r.Hintf(at, "runs of the same replicate are pairs already", "metrics: %s is to be compared within `%s`, which counts the replicates", m.Name, m.Within)
		}
	}
}

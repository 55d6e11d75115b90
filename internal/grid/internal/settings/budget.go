package settings

import (
	"time"

	"github.com/fanout-dev/fanout/internal/grid/internal/form"
	"github.com/fanout-dev/fanout/internal/grid/internal/yaml"
)

// A Budget is what the runs of one command may take; zero is no limit.
type Budget struct {
	CPU  time.Duration // of all attempts together
	Wall time.Duration
}

// maxHours is about as many as a duration holds.
const maxHours = 2_000_000

func budget() form.Form[Budget] {
	hours := form.Form[time.Duration]{What: "a number of hours", Read: func(r *yaml.Reader, n *yaml.Node, into *time.Duration) {
		before := r.Mistakes()
		x := r.Number(n)
		if r.Mistakes() == before && (x <= 0 || x > maxHours) {
			r.Errorf(n, "want a number of hours above 0, not %s", yaml.Describe(n))
		}
		*into = time.Duration(x * float64(time.Hour))
	}, Schema: form.Schema{"type": "number", "exclusiveMinimum": 0, "maximum": maxHours}}
	return form.Map(
		form.Field("cpu_hours", "Hours of CPU time, of all attempts together.", hours, func(b *Budget) *time.Duration { return &b.CPU }),
		form.Field("wall", "Time since the command began.", duration(), func(b *Budget) *time.Duration { return &b.Wall }),
	).Checked(func(r *yaml.Reader, n *yaml.Node, b *Budget) {
		if *b == (Budget{}) {
			r.Hintf(n, "for example {cpu_hours: 10, wall: 2h}", "a budget of nothing: give it `cpu_hours`, `wall` or both")
		}
	})
}

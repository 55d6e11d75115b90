package report

// Growth is how a sweep that grows came to its number of runs.
type Growth struct {
	Of    string // what is counted: replicates or points; empty of rounds of halving
	Times int    // it was looked at, or rounds that have ended
	At    int    // how many of them there were at the last look
	Most  int    // there may be
	Runs  int    // planned runs, had all variants that many
	Ended bool
	Why   string // it ended though something is open

	By                int // one of so many candidates goes on
	Parameter, Metric string

	Head []string
	Rows [][]string // what each look, or round, found
}

// looksSection is the path of a sweep that grows.
func looksSection(in Input) section {
	g := in.Growth
	if g == nil || g.Times == 0 {
		return section{}
	}
	var rows [][]string
	for _, row := range g.Rows[:min(len(g.Rows), maxRows)] {
		cells := make([]string, len(row))
		for i, text := range row {
			cells[i] = safe(text)
		}
		rows = append(rows, cells)
	}
	name := "looks"
	if g.Of == "" {
		name = "rounds"
	}
	return written(name, struct {
		*Growth
		Planned, Saved, Left int
		Rows                 [][]string
	}{g, in.Planned, g.Runs - in.Planned, len(g.Rows) - len(rows), rows})
}

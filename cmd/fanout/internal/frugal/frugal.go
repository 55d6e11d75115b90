// Package frugal makes a controller get by with less memory: it mostly waits, for
// thousands of runs, so memory matters more than the little time that collecting
// garbage takes.
package frugal

import "runtime/debug"

// garbage is how much of it a controller keeps, as a percentage of what it uses.
const garbage = 30

// manyRuns is from when on that goes for runs on this machine, too: what is known of
// them takes more memory than the notebooks that execute.
const manyRuns = 10_000

// Control makes this process the controller of so many runs, here or elsewhere.
func Control(runs int, elsewhere bool) {
	if elsewhere || runs > manyRuns {
		debug.SetGCPercent(garbage)
	}
}

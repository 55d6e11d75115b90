/*
Fanout runs one Jupyter notebook many times and compares the results.

# A sweep

A sweep file names a template notebook and a grid of parameters. Here it is
sweep.yaml:

	name: walk
	template: walk.ipynb
	grid:
	  drift: [0, 0.5]
	  seed: [1, 2]
	baseline: {drift: 0}
	metrics: {farthest: minimize}

Plan shows what would run, and why. Each run has an id that depends on its
parameters alone.

	$ fanout plan sweep.yaml
	run_id            run_due  drift  seed
	kk7pznzhqa72nxz2  new      0.0    1
	t42tqutdavcdsdkj  new      0.0    2
	qqkb7kvczcaws2pu  new      0.5    1
	lmc3yrjdmfocbxta  new      0.5    2
	4 runs

	$ fanout plan --count sweep.yaml
	4

Run executes the runs, collects what they recorded and writes a summary. It
prints the summary's path on standard output and everything else on standard
error.

	$ fanout run sweep.yaml
	walk: 4 runs: 4 new
	running 4 runs in walk.sweep
	fanout: kernels start cold: kernel "fake" is not a plain ipykernel
	walk: 4 runs: 4 succeeded
	  notebooks  walk.sweep/runs
	  tables     walk.sweep/results
	  summary    walk.sweep/summary.ipynb
	walk.sweep/summary.ipynb

The same command again executes only what is new, failed or stale.

	$ fanout run sweep.yaml
	walk: 4 runs: 4 kept
	walk: 4 runs: 4 succeeded
	  notebooks  walk.sweep/runs
	  tables     walk.sweep/results
	  summary    walk.sweep/summary.ipynb
	walk.sweep/summary.ipynb

	$ fanout status walk.sweep
	walk: 4 runs: 4 succeeded

# One run and another

An expression over parameters, recorded values and the run's own columns chooses
runs, here and wherever a flag takes one.

	$ fanout ls walk.sweep --where drift>0&&seed==2&&run_status=="lost"
	0 runs

	$ fanout rerun walk.sweep --failed --dry-run
	4 kept

	$ fanout gc walk.sweep
	--unplanned  0 objects, 0 bytes
	--attempts   0 objects, 0 bytes
	--plans      2 objects, 1 kB
	nothing was removed; choose what to remove and add --yes: fanout gc walk.sweep --attempts --yes

What the cells print can be read at any time, and followed with -f while runs
execute, wherever they do.

	$ fanout logs walk.sweep --where seed==1
	drift=0.0 seed=1: walked
	drift=0.5 seed=1: walked

	$ fanout logs walk.sweep kk7p
	walked

Diff shows in which cells runs differ, how, and which axes explain it.

	$ fanout diff walk.sweep --where seed==1
	no cell differs: 2 code cells among 2 runs

"fanout show walk.sweep RUN" shows everything known about one run: its
parameters, every attempt, what it recorded, the cell that failed, why it is
stale, and the command that reproduces it. In a sweep with steps it lists what fed
the run and what it feeds, and "fanout why" leads from a number back to the first
notebooks.

Cancel stops a running sweep, here or on a cluster, from anywhere; the next run
resumes it. For a sweep that is not running it says how far it is.

	$ fanout cancel walk.sweep
	walk: 4 runs: 4 succeeded

# A schedule

"fanout schedule sweep.yaml --cron '0 2 * * *' --tz Europe/Berlin" has the sweep
extended every night, as of that night; "fanout serve --schedule" fires it.
"fanout schedule ls", "pause", "run-now", "catchup" and "rm" manage schedules. See
docs/schedules.md.

# A cluster

"fanout run --on nomad" executes the runs as Nomad batch jobs, and "fanout
schedule --on nomad" extends a sweep there. "fanout doctor --on nomad" says what
a cluster lacks. See docs/nomad.md.

# Exit codes

	0    everything asked for was done
	1    fanout could not finish
	2    usage or sweep file is wrong; nothing was run
	3    finished, and some runs did not succeed
	4    another fanout is running the sweep
	5    a gate was violated
	130  interrupted; 143 terminated: run the same command again to resume

# Settings

Settings come from flags, then the environment (FANOUT_ and the key in
capitals), then fanout.yaml here or in the user's configuration folder, then
defaults. "fanout config" prints each with its origin.
*/
package main

package help

// Root is what fanout says of itself.
const Root = `fanout expands a parameter grid over one template notebook, runs every point
with Jupyter kernels, collects the scraps the notebooks record into typed
tables, and writes a summary notebook that compares the variants.

    fanout init demo && fanout run demo/sweep.yaml

Exit codes: 0 done, 1 could not finish, 2 usage or sweep file is wrong,
3 finished but some runs did not succeed, 4 another fanout is running the sweep,
5 a gate was violated, 130 and 143 interrupted, terminated (run the same command
again to resume).`

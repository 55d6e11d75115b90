# Every run ever planned is a row of results/runs.parquet: parameters, scraps,
# and how it went. This cell loads it with pandas, Polars or DuckDB, whichever
# this kernel has; `runs` is then yours to explore.
from pathlib import Path

path = str(Path("results") / "runs.parquet")
fresh = "run_planned and run_status = 'succeeded' and not coalesce(run_stale, false)"


def load():
    try:
        import pandas

        return pandas.read_parquet(path), "pandas"
    except ImportError:
        pass
    try:
        import polars

        return polars.read_parquet(path), "polars"
    except ImportError:
        pass
    import duckdb

    return duckdb.read_parquet(path), "duckdb"


runs, library = load()


def by_variant(metric, by, trials=None, centre="median", step=None):
    """The main table of a metric: of every variant the runs planned, n, the
    median (or mean, or rate of all trials) and the quartiles, over the runs
    that count: those that succeeded and are not stale. step leaves the others
    out."""
    if library == "pandas":
        return with_pandas(runs if step is None else runs[runs.run_step == step], metric, by, trials, centre)
    if library == "polars":
        return with_polars(runs if step is None else runs.filter(run_step=step), metric, by, trials, centre)
    return with_duckdb(runs if step is None else runs.filter(f"run_step = '{step}'"), metric, by, trials, centre)


def with_pandas(runs, metric, by, trials, centre):
    planned = runs[runs.run_planned]
    counts = (planned.run_status == "succeeded") & ~planned.run_stale.fillna(False).astype(bool)
    good = planned[counts & planned[metric].notna()]
    values = good[metric].astype(float)
    keys = [good[name] for name in by]
    table = planned.groupby(by, dropna=False).size().to_frame("planned")
    table["n"] = values.groupby(keys, dropna=False).count().reindex(table.index, fill_value=0)
    if trials:
        table["rate"] = values.groupby(keys, dropna=False).sum() / good[trials].astype(float).groupby(keys, dropna=False).sum()
        return table
    table[centre] = values.groupby(keys, dropna=False).agg(centre)
    table["q1"], table["q3"] = (values.groupby(keys, dropna=False).quantile(q) for q in (0.25, 0.75))
    return table


def with_polars(runs, metric, by, trials, centre):
    import polars as pl

    counts = (pl.col("run_status") == "succeeded") & ~pl.col("run_stale").fill_null(False)
    value = pl.when(counts).then(pl.col(metric).cast(pl.Float64))
    columns = [pl.len().alias("planned"), value.count().alias("n")]
    if trials:
        columns.append((value.sum() / pl.when(counts & pl.col(metric).is_not_null()).then(pl.col(trials).cast(pl.Float64)).sum()).alias("rate"))
    else:
        columns += [getattr(value, centre)().alias(centre), value.quantile(0.25, "linear").alias("q1"), value.quantile(0.75, "linear").alias("q3")]
    return runs.filter(pl.col("run_planned")).group_by(by).agg(*columns).sort(by)


def with_duckdb(runs, metric, by, trials, centre):
    def quoted(name):
        return '"' + name.replace('"', '""') + '"'

    names = ", ".join(map(quoted, by))
    value = f"case when {fresh} then {quoted(metric)}::double end"
    columns = f"{names}, count(*) as planned, count({value}) as n, "
    if trials:
        columns += f"sum({value}) / sum(case when {fresh} and {quoted(metric)} is not null then {quoted(trials)}::double end) as rate"
    else:
        function = {"mean": "avg"}.get(centre, centre)
        columns += f"{function}({value}) as {centre}, quantile_cont({value}, 0.25) as q1, quantile_cont({value}, 0.75) as q3"
    return runs.filter("run_planned").aggregate(columns, names).order(names)


runs

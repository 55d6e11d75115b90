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


def by_variant(metric, by):
    """n, median and quartiles of a metric by variant, over runs that count."""
    if library == "pandas":
        good = runs[runs.run_planned & (runs.run_status == "succeeded") & ~runs.run_stale.fillna(False).astype(bool)]
        groups = good.groupby(by, dropna=False)[metric]
        table = groups.agg(n="count", median="median")
        table["q1"], table["q3"] = groups.quantile(0.25), groups.quantile(0.75)
        return table
    if library == "polars":
        import polars as pl

        good = runs.filter(pl.col("run_planned") & (pl.col("run_status") == "succeeded") & ~pl.col("run_stale").fill_null(False))
        column = pl.col(metric)
        return good.group_by(by).agg(
            column.count().alias("n"), column.median().alias("median"),
            column.quantile(0.25, "linear").alias("q1"), column.quantile(0.75, "linear").alias("q3"),
        ).sort(by)
    names = ", ".join('"' + name.replace('"', '""') + '"' for name in by)
    column = '"' + metric.replace('"', '""') + '"'
    return runs.filter(fresh).aggregate(
        f"{names}, count({column}) as n, median({column}) as median, "
        f"quantile_cont({column}, 0.25) as q1, quantile_cont({column}, 0.75) as q3", names
    ).order(names)


runs

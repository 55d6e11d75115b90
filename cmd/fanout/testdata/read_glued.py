"""Prints what readers find in the tables of glued values, by name, as JSON.

    python read_glued.py TABLES

pyarrow, DuckDB and Polars must agree; the values are pyarrow's.
"""

import decimal
import json
import math
import os
import sys

import duckdb
import polars
import pyarrow.parquet

tables = sys.argv[1]


def rows(path):
    table = pyarrow.parquet.read_table(path)
    assert polars.read_parquet(path).height == table.num_rows, path
    assert duckdb.sql(f"select count(*) from '{path}'").fetchall()[0][0] == table.num_rows, path
    return table


def same_numbers(path, table):
    """Sums of the columns of numbers, as DuckDB and Polars have them."""
    for field in table.schema:
        kind = str(field.type)
        if kind not in ("int64", "double") and not kind.startswith("decimal"):
            continue
        want = table.column(field.name).to_pylist()
        found = [row[0] for row in duckdb.sql(f'select "{field.name}" from \'{path}\'').fetchall()]
        seen = polars.read_parquet(path)[field.name].to_list()
        for a, b, c in zip(want, found, seen, strict=True):
            assert a == b == c or a != a, (path, field.name, a, b, c)


def plain(value):
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


path = os.path.join(tables, "scraps.parquet")
found = {}
for scrap in rows(path).to_pylist():
    what = scrap["value"]
    if scrap["type"] == "frame":
        path = os.path.join(tables, "tables", scrap["name"] + ".parquet")
        frame = rows(path)
        same_numbers(path, frame)
        leading = [c for c in frame.column_names if c == "run_id" or c.startswith("run_") or c == "n"]
        own = frame.select([c for c in frame.column_names if c not in leading])
        what = json.dumps([list(map(plain, row.values())) for row in own.to_pylist()])
    elif scrap["type"] == "display":
        drawn = os.path.join(tables, "displays", scrap["name"])
        what = "picture" if os.path.isdir(drawn) else "shown"
    found[scrap["name"]] = {"What": what, "Problems": []}

runs = os.path.join(tables, "runs.parquet")
same_numbers(runs, rows(runs))
for problem in rows(os.path.join(tables, "problems.parquet")).to_pylist():
    found.setdefault(problem["name"], {"What": "nothing", "Problems": []})["Problems"].append(problem["detail"])
    if found[problem["name"]]["What"] == "picture":
        found[problem["name"]]["What"] = "shown"
print(json.dumps(found))

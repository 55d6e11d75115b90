"""Checks a finished sweep with other people's programs.

    python check_sweep.py DIR.sweep

Every notebook is valid nbformat; pyarrow, DuckDB and Polars agree on both
tables, and the tables with the scraps in the notebooks; papermill's and
scrapbook's metadata are where their readers look; the summary's code cells
run, and make its main table again.
"""

import json
import math
import sys
from pathlib import Path

import duckdb
import nbformat
import polars
import pyarrow.feather
import pyarrow.parquet

sweep = Path(sys.argv[1])


def same(a, b):
    if isinstance(a, float) and isinstance(b, (int, float)):
        return a == b or math.isnan(a) and math.isnan(b)
    return a == b


def plain(value):
    """ISO texts became dates and times in the table."""
    return value.isoformat() if hasattr(value, "isoformat") else value


def rows_of(table):
    return table.to_pylist()


parquet = pyarrow.parquet.read_table(sweep / "results/runs.parquet")
arrow = pyarrow.feather.read_table(sweep / "results/runs.arrow", memory_map=False)
assert parquet.column_names == arrow.column_names, "the two files have other columns"
rows = rows_of(parquet)
assert rows == rows_of(arrow), "the two files disagree"

by_duckdb = duckdb.sql(f"select run_id, run_status from '{sweep}/results/runs.parquet'").fetchall()
assert by_duckdb == [(r["run_id"], r["run_status"]) for r in rows], "DuckDB reads something else"
by_polars = polars.read_parquet(sweep / "results/runs.parquet")
assert by_polars.columns == parquet.column_names and by_polars.height == len(rows), "Polars reads something else"
for name in parquet.column_names:
    if str(parquet.schema.field(name).type) in ("int64", "double", "string", "bool"):
        assert all(same(a, b) for a, b in zip(by_polars[name].to_list(), parquet[name].to_pylist())), f"Polars reads other values of {name}"

checked = 0
for row in rows:
    doc = nbformat.read(sweep / "runs" / f"{row['run_id']}.ipynb", as_version=4)
    nbformat.validate(doc)
    papermill = doc.metadata.papermill
    for key in ("start_time", "end_time", "duration", "exception", "parameters", "version"):
        assert key in papermill, f"metadata.papermill has no {key}"
    for name, value in papermill.parameters.items():
        assert same(plain(row[name]), value), f"{row['run_id']}: parameter {name} is {row[name]!r}, the notebook says {value!r}"
    for cell in doc.cells:
        for output in cell.get("outputs", []):
            for mime, payload in output.get("data", {}).items():
                if mime == "application/scrapbook.scrap.json+json" and not isinstance(payload["data"], (list, dict)):
                    checked += 1
                    got, want = plain(row[payload["name"]]), payload["data"]
                    if isinstance(want, str) and payload["encoder"] == "json" and want in ("null", "NaN", "Infinity", "-Infinity"):
                        want = json.loads(want)  # as scrapbook reads it
                    assert same(got, want), f"{row['run_id']}: {payload['name']} is {got!r}, the notebook says {want!r}"
assert checked > 0, "no scrap was checked"

summary = nbformat.read(sweep / "summary.ipynb", as_version=4)
nbformat.validate(summary)

from nbclient import NotebookClient  # noqa: E402

NotebookClient(summary, timeout=120, resources={"metadata": {"path": str(sweep)}}).execute()
code = [c for c in summary.cells if c.cell_type == "code"]
assert code and all(c.outputs for c in code), "a code cell of the summary shows nothing"

from nbconvert import HTMLExporter  # noqa: E402

page, _ = HTMLExporter().from_notebook_node(summary)
assert "<table" in page and page.count("data:image/png") >= 1, "the rendered summary has no table or no picture"

print(json.dumps({"rows": len(rows), "scraps": checked}))

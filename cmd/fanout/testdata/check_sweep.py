"""Checks a finished sweep with other people's programs.

    python check_sweep.py DIR.sweep

Every notebook is valid nbformat; pyarrow, DuckDB and Polars agree on both
tables, and the tables with the scraps in the notebooks; papermill's and
scrapbook's metadata are where their readers look; the summary's code cells
run, and make its main table again.
"""

import decimal
import json
import math
import sys
from pathlib import Path

import duckdb
import nbformat
import polars
import pyarrow.feather
import pyarrow.parquet

sweep = Path(sys.argv[1]).absolute()


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
    if row["run_status"] == "planned":
        continue  # it waits for others
    doc = nbformat.read(sweep / "runs" / f"{row['run_id']}.ipynb", as_version=4)
    nbformat.validate(doc)
    papermill = doc.metadata.papermill
    for key in ("start_time", "end_time", "duration", "exception", "parameters", "version"):
        assert key in papermill, f"metadata.papermill has no {key}"
    for name, value in papermill.parameters.items():
        if "run_step" in row and name not in row:
            continue  # it was fed
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

# The code makes the tables of the summary again, with each of the libraries.
def rows_of_markdown(title):
    """The first table below a title: name to n and centre."""
    text = (sweep / "summary.md").read_text().replace("\\", "")
    section = text.split(f"\n## {title}", 1)[1].split("\n## ")[0]
    table = [[c.strip() for c in line.strip("| ").split(" | ")] for line in section.splitlines() if line.startswith("|")]
    whole = len(table[0]) > 2
    return {row[0].replace(" *(baseline)*", ""): (row[1].split(" of ")[0] if whole else None, row[2 if whole else 1]) for row in table[2:]}


def is_shown(got, text):
    """A column's smallest number keeps three digits, the others as many decimals as it has."""
    if text == "no value":
        return got is None
    shown = decimal.Decimal(text.replace("−", "-"))
    sign, digits, exponent = shown.as_tuple()
    half_a_last_digit = 0.5 * 10.0**exponent * (1 + 1e-6)
    enough = len(digits) >= 3 or math.isclose(got, float(shown), rel_tol=6e-4)
    return abs(got - float(shown)) <= half_a_last_digit and enough


def check_tables(library, hidden):
    for name in hidden:
        sys.modules[name] = None  # import fails
    space = {}
    exec(code[0].source, space)
    assert space["library"] == library, space["library"]
    for cell in code[1:]:
        made = eval(cell.source, space)
        if library == "pandas":
            made = made.reset_index()
            records = made.astype(object).where(made.notna(), None).to_dict("records")
        elif library == "polars":
            records = made.to_dicts()
        else:
            records = [dict(zip(made.columns, row)) for row in made.fetchall()]
        metric = cell.source.split('"')[1]
        by = eval(cell.source.split("by=")[1].split("]")[0] + "]")
        by_name = {", ".join(str(r[b])[: 10 if hasattr(r[b], "year") else None] for b in by): r for r in records}
        step = cell.source.split('step="')[1].split('"')[0] + ": " if "step=" in cell.source else ""
        said = rows_of_markdown(step + metric)
        assert said, f"{metric}: no table"
        for name, (n, centre) in said.items():
            r = by_name[name]
            assert n is None or r["n"] == int(n), f"{library}: {metric} of {name}: n is {r['n']}, the summary says {n}"
            got = r.get("rate", r.get("median", r.get("mean")))
            assert is_shown(got, centre), f"{library}: {metric} of {name} is {got}, the summary says {centre}"


import os  # noqa: E402

here = os.getcwd()
os.chdir(sweep)
check_tables("pandas", [])
check_tables("polars", ["pandas"])
check_tables("duckdb", ["pandas", "polars"])
for name in ("pandas", "polars"):
    del sys.modules[name]
os.chdir(here)

from nbconvert import HTMLExporter  # noqa: E402

page, _ = HTMLExporter().from_notebook_node(summary)
assert "<table" in page and page.count("data:image/png") >= 1, "the rendered summary has no table or no picture"

print(json.dumps({"rows": len(rows), "scraps": checked}))

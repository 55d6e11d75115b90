"""Reads DIR/t.csv, DIR/t.jsonl and the partitions in DIR/hive, and compares
them with DIR/t.parquet. Prints "agreed", or what differs."""
import csv, json, math, sys

import duckdb, pyarrow.dataset as ds, pyarrow.parquet as pq

d = sys.argv[1]
wrong = []
t = pq.read_table(f"{d}/t.parquet")
ids = t["run_id"].to_pylist()

rows = list(csv.reader(open(f"{d}/t.csv", newline="")))
if rows[0] != t.column_names or len(rows) != len(ids) + 1:
    wrong.append(f"csv header or rows: {rows[0]} {len(rows)}")
for name in ("text", "mixed", "n", "day"):
    i = rows[0].index(name)
    got = [r[i] for r in rows[1:]]
    want = ["" if v is None else str(v) for v in t[name].to_pylist()]
    if got != want:
        wrong.append(f"csv {name}: {got} {want}")
got = duckdb.sql(f"select text, text is null from read_csv('{d}/t.csv', header=true, all_varchar=true, nullstr='', allow_quoted_nulls=false)").fetchall()
if got != [(v, v is None) for v in t["text"].to_pylist()]:
    wrong.append(f"csv nulls: {got}")

lines = [json.loads(l) for l in open(f"{d}/t.jsonl")]
for name in ("run_id", "text", "n", "flag", "list", "point"):
    got = [l[name] for l in lines]
    want = t[name].to_pylist()
    if name == "point":  # a JSON text inside a struct is decoded
        want = [v and {**v, "odd": v["odd"] and json.loads(v["odd"])} for v in want]
    if got != want:
        wrong.append(f"json {name}: {got} {want}")
got = [l["mixed"] for l in lines]
if got != [json.loads(v) for v in t["mixed"].to_pylist()]:
    wrong.append(f"json mixed: {got}")

names = [n for n in t.column_names if n not in ("flag", "text")]
hive = ds.dataset(f"{d}/hive", partitioning=ds.partitioning(flavor="hive")).to_table()
if sorted(hive["run_id"].to_pylist()) != sorted(ids):
    wrong.append("partitions: rows")
got = duckdb.sql(f"select run_id, text, flag from read_parquet('{d}/hive/*/*/*.parquet', hive_partitioning=true, hive_types_autocast=false) order by run_id").fetchall()
for (i, text, flag), wt, wf in zip(got, t["text"].to_pylist(), t["flag"].to_pylist()):
    if wt not in (text,) or (flag or None) != (None if wf is None else str(wf).lower()):
        wrong.append(f"partition {i}: {text!r} {flag!r}, want {wt!r} {wf!r}")
by_id = {r["run_id"]: r for r in hive.select([n for n in names]).to_pylist()}
for r in t.select(names).to_pylist():
    h = by_id[r["run_id"]]
    for k, v in r.items():
        if h[k] != v and not (isinstance(v, float) and math.isnan(v) and math.isnan(h[k])):
            wrong.append(f"partitioned {k} of {r['run_id']}: {h[k]!r}, want {v!r}")
print("\n".join(wrong) if wrong else "agreed")

"""frames.py make DIR: writes frames as pandas, polars and pyarrow write them.
frames.py check DIR: compares DIR/out.parquet with the same frames stacked by
pyarrow. Prints "agreed", or what differs."""
import datetime as dt, decimal, glob, os, sys

import numpy as np, pandas as pd, polars as pl, pyarrow as pa, pyarrow.parquet as pq

mode, d = sys.argv[1:3]


def frames():
    n = 7
    base = pd.DataFrame({
        "i": np.arange(n), "f": np.linspace(0, 1, n), "s": [f"é{k}" for k in range(n)], "b": [True, False] * 3 + [None],
        "day": [dt.date(2026, 1, 1 + k) for k in range(n)],
        "t": pd.date_range("2026-01-01", periods=n, freq="h"), "tz": pd.date_range("2026-03-28", periods=n, freq="12h", tz="Europe/Berlin"),
        "span": pd.to_timedelta(range(n), unit="h"),
        "cat": pd.Categorical(["x", "y", "x", None, "y", "x", "x"]),
        "price": [decimal.Decimal("1.25") * k for k in range(n)],
        "l": [[1, 2], [], None, [3], [4, None], [5], [6, 7, 8]],
        "st": [{"a": k, "b": {"c": str(k)}} for k in range(n)],
    })
    yield "00_pandas", lambda p: base.to_parquet(p)
    yield "01_indexed", lambda p: base.set_index(pd.Index(list("abcdefg"), name="key"))[["i", "f"]].to_parquet(p)
    yield "02_empty", lambda p: base.head(0).to_parquet(p)
    yield "03_missing_columns", lambda p: pd.DataFrame({"f": [1.5], "new": ["only here"]}).to_parquet(p)
    yield "04_snappy_v2", lambda p: pq.write_table(pa.table({"i": pa.array([1, None, 3], pa.int16()), "f": pa.array([1, 2, 3], pa.float32())}), p, data_page_version="2.0", compression="snappy")
    yield "05_polars", lambda p: pl.DataFrame({"i": [10, 20], "s": ["pola", "rs"], "l": [[1], [2, 3]], "st": [{"a": 1, "b": {"c": "x"}}, None], "t": [dt.datetime(2026, 1, 1), None], "tz": pl.Series([dt.datetime(2026, 1, 1), None]).dt.replace_time_zone("Europe/Berlin")}).write_parquet(p)
    yield "06_many_groups", lambda p: pq.write_table(pa.table({"i": pa.array(range(50_000)), "s": pa.array([f"row {k % 13}" for k in range(50_000)])}), p, row_group_size=7_000, compression="gzip")
    yield "07_nested", lambda p: pq.write_table(pa.table({"l": pa.array([[1], None, [], [None, 2]] * 30, pa.list_(pa.int64())), "deep": pa.array([[[{"x": 1}], []], None, [], [[None, {"x": None}]]] * 30, pa.list_(pa.list_(pa.struct([("x", pa.int64())]))))}), p, use_dictionary=False, data_page_size=64)
    yield "08_no_schema", lambda p: pq.write_table(pa.table({"i": [5], "t": pa.array([dt.datetime(2026, 5, 1)], pa.timestamp("ms")), "time": pa.array([dt.time(12, 30)], pa.time32("ms")), "blob": [b"\x00\xff"], "half": pa.array([np.float16(1.5)]), "nothing": pa.nulls(1), "u": pa.array([2**63 + 5], pa.uint64())}), p, store_schema=False, compression="none")
    yield "09_brotli", lambda p: pq.write_table(pa.table({"i": [6], "map": pa.array([[("k", 1), ("l", None)]], pa.map_(pa.string(), pa.int64()))}), p, compression="brotli")
    yield "10_int_becomes_double", lambda p: pd.DataFrame({"w": [1, 2]}).to_parquet(p)
    yield "11_int_becomes_double", lambda p: pd.DataFrame({"w": [0.5, None]}).to_parquet(p)
    yield "12_becomes_text", lambda p: pd.DataFrame({"x": [1, 2]}).to_parquet(p)
    yield "13_becomes_text", lambda p: pd.DataFrame({"x": ["one", None]}).to_parquet(p)
    yield "14_large_ints", lambda p: pd.DataFrame({"y": [2**60 + 1]}).to_parquet(p)
    yield "15_large_ints", lambda p: pd.DataFrame({"y": [0.5]}).to_parquet(p)
    yield "16_int96", lambda p: pq.write_table(pa.table({"t": pa.array([dt.datetime(2026, 5, 1, 1, 2, 3)], pa.timestamp("ns"))}), p, use_deprecated_int96_timestamps=True)
    yield "17_list_of_the_old_kind", lambda p: pq.write_table(pa.table({"l": pa.array([[8, 9]], pa.list_(pa.int64()))}), p, use_compliant_nested_type=False)


def text(v):
    return "1" if v is True else str(v)


if mode == "make":
    for name, write in frames():
        write(os.path.join(d, name + ".parquet"))
    sys.exit()

out = pq.read_table(os.path.join(d, "out.parquet"))
wrong = []
types = {"i": "int64", "f": "double", "s": "string", "b": "bool", "day": "date32[day]", "t": "timestamp[ns]", "tz": "timestamp[us, tz=Europe/Berlin]", "span": "duration[us]",
         "cat": "string", "price": "decimal128(38, 2)", "l": "list<element: int64>", "st": "struct<a: int64, b: struct<c: string>>", "key": "string", "new": "string",
         "deep": "list<element: list<element: struct<x: int64>>>", "time": "time64[us]", "blob": "binary", "half": "double", "nothing": "null", "u": "decimal128(38, 0)",
         "map": "list<element: struct<key: string, value: int64>>", "w": "double", "x": "extension<arrow.json>", "y": "extension<arrow.json>", "run_id": "string", "i_param": "int64"}
for f in out.schema:
    if str(f.type) != types.pop(f.name, "(not expected)"):
        wrong.append(f"type of {f.name} is {f.type}")
if types:
    wrong.append(f"missing: {sorted(types)}")
if out.schema.names[:2] != ["run_id", "i_param"]:
    wrong.append(f"leading columns: {out.schema.names}")
want, runs, params = {f.name: [] for f in out.schema}, [], []
for k, path in enumerate(sorted(glob.glob(os.path.join(d, "[0-9]*.parquet")))):
    t = pq.read_table(path)
    rows = t.num_rows
    runs += [os.path.basename(path)[:-8]] * rows
    params += [k] * rows
    for name in out.schema.names[2:]:
        values = t[name].to_pylist() if name in t.column_names else [None] * rows
        want[name] += values


def same(name, a, b):
    if a is None or b is None:
        return a is None and b is None or name == "f" and b != b
    if name == "x":
        return a == ('"one"' if b == "one" else str(b))
    if name == "y":
        return a == (str(b))
    if name == "map":
        return [(e["key"], e["value"]) for e in a] == b
    if name in ("t", "tz"):
        return pd.Timestamp(a) == pd.Timestamp(b)
    if name == "f" or name == "w":
        return abs(a - b) == 0 or a != a and b != b
    return a == b


if out["run_id"].to_pylist() != runs or out["i_param"].to_pylist() != params:
    wrong.append("run_id or the parameter differ")
for name in out.schema.names[2:]:
    for k, (a, b) in enumerate(zip(out[name].to_pylist(), want[name], strict=True)):
        if isinstance(b, float) and b != b and a is None:
            continue
        if not same(name, a, b):
            wrong.append(f"{name}[{k}] ({runs[k]}): got {a!r}, want {b!r}")
            break
print("\n".join(wrong) if wrong else "agreed")
